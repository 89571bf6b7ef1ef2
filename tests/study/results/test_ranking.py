from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_rows import complete, final, final_score, pruned, score, spec, write

from study.results.ranking import RankedTrial, UnrankedTrial, rank_trials
from study.results.reader import read_study
from study.results.storage import Storage
from study.results.summary import summarise_study
from study.spec.errors import UserError


def rank(storage: Storage) -> tuple[tuple[RankedTrial, ...], tuple[UnrankedTrial, ...]]:
    rows = read_study(storage, "s")
    return rank_trials(rows.trials, rows.scores)


def best(storage: Storage) -> tuple[RankedTrial, ...]:
    return rank(storage)[0]


def test_complete_before_pruned_before_worse(ranked: Storage) -> None:
    rows = best(ranked)
    assert [(row.rank, row.trial, row.state) for row in rows] == [
        (1, 1, "complete"),
        (2, 2, "pruned"),
        (3, 0, "complete"),
    ]
    assert rows[0].config == {"lr": 0.01, "size": 28}
    assert rows[1].epoch == 1
    assert rows[0].seconds == 35.0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("metric", "fid"),
        ("samples", 512),
        ("sampler", "ancestral"),
        ("steps", None),
        ("embedder", "lenet:2"),
        ("reference", "mnist:2"),
        ("weights", "trained"),
    ],
)
def test_scores_of_two_identities_are_not_ranked(storage: Storage, field: str, value: Any) -> None:
    storage.claim("s", "")
    other = replace(score(1, 2.0), **{field: value})
    write(storage, "s", score(0, 1.0), complete(0, 1.0), other, complete(1, 2.0))
    with pytest.raises(UserError, match=f"Trials 0 and 1 .*`{field}`") as caught:
        best(storage)
    assert repr(value) in str(caught.value)
    assert summarise_study(storage, "s").best is None


@pytest.mark.parametrize(
    ("picks", "config"),
    [({"score.steps": 20}, {}), ({}, {"score__sampler__kind": "auto"})],
    ids=["searched", "the family's own"],
)
def test_a_sampler_that_belongs_to_the_trial_does_not_keep_it_from_the_ranking(
    storage: Storage, picks: dict[str, Any], config: dict[str, Any]
) -> None:
    storage.claim("s", "")
    other = replace(score(1, 2.0), sampler="improved", steps=10)
    trials = [replace(complete(trial, trial + 1.0, **config), picks=picks) for trial in (0, 1)]
    write(storage, "s", score(0, 1.0), trials[0], other, trials[1])
    assert [row.trial for row in best(storage)] == [0, 1]

    fixed = replace(score(2, 3.0), reference="mnist:2")  # anything else still does
    write(storage, "s", fixed, replace(complete(2, 3.0, **config), picks=picks))
    with pytest.raises(UserError, match=r"Trials 0 and 2 .*`reference`"):
        best(storage)


def test_seed_and_stage_are_no_part_of_the_identity(storage: Storage) -> None:
    storage.claim("s", "")
    final = replace(score(0, 1.1), stage="final", sampler="ancestral", steps=1000)
    other = replace(score(1, 2.0), seed=7)
    write(storage, "s", score(0, 1.0), final, complete(0, 1.0), other, complete(1, 2.0))
    assert [row.trial for row in best(storage)] == [0, 1]


def test_a_trial_may_go_on_after_its_last_score_and_have_others(storage: Storage) -> None:
    storage.claim("s", "")
    beside = replace(score(0, 0.5), metric="kid")
    write(storage, "s", score(0, 9.0, epoch=2), score(0, 5.0, epoch=4), beside, pruned(0, 5.0, 6))
    write(storage, "s", score(1, 3.0), complete(1, 3.0))
    assert [(row.trial, row.epoch) for row in best(storage)] == [(1, 4), (0, 6)]


def test_a_value_without_a_score_is_not_ranked(storage: Storage) -> None:
    storage.claim("s", "")
    write(storage, "s", complete(0, 1.0))
    with pytest.raises(UserError, match="Trial 0 cannot be ranked: no score says"):
        best(storage)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=12))
def test_ranks_are_sorted_and_complete(values: list[float]) -> None:
    trials = [complete(i, v) for i, v in enumerate(values)]
    rows, unranked = rank_trials(trials, [score(i, v) for i, v in enumerate(values)])
    assert [row.value for row in rows] == sorted(values)
    assert [row.rank for row in rows] == list(range(1, len(values) + 1))
    assert unranked == ()


def test_the_best_and_who_is_not_told_apart_from_it_are_tied(storage: Storage) -> None:
    """By hand: 1.96 * sqrt(0.1^2 + 0.1^2) = 0.277, 1.96 * sqrt(0.1^2 + 0.5^2) = 0.9994."""
    storage.claim("s", "")
    spreads = [(1.0, 0.1), (1.27, 0.1), (1.28, 0.1), (1.99, 0.5), (2.01, 0.5), (2.0, None)]
    for trial, (value, spread) in enumerate(spreads):
        row = replace(score(trial, value), spread=spread)
        write(storage, "s", row, complete(trial, value))
    tied = {row.trial: row.tied for row in best(storage)}
    assert tied == {0: True, 1: True, 2: False, 3: True, 4: False, 5: False}
    assert [row.rank for row in best(storage)] == [1, 2, 3, 4, 5, 6]


def test_a_leader_alone_is_not_tied(storage: Storage) -> None:
    storage.claim("s", "")
    for trial in (0, 1):
        row = replace(score(trial, trial + 1.0), spread=0.1)
        write(storage, "s", row, complete(trial, trial + 1.0))
    assert not any(row.tied for row in best(storage))


def test_trials_pruned_at_a_cheaper_rung_are_not_ranked(storage: Storage) -> None:
    storage.claim("s", "")
    few = replace(score(1, 0.5, epoch=1), samples=64)
    cheap = replace(score(2, 0.1, epoch=1), metric="sliced_wasserstein", embedder="none")
    trials = [complete(0, 1.0), pruned(1, 0.5), pruned(2, 0.1), pruned(3, 3.0, 3), complete(4, 2.0)]
    scores = [score(0, 1.0), few, cheap, score(3, 3.0, epoch=3), score(4, 2.0)]
    write(storage, "s", *scores, *(replace(trial, spec=spec()) for trial in trials))
    ranked, unranked = rank(storage)
    assert [row.trial for row in ranked] == [0, 4, 3]
    assert [(row.trial, row.metric, row.samples, row.epoch) for row in unranked] == [
        (1, "fd_lenet", 64, 1),
        (2, "sliced_wasserstein", 256, 1),
    ]
    best = summarise_study(storage, "s").best
    assert best is not None
    assert best.trial == 0


def test_a_complete_trial_of_fewer_images_is_an_error(storage: Storage) -> None:
    storage.claim("s", "")
    trials = [replace(complete(trial, trial + 1.0), spec=spec()) for trial in (0, 1)]
    write(storage, "s", score(0, 1.0), replace(score(1, 2.0), samples=64), *trials)
    with pytest.raises(UserError, match=r"Trials 0 and 1 .*`samples`, 256 and 64"):
        best(storage)


def test_a_pruned_trial_of_another_reference_is_an_error(storage: Storage) -> None:
    storage.claim("s", "")
    trials = [replace(row, spec=spec()) for row in (complete(0, 1.0), pruned(1, 2.0, 4))]
    write(storage, "s", score(0, 1.0), replace(score(1, 2.0), reference="mnist:2"), *trials)
    with pytest.raises(UserError, match=r"Trials 0 and 1 .*`reference`"):
        best(storage)


def test_what_is_measured_beside_the_objective_does_not_disturb(storage: Storage) -> None:
    """Not even if it has the same value at a later epoch."""
    storage.claim("s", "")
    for trial in (0, 1):
        beside = replace(score(trial, 1.0, epoch=9), metric="recall", samples=99 + trial)
        row = replace(complete(trial, 1.0), spec=spec())
        write(storage, "s", score(trial, 1.0, epoch=4), beside, row)
    assert [row.trial for row in best(storage)] == [0, 1]


@pytest.mark.parametrize(
    ("asked", "embedder", "named"),
    [
        ("fd", "inception_clean", "fd_inception_clean"),
        ("fd", "package.module:Name", "fd_custom"),
        ("fid", None, "fid"),
        ("kid_vae", None, "kid_vae"),
    ],
)
def test_the_metric_is_known_by_the_name_that_rows_have(
    storage: Storage, asked: str, embedder: str | None, named: str
) -> None:
    storage.claim("s", "")
    asks = spec(asked)
    asks["score"]["embedder"] = embedder
    full = replace(score(0, 2.0), metric=named)
    early = replace(score(1, 1.0, epoch=1), metric="sliced_wasserstein")
    trials = [replace(row, spec=asks) for row in (complete(0, 2.0), pruned(1, 1.0))]
    write(storage, "s", full, early, *trials)
    ranked, unranked = rank(storage)
    assert ([row.trial for row in ranked], len(unranked)) == ([0], 1)


def test_final_runs_take_no_part(storage: Storage) -> None:
    storage.claim("s", "")
    write(storage, "s", score(0, 5.0), complete(0, 5.0), final_score(1, 4.0), final(1, 0, 4.0))
    assert [row.trial for row in best(storage)] == [0]
