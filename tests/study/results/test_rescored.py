from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from ledger_rows import complete, final, final_score, pruned, score, spec, write
from scipy.stats import norm, t

from study.results.leaderboard import read_leaderboard
from study.results.reader import read_study
from study.results.render import to_text
from study.results.rescored import Rescored
from study.results.rescored import rescored as rescored_of_rows
from study.results.rescored_table import rescore_table
from study.results.storage import Storage
from study.results.tables import ScoreRow, TrialRow


def rescored(storage: Storage) -> list[Rescored]:
    return rescored_of_rows(read_study(storage, "s"))


def again(trial: int, value: float, **changes: Any) -> ScoreRow:
    return replace(score(trial, value), **{"stage": "rescore", "steps": 250, **changes})


@pytest.fixture
def studied(storage: Storage) -> Storage:
    storage.claim("s", "")
    for trial in range(4):
        row = replace(complete(trial, trial + 1.0), spec=spec())
        write(storage, "s", score(trial, trial + 1.0), row)
    write(storage, "s", replace(final(4, 0, 0.5), spec=spec()))
    return storage


def test_each_way_of_scoring_is_a_group(studied: Storage) -> None:
    for trial, value in enumerate([2.0, 1.0, 3.0, 4.0]):
        write(studied, "s", again(trial, value, spread=0.1))
        write(studied, "s", again(trial, 0.5, metric="recall"))
    write(studied, "s", again(4, 0.1, sampler="dpm_solver"), again(0, 7.0, weights="trained"))
    groups = rescored(studied)
    setups = [
        tuple(getattr(g.measured, p) for p in ("sampler", "steps", "weights")) for g in groups
    ]
    assert setups == [
        ("ddim", 250, "averaged"),
        ("dpm_solver", 250, "averaged"),
        ("ddim", 250, "trained"),
    ]
    first = groups[0]
    assert [(row.trial, row.before, row.value, row.spread) for row in first.trials] == [
        (1, 2.0, 1.0, 0.1),
        (0, 1.0, 2.0, 0.1),
        (2, 3.0, 3.0, 0.1),
        (3, 4.0, 4.0, 0.1),
    ]
    assert first.agreement is not None
    assert first.agreement.kendall == pytest.approx((5 - 1) / 6)
    assert [row.final for row in groups[1].trials] == [True]
    assert groups[2].agreement is None


def test_they_are_never_mixed_with_the_search(studied: Storage) -> None:
    write(studied, "s", again(3, 0.1), again(3, 4.0, reference="other", epoch=9))
    assert [(row.trial, row.value) for row in read_leaderboard(studied, "s").ranked] == [
        (0, 1.0),
        (1, 2.0),
        (2, 3.0),
        (3, 4.0),
    ]


def test_several_seeds_are_averaged_and_the_last_epoch_counts(studied: Storage) -> None:
    write(studied, "s", again(0, 99.0, epoch=1))
    write(studied, "s", *(again(0, value, seed=seed) for seed, value in enumerate([1.0, 2.0, 6.0])))
    ((row,),) = (group.trials for group in rescored(studied))
    assert (row.value, row.seeds) == (3.0, 3)
    # Of so few, the noise is known badly: as wide an interval as Student's t has.
    widening = t.ppf(0.975, 2) / norm.ppf(0.975)
    assert row.spread == pytest.approx(widening * math.sqrt((4 + 1 + 9) / 2 / 3))


def test_one_collapsed_seed_marks_the_trial(studied: Storage) -> None:
    marks = {0: (False, True), 1: (False, False), 2: (None, None)}
    for trial, each in marks.items():
        for seed, collapsed in enumerate(each):
            write(studied, "s", again(trial, 1.0 + trial, seed=seed, collapsed=collapsed))
    (group,) = rescored(studied)
    assert [row.collapsed for row in group.trials] == [True, False, None]
    assert "collapsed (trial 0)" in to_text(rescore_table(group, 110), 110)


def test_scores_before_that_measure_something_else_are_left_out(studied: Storage) -> None:
    """A cheap rung's, and the mean of final scores, are no part of the old order."""
    cheap = replace(score(5, 0.001, epoch=1), metric="sliced_wasserstein", samples=64)
    rung = replace(pruned(5, 0.001), spec=spec())
    fewer = replace(score(6, 9.0, epoch=1), samples=64)
    early = replace(pruned(6, 9.0), spec=spec())
    run = replace(final(7, 0, 0.2), spec=spec(samples=10_000))
    write(studied, "s", cheap, rung, fewer, early, final_score(7, 0.2), run)
    for trial, value in {0: 1.0, 1: 2.0, 2: 3.0, 3: 4.0, 5: 5.0, 6: 0.5, 7: 6.0}.items():
        write(studied, "s", again(trial, value))
    (group,) = rescored(studied)
    before = {row.trial: row.before for row in group.trials}
    assert before == {0: 1.0, 1: 2.0, 2: 3.0, 3: 4.0, 5: None, 6: None, 7: None}
    assert group.agreement is not None
    assert group.agreement.kendall == pytest.approx(1)
    assert group.agreement.count == 4
    text = to_text(rescore_table(group, 200), 200)
    note = (
        "before: the search's score, fd_lenet of 256 images by ddim in 20 steps; "
        "none of trials 6, 5, 7"
    )
    assert note in text.splitlines()
    rows = {line.split()[1]: line.split() for line in text.splitlines()[4:11]}
    assert rows["0"] == ["2", "0", "1", "1", "1", "1"]
    assert rows["7"] == ["7", "7", "6", "1"]


def test_one_score_before_of_another_embedder_is_left_out(studied: Storage) -> None:
    write(studied, "s", replace(score(5, 9.0), embedder="lenet:2"))
    write(studied, "s", replace(complete(5, 9.0), spec=spec()))
    write(studied, "s", *(again(trial, 1.0 + trial) for trial in (5, 0, 1)))
    (group,) = rescored(studied)
    assert [(row.trial, row.before) for row in group.trials] == [(0, 1.0), (1, 2.0), (5, None)]
    assert "none of trial 5" in to_text(rescore_table(group, 120), 120)


def test_final_runs_among_themselves_have_their_final_scores_before(studied: Storage) -> None:
    for number, value in ((5, 2.0), (6, 1.0), (7, 3.0)):
        run = replace(final(number, 0, value), spec=spec(samples=10_000))
        write(studied, "s", final_score(number, value - 0.1, 1), final_score(number, value + 0.1))
        write(studied, "s", run, again(number, value))
    (group,) = rescored(studied)
    assert [(row.trial, row.before) for row in group.trials] == [(6, 1.0), (5, 2.0), (7, 3.0)]
    assert group.agreement is not None
    text = to_text(rescore_table(group, 120), 120)
    assert "before: the final score, fd_lenet of 10,000 images" in text


def test_without_any_score_before_there_is_no_such_column(studied: Storage) -> None:
    write(studied, "s", again(4, 0.1))
    (group,) = rescored(studied)
    assert group.before_measured is None
    assert "before" not in to_text(rescore_table(group, 120), 120)


def chooser(trial: int, steps: int, sampler: str = "ddim") -> tuple[ScoreRow, TrialRow]:
    """A trial of a search over samplers and steps."""
    section = {"metric": "fd_lenet", "samples": 256, "steps": steps, "sampler": {"kind": sampler}}
    row = replace(
        complete(trial, 1.0 + trial),
        spec={"score": section, "search": {"objectives": ["score"]}},
        picks={"score.steps": steps, "score.sampler": sampler},
    )
    return replace(score(trial, 1.0 + trial), steps=steps, sampler=sampler), row


@pytest.fixture
def choosing(storage: Storage) -> Storage:
    storage.claim("s", "")
    write(storage, "s", *chooser(0, 6), *chooser(1, 5), *chooser(2, 7, "ancestral"))
    return storage


def own(trial: int, value: float, **changes: Any) -> ScoreRow:
    sampler, steps = [("ddim", 6), ("ddim", 5), ("ancestral", 7)][trial]
    return again(trial, value, **{"samples": 40, "sampler": sampler, "steps": steps, **changes})


def test_trials_that_choose_how_they_sample_are_one_group(choosing: Storage) -> None:
    write(choosing, "s", *(own(trial, 2.0 + trial) for trial in range(3)))
    (group,) = rescored(choosing)
    assert [(row.trial, row.before) for row in group.trials] == [(0, 1.0), (1, 2.0), (2, 3.0)]
    assert [row.measured.steps for row in group.trials] == [6, 5, 7]
    assert group.agreement is not None
    assert (group.measured.sampler, group.measured.steps) == (None, None)
    text = to_text(rescore_table(group, 120), 120)
    assert text.startswith("fd_lenet of 40 images by each trial's own sampler\n")
    assert text.splitlines()[2].split()[-2:] == ["sampler", "steps"]
    assert ["3", "2", "4", "1", "3", "3", "ancestral", "7"] in [
        line.split() for line in text.splitlines()
    ]


def test_what_the_rescore_fixed_is_not_mixed_with_what_trials_chose(choosing: Storage) -> None:
    write(choosing, "s", *(own(trial, 2.0 + trial) for trial in range(3)))
    # The same steps for all, which are those that trial 0 chose.
    write(choosing, "s", own(1, 0.5, steps=6), own(2, 0.6, steps=6))
    groups = rescored(choosing)
    assert [[row.trial for row in group.trials] for group in groups] == [[0, 1, 2], [1, 2, 0]]
    assert (groups[1].measured.sampler, groups[1].measured.steps) == (None, 6)
    assert {row.trial: row.seeds for row in groups[1].trials} == {0: 1, 1: 1, 2: 1}
    assert [row.value for row in groups[0].trials] == [2.0, 3.0, 4.0]


def test_final_runs_do_not_choose_what_finalists_fix(choosing: Storage) -> None:
    """A trial of 6 steps and a final run that was scored by 10 are not ranked together."""
    picks = {"score.steps": 6, "score.sampler": "ddim"}
    run = replace(chooser(0, 10)[1], trial=3, stage="final", repeats=0, picks=picks)
    write(choosing, "s", replace(final_score(3, 1.0), steps=10), run)
    write(choosing, "s", own(0, 2.0), again(3, 1.0, samples=40, steps=10))
    assert [[row.trial for row in group.trials] for group in rescored(choosing)] == [[0], [3]]


def test_a_study_that_was_not_rescored(ranked: Storage) -> None:
    assert rescored(ranked) == []
