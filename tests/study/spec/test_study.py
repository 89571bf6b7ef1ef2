from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from specs import plain, study
from study_trees import changed, parse_study, quickly, tree

from study.spec import Study, StudyFile
from study.spec.holes import Choice, Label
from study.spec.section import Misfit
from study.spec.study import Scale
from study.spec.tree import Dimension


def drawn(study_file: StudyFile, seed: int) -> dict[str, Label]:
    source = random.Random(seed)

    def choose(dimension: Dimension) -> Label:
        hole = dimension.hole
        if isinstance(hole, Choice):
            return source.choice(hole.labels)
        value = hole.low * (hole.high / hole.low) ** source.random()
        return round(value) if hole.kind == "int" else min(value, hole.high)

    return study_file.space.fill(choose).picks


@quickly
@given(st.integers(0, 10**6))
def test_a_filled_study_survives_json(seed: int) -> None:
    study_file = parse_study(tree())
    spec = study_file.spec(drawn(study_file, seed))
    again = Study.model_validate(spec.model_dump(mode="json"))
    assert again == spec
    assert again.digest() == spec.digest()


@quickly
@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_digests_tell_configurations_apart(one: int, other: int) -> None:
    study_file = parse_study(tree())
    first, second = (study_file.spec(drawn(study_file, seed)) for seed in (one, other))
    assert (first.digest() == second.digest()) == (first.trial_config() == second.trial_config())


def test_the_digest_is_the_trials_alone() -> None:
    study = parse_study(tree()).study
    renamed = parse_study({**tree(), "name": "other", "scale": {"lanes": 2}}).study
    assert renamed.digest() == study.digest()
    assert parse_study(changed(score={"seed": 1})).study.digest() != study.digest()


def test_what_a_trial_measures_is_its_scores_in_order() -> None:
    rungs = [{"until": 2, "samples": 10}, {"epochs": 2}]
    spec = study(train={"epochs": 5}, score={"samples": 64, "every": rungs})
    assert [score.samples for score in spec.scores] == [10, 10, 64, 64]
    assert spec.generated_images == 10 + 10 + 64 + 64


def test_a_final_runs_study_differs_in_its_score_alone() -> None:
    spec = study(score={"every": [{"until": 1, "samples": 8}, {"epochs": 2}]})
    again = {"samples": 100, "steps": 7, "sampler": "dpm_solver", "also": ["kid"]}
    whole = Study.model_validate({**spec.model_dump(mode="json"), "finalists": again})
    final = whole.final()
    assert final.finalists is None
    assert (final.score.samples, final.score.steps, final.score.also) == (100, 7, ("kid",))
    assert final.score.every == 2  # as often as the search's last rung, for what is gone on from
    assert final.model_copy(update={"score": spec.score}) == spec
    assert whole.final_sampling.text == final.sampling.text == "dpm_solver"
    assert spec.final_sampling == spec.sampling
    assert whole.scorings == {"score": whole.score, "finalists": final.score}
    assert spec.scorings == {"score": spec.score}


def test_finals_that_leave_everything_take_the_searchs_score() -> None:
    spec = Study.model_validate({**plain(score={"also": ["recall"]}), "finalists": {}})
    assert spec.final().score == spec.score


def test_a_final_score_that_cannot_be_is_refused() -> None:
    # Parsing refuses such a study: made past it, it is refused when the final run is made.
    spec = Study.model_validate({**plain(), "finalists": {}})
    assert spec.finalists is not None

    def finals(**changes: object) -> Study:
        changed = spec.finalists.model_copy(update=changes)  # type: ignore[union-attr]
        return spec.model_copy(update={"finalists": changed}).final()

    with pytest.raises(ValidationError, match="`metric: fd` needs an embedder"):
        finals(metric="fd")
    with pytest.raises(Misfit, match=r"51 must be <= `model.timesteps`"):
        finals(steps=51)


def test_several_gpus_are_handed_out_whole() -> None:
    assert Scale(gpus_per_worker=0.5).gpus_per_worker == 0.5
    assert Scale(gpus_per_worker=2.0).gpus_per_worker == 2
    with pytest.raises(ValidationError, match=r"1.5 must be a whole number, as it is above 1"):
        Scale(gpus_per_worker=1.5)
