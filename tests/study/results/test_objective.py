from __future__ import annotations

from dataclasses import replace

import pytest
from ledger_rows import complete, final, final_score, pruned, score, spec

from study.results.objective import (
    final_scores,
    full_score,
    objective_by_epoch,
    objective_score,
    objectives,
)
from study.results.tables import ScoreRow


def test_the_last_scored_epoch_counts_and_not_the_last_reported_one() -> None:
    """A trial may be stopped, or interrupted, some epochs after its last score."""
    scores = [score(0, 9.0, epoch=2), score(0, 5.0, epoch=4)]
    assert objective_score(pruned(0, 5.0, epoch=6), scores) == scores[1]
    assert [*objective_by_epoch(pruned(0, 5.0, epoch=6), scores)] == [2, 4]


def test_two_epochs_with_one_value_are_told_apart() -> None:
    scores = [score(0, 5.0, epoch=2), replace(score(0, 5.0, epoch=4), spread=0.1)]
    assert objective_score(complete(0, 5.0, epoch=4), scores) == scores[1]


def test_what_is_measured_beside_it_is_not_the_objective() -> None:
    beside = replace(score(0, 5.0), metric="recall")
    trial = complete(0, 5.0)
    own = score(0, 5.0)
    assert objective_score(replace(trial, spec=spec()), [beside, own]) == own
    # A ledger that does not say what the metric is: the objective is appended first.
    assert objective_score(trial, [own, beside]) == own


def test_a_cheap_rung_has_a_metric_of_its_own() -> None:
    cheap = replace(score(0, 0.1, epoch=1), metric="sliced_wasserstein")
    assert objective_score(replace(pruned(0, 0.1), spec=spec()), [cheap]) == cheap


def test_scores_of_other_stages_trials_and_later_epochs_do_not_count() -> None:
    again = replace(score(0, 1.0), stage="rescore")
    others = [again, final_score(0, 1.0), score(1, 1.0), score(0, 1.0, epoch=9)]
    assert objective_score(complete(0, 1.0, epoch=4), others) is None


def test_of_two_scores_of_one_key_the_one_appended_last_counts() -> None:
    before, after = score(0, 1.0), replace(score(0, 2.0), embedder="lenet:2")
    assert objective_score(complete(0, 2.0), [before, after]) == after


def test_a_final_runs_scores_are_of_its_own_metric_and_its_last_epoch() -> None:
    run = replace(final(3, 0), spec=spec(samples=10_000))
    own = [final_score(3, 1.0, seed) for seed in (0, 1)]
    others: list[ScoreRow] = [
        replace(final_score(3, 0.1), metric="recall"),
        replace(final_score(3, 9.0), epoch=2),
        replace(final_score(3, float("nan")), seed=2),
        score(3, 1.0),
    ]
    assert final_scores(run, [*others, *own]) == own


@pytest.mark.parametrize(
    ("metric", "embedder", "name"),
    [
        ("fd", "inception_clean", "fd_inception_clean"),
        ("fd", "package.module:Name", "fd_custom"),
        ("fid", None, "fid"),
        ("kid_vae", None, "kid_vae"),
    ],
)
def test_the_metric_is_known_by_the_name_that_rows_have(
    metric: str, embedder: str | None, name: str
) -> None:
    tree = spec(metric)
    tree["score"]["embedder"] = embedder
    assert full_score(replace(complete(0, 1.0), spec=tree)) == (name, 256)


def test_a_trial_that_does_not_say_what_is_measured_or_minimised() -> None:
    assert full_score(complete(0, 1.0)) is None
    assert objectives([complete(0, 1.0)]) == ("score",)
    both = replace(complete(1, 1.0), spec=spec(objectives=("score", "steps")))
    assert objectives([complete(0, 1.0), both]) == ("score", "steps")
