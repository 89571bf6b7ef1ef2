"""`weights:` in a study file: what it brings, what it rules out."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from study_trees import parse_study, tree

from study.spec import StudyFile, TrainedTrial, UserError, read_study_file, read_study_text
from study.spec.schema import study_schema
from study.spec.yaml_file import dump_yaml

SWEEP: dict[str, Any] = {
    "name": "sweep",
    "weights": {"study": "small", "trial": 12},
    "score": {
        "sampler": {"choice": ["ddim", "ancestral"]},
        "steps": {"int": [2, 9], "log": True},
        "samples": 20,
    },
    "search": {"trials": 20, "objectives": ["score", "steps"]},
}


def filled() -> dict[str, Any]:
    """The plain study of a trial of `tree()`, scored at every third epoch."""
    changed = {**tree(), "score": {**tree()["score"], "every": 3, "also": ["recall"]}}
    branch = parse_study(changed).study
    return branch.model_dump(mode="json")


def trained(study: str, trial: int) -> TrainedTrial:
    if (study, trial) != ("small", 12):
        raise UserError(f"no trial {trial} in study '{study}', which has 0 to 12")
    return TrainedTrial(filled(), "small/checkpoints/trial-0012-epoch-00009.pt", "ab" * 32)


def read(folder: Path, file: dict[str, Any], *overrides: str, **more: Any) -> StudyFile:
    path = folder / "sweep.yaml"
    path.write_text(dump_yaml(file))
    return read_study_file(path, overrides, find_trial=trained, **more)


def sweep(**sections: Any) -> dict[str, Any]:
    """`SWEEP` with keys of its sections replaced."""
    changed = copy.deepcopy(SWEEP)
    for name, values in sections.items():
        changed[name] = {**changed.get(name, {}), **values}
    return changed


def test_what_is_trained_comes_from_the_trial(tmp_path: Path) -> None:
    file = read(tmp_path, SWEEP)
    row = filled()
    plain = file.study.model_dump(mode="json")
    assert {key: plain[key] for key in ("data", "model", "train")} == {
        key: row[key] for key in ("data", "model", "train")
    }
    assert [d.name for d in file.space.dimensions()] == ["score.sampler", "score.steps"]
    # Of the score, what the file leaves out is the trial's, so that the two can be compared.
    assert (file.study.score.metric, file.study.score.also) == ("fd_pixels", ("recall",))
    assert file.study.score.samples == 20
    assert file.study.score.every == 1
    assert file.study.weights is not None
    assert file.study.weights.checkpoint == "small/checkpoints/trial-0012-epoch-00009.pt"
    assert file.study.generated_images == 20


def test_what_is_stored_is_complete_in_itself(tmp_path: Path) -> None:
    file = read(tmp_path, SWEEP)
    again = read_study_text(file.text, "study.yaml")  # with nowhere to look
    assert again.study == file.study
    assert again.text == file.text
    assert again.corners == file.corners
    assert file.study.trial_config()["weights"]["digest"] == "ab" * 32


def test_other_studies_are_what_they_were() -> None:
    study = parse_study(tree()).study
    assert study.weights is None
    assert [*study.trial_config()] == ["data", "model", "train", "score"]


def test_another_metric_brings_its_own_embedder(tmp_path: Path) -> None:
    file = read(tmp_path, sweep(score={"metric": "fd_vae"}))
    assert (file.study.score.metric, file.study.score.embedder) == ("fd_vae", None)
    assert file.study.score.also == ()


def test_overrides_and_overlays_reach_it(tmp_path: Path) -> None:
    whose = {**SWEEP, "weights": {"study": "small", "trial": 99}}
    assert read(tmp_path, whose, "weights.trial=12").study == read(tmp_path, SWEEP).study
    varied = {**whose, "variants": {"good": {"weights": {"trial": 12}}}}
    study = read(tmp_path, varied, variant="good").study
    assert study.name == "sweep-good"
    assert study.weights == read(tmp_path, SWEEP).study.weights


BESIDE = "cannot stand beside `weights`: "

MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"weights": {"trial": 13}}, "weights: no trial 13 in study 'small', which has 0 to 12"),
    ({"weights": {"trial": -1}}, "weights.trial: -1 must be greater than or equal to 0"),
    ({"weights": {"trial": {"choice": [1]}}}, "weights.trial: {'choice': [1]} must be a valid"),
    ({"weights": {"tral": 1}}, "weights.tral: unknown key; did you mean `trial`?"),
    ({"weights": {"digest": "ab"}}, "weights.checkpoint: is missing beside `digest`"),
    ({"train": {"epochs": {"int": [1, 2]}}}, f"train: {BESIDE}data, model and train are those"),
    ({"model": {"family": "ddpm"}}, f"model: {BESIDE}"),
    ({"data": {"dataset": "digits"}}, f"data: {BESIDE}"),
    ({"finalists": {"top": 2}}, f"finalists: {BESIDE}finalists are trained again"),
    ({"score": {"every": 2}}, f"score.every: {BESIDE}"),
    ({"score": {"samples": {"int": [2, 9]}}}, "only in score.sampler and score.steps: with `we"),
    ({"score": {"steps": {"int": [2, 200]}}}, "score.steps: 200 must be <= `model.timesteps`"),
    ({"score": {"sampler": "generator"}}, "'generator' cannot sample the family 'ddpm'"),
]


@pytest.mark.parametrize(("sections", "rule"), MISTAKES, ids=lambda value: str(value)[:40])
def test_a_mistake_is_one_line(tmp_path: Path, sections: dict[str, Any], rule: str) -> None:
    with pytest.raises(UserError) as caught:
        read(tmp_path, sweep(**sections))
    assert rule in str(caught.value)
    assert str(tmp_path / "sweep.yaml:") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_stored_file_may_not_gain_holes_elsewhere(tmp_path: Path) -> None:
    stored = read(tmp_path, SWEEP).text.replace("epochs: 9", "epochs: {int: [1, 9]}")
    with pytest.raises(UserError, match=r"train\.epochs: a hole cannot stand here.*nothing is tr"):
        read_study_text(stored, "study.yaml")


def test_without_a_storage_it_says_so() -> None:
    with pytest.raises(UserError, match=r"sweep:2: weights: needs a storage .* --storage"):
        read_study_text(dump_yaml(SWEEP), "sweep")


def test_it_is_in_the_schema() -> None:
    validator = Draft202012Validator(study_schema())
    validator.validate(SWEEP)
    assert not validator.is_valid({key: SWEEP[key] for key in ("name", "score", "search")})
    assert not validator.is_valid(sweep(weights={"trail": 3}))
