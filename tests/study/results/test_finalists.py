from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from ledger_rows import complete, final, final_score, running, score, spec, write

from study.results.finalists import Finals, rank_finalists
from study.results.finalists_table import finals_table
from study.results.leaderboard import read_leaderboard
from study.results.reader import read_study
from study.results.render import to_text
from study.results.storage import Storage
from study.results.tables import Row
from study.spec.errors import UserError

# Scores of the final runs: trial of the search, run, sampling seed.
SCORES = {
    0: [[4.0, 4.1], [4.3, 4.2]],
    1: [[3.0, 3.1], [3.3, 3.2], [2.9, 3.0]],
    2: [[3.1, 3.0], [3.2, 3.3]],
    5: [[6.0, 6.1]],
}


def finals(storage: Storage) -> Finals | None:
    rows = read_study(storage, "s")
    return rank_finalists(rows.trials, rows.scores)


def search(trial: int) -> list[Row]:
    value = 2.0 + trial
    row = replace(complete(trial, value, lr=0.1 * trial, same=1), spec=spec())
    return [replace(score(trial, value), spread=0.1), row]


@pytest.fixture
def finished(storage: Storage) -> Storage:
    storage.claim("s", "")
    rows = [row for trial in SCORES for row in search(trial)]
    number = 6
    for repeats, runs in SCORES.items():
        for scores in runs:
            beside = replace(final_score(number, 0.5), metric="recall", reference="other")
            early = replace(final_score(number, 9.0), epoch=2)
            rows += [beside, early]
            rows += [final_score(number, value, seed) for seed, value in enumerate(scores)]
            run = final(number, repeats, lr=0.1 * repeats, same=1)
            rows.append(replace(run, spec=spec(samples=10_000)))
            number += 1
    write(storage, "s", *rows)
    return storage


def test_finalists_stand_by_the_mean_of_their_runs(finished: Storage) -> None:
    found = finals(finished)
    assert found is not None
    assert [row.trial for row in found.finalists] == [1, 2, 0, 5]
    assert [row.standing.rank for row in found.finalists] == [1, 1, 3, 4]
    assert [row.search_value for row in found.finalists] == [3.0, 4.0, 2.0, 7.0]
    assert found.finalists[0].search_spread == 0.1
    assert [run.trial for run in found.finalists[0].runs] == [10, 8, 9]  # best mean first
    assert found.finalists[0].runs[0].scores == {0: 2.9, 1: 3.0}
    assert found.finalists[0].standing.mean == pytest.approx((3.05 + 3.25 + 2.95) / 3)
    assert (found.unfinished, found.failed) == (0, 0)


def test_the_search_score_is_compared_with_the_final_one(finished: Storage) -> None:
    """Orders 1, 2, 0, 5 and 0, 1, 2, 5: of six pairs two are reversed."""
    found = finals(finished)
    assert found is not None
    assert found.agreement is not None
    assert found.agreement.kendall == pytest.approx((4 - 2) / 6)
    assert found.agreement.count == 4


def test_the_best_run_of_the_best_finalist_leads(finished: Storage) -> None:
    lead = read_leaderboard(finished, "s").leader
    assert lead is not None
    assert (lead.trial, lead.run, lead.epoch, lead.final) == (1, 10, 4, True)


def test_the_table(finished: Storage) -> None:
    found = finals(finished)
    assert found is not None
    for width in (80, 120):
        text = to_text(finals_table(found, width), width)
        assert max(map(len, text.splitlines())) <= width
    lines = text.splitlines()
    assert "fd_lenet of 10,000 images by ddim in 20 steps" in lines[0]
    assert lines[2].split() == ["rank", "trial", "mean", "interval", "seeds", "search", "lr"]
    first, *_, last = (line.split() for line in lines[4:8])
    assert first[:2] == ["1=", "1"]
    assert first[6:] == ["3", "x", "2", "3.00", "±", "0.20", "0.1"]
    low, high = float(first[3]), float(first[5])
    assert low < float(first[2]) < high
    assert last[0] == "4"
    told = " ".join(lines)
    assert "standard deviation of the score over seeds: training" in told
    assert "(df 4)" in told
    assert "(df 8)" in told
    assert "Kendall's tau 0.33" in told


def test_runs_that_are_not_finished_or_failed_are_counted_alone(finished: Storage) -> None:
    failed = replace(final(20, 0), state="failed", value=None, reason="out of memory")
    unfinished = replace(running(21), stage="final", repeats=0)
    write(finished, "s", failed, unfinished, final_score(21, 0.1))
    found = finals(finished)
    assert found is not None
    assert (found.unfinished, found.failed) == (1, 1)
    assert [row.standing.runs for row in found.finalists] == [3, 2, 2, 1]
    assert "do not count: 1 not finished, 1 failed" in to_text(finals_table(found, 120), 120)


@pytest.mark.parametrize(
    ("field", "value"), [("samples", 512), ("steps", 9), ("reference", "r"), ("weights", "trained")]
)
def test_final_scores_of_two_identities_are_not_ranked(
    finished: Storage, field: str, value: Any
) -> None:
    other: Row = replace(final_score(30, 2.0), **{field: value})
    write(finished, "s", other, final(30, 0))
    with pytest.raises(UserError, match=f"Trials 6 and 30 .*`{field}`"):
        finals(finished)


def test_a_study_without_final_runs_has_none(ranked: Storage) -> None:
    assert finals(ranked) is None


def test_final_runs_without_a_score_yet(storage: Storage) -> None:
    storage.claim("s", "")
    write(storage, "s", *search(0), replace(running(1), stage="final", repeats=0))
    found = finals(storage)
    assert found is not None
    assert (found.finalists, found.split, found.unfinished) == ((), None, 1)
    text = to_text(finals_table(found, 80), 80)
    assert text == "finalists are being trained again: 1 not finished"
    lead = read_leaderboard(storage, "s").leader
    assert lead is not None
    assert (lead.trial, lead.run, lead.final) == (0, 0, False)


def test_one_training_seed_has_no_interval(storage: Storage) -> None:
    storage.claim("s", "")
    write(storage, "s", *search(0), *search(1))
    for run in (2, 3):
        write(storage, "s", final_score(run, float(run)), final(run, run - 2))
    found = finals(storage)
    assert found is not None
    text = to_text(finals_table(found, 80), 80)
    assert "no interval" in text
    assert ".." not in text
    assert "standard deviation" not in text
    assert found.agreement is None


def test_a_candidate_of_few_seeds_may_still_be_the_best(storage: Storage) -> None:
    """Many runs tell the second from the best, one run does not tell the worst from it."""
    storage.claim("s", "")
    number = 9
    for trial, (runs, offset) in {0: (8, 0.0), 1: (8, 0.1), 2: (1, 0.18)}.items():
        write(storage, "s", *search(trial))
        for run in range(runs):
            value = 2 * math.exp(offset + 0.1 * (run % 2))
            write(storage, "s", final_score(number, value), final(number, trial))
            number += 1
    found = finals(storage)
    assert found is not None
    ranks = [(row.standing.rank, row.standing.contends) for row in found.finalists]
    assert ranks == [(1, True), (2, False), (2, True)]
    assert "too few seeds to tell trial 2 apart" in to_text(finals_table(found, 80), 80)


def test_what_finalists_override_is_no_column(storage: Storage) -> None:
    """All final runs are by 10 steps, whatever the search chose; the rate is still theirs."""
    storage.claim("s", "")
    for trial, steps in enumerate((6, 5)):
        picks = {"score.steps": steps, "score.sampler.ddim.eta": trial / 2, "train.lr": 0.1 * trial}
        settings = {"metric": "fd_lenet", "samples": 256, "sampler": {"eta": trial / 2}}
        for number, made in ((trial, steps), (trial + 2, 10)):
            row = complete(number, 1.0 + trial)
            row = replace(row, spec={"score": {**settings, "steps": made}})
            row = replace(row, picks=picks)
            if number == trial:
                write(storage, "s", replace(score(number, 1.0 + trial), steps=made), row)
                continue
            again = replace(score(number, 1.0 + trial), stage="final", steps=made)
            write(storage, "s", again, replace(row, stage="final", repeats=trial))
    found = finals(storage)
    assert found is not None
    assert found.overridden == {"steps"}
    assert found.finalists[0].picks["score.steps"] == 6  # that of the search is still known
    lines = to_text(finals_table(found, 120), 120).splitlines()
    assert "in 10 steps" in lines[0]
    assert lines[2].split()[-2:] == ["eta", "lr"]


def test_finalists_of_several_families_have_no_one_sampler(storage: Storage) -> None:
    """With `sampler: auto` each family has its own, and the title must not name one of them."""
    storage.claim("s", "")
    rows: list[Row] = []
    for trial, sampler in enumerate(("ddim", "improved")):
        own = {"score.sampler.kind": "auto"}
        rows.append(replace(complete(trial, 2.0 + trial), spec=spec(), config=own))
        rows.append(replace(score(trial, 2.0 + trial), sampler=sampler))
        for number in (2 + 2 * trial, 3 + 2 * trial):
            rows.append(replace(final(number, trial), spec=spec(samples=10_000), config=own))
            rows.append(replace(final_score(number, 2.0 + trial + number / 50), sampler=sampler))
    write(storage, "s", *rows)
    found = finals(storage)
    assert found is not None
    title = to_text(finals_table(found, 120), 120).splitlines()[0]
    assert "by each trial's own sampler in 20 steps" in title
