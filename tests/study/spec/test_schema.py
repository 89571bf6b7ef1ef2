from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from paths import SEARCH_SPACES
from pydantic import BaseModel
from study_trees import changed, tree

from study.spec import Study
from study.spec.complaints import _sections
from study.spec.schema import study_schema
from study.spec.yaml_file import read_yaml

VALIDATOR = Draft202012Validator(study_schema())
SPACES = sorted(SEARCH_SPACES.glob("*.yaml"))


def sections(section: type[BaseModel]) -> Iterator[type[BaseModel]]:
    yield section
    for field in section.model_fields.values():
        for below in _sections(field.annotation):
            yield from sections(below)


@pytest.mark.slow
def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(study_schema())
    assert yaml.safe_load(yaml.safe_dump(study_schema())) == study_schema()  # plain values only


@pytest.mark.parametrize("path", SPACES, ids=lambda path: path.stem)
def test_study_files_are_valid(path: Path) -> None:
    VALIDATOR.validate(read_yaml(path).tree)


def test_there_is_a_study_file() -> None:
    assert SPACES


def test_what_the_readme_shows_is_valid() -> None:
    shown = re.findall(r"```yaml\n(.*?)```", (SEARCH_SPACES.parent / "README.md").read_text(), re.S)
    assert len(shown) >= 4
    for text in shown:
        part = yaml.safe_load(text)
        VALIDATOR.validate(part if "name" in part else {**tree(), "variants": {"part": part}})


@pytest.mark.parametrize(
    "file",
    [
        tree(),
        changed(search={"pruner": "asha"}),
        changed(search={"pruner": {"kind": "hyperband", "min_epochs": 2}}),
        changed(search={"enqueue": [{"train.batch_size": 32}], "objectives": ["score"]}),
        changed(train={"clip_norm": {"float": [0.1, 1]}, "optimizer": {"choice": ["adam", "sgd"]}}),
        changed(train={"epochs": {"int": [2, 10], "step": 2}, "clip_norm": None}),
        changed(model={"network": {"choice": [{"kind": "unet", "channels": [8]}]}}),
        {**tree(), "model": {"choice": [tree()["model"]]}},
        {**tree(), "model": {"choice": {"mine": tree()["model"]}}},
        changed(model={"network": "cnn", "loss": "l1", "schedule": "sigmoid"}),
        changed(model={"loss": {"choice": ["l1", {"kind": "huber", "delta": {"float": [1, 2]}}]}}),
        changed(train={"optimizer": {"kind": "adam", "betas": {"choice": [[0.5, 0.9]]}}}),
        changed(data={"split": {"kind": "k_fold", "fold": {"int": [0, 4]}}}),
        changed(score={"sampler": {"choice": ["ddim", {"kind": "ancestral"}]}}),
        changed(score={"sampler": "ancestral", "steps": {"int": [5, 50]}, "against": "everything"}),
        {**tree(), "model": {"family": "gan", "discriminator": {"kind": "dcgan", "norm": "layer"}}},
        {**tree(), "smoke": {"train": {"epochs": 1}, "model": {"network": {"channels": [8]}}}},
        {**tree(), "variants": {"a": {"data": {"edges": "sobel"}, "smoke": {"name": "b"}}}},
        {**tree(), "scale": {"lanes": 2, "gpus_per_worker": 0.25}},
        {**tree(), "scale": {"gpus_per_worker": 4}},
        changed(train={"learning_rate": {"int": [1, 2]}}),
        changed(train={"batch_size": {"int": [8, 64], "log": True}}),
        changed(score={"metric": "fd", "embedder": "my.module:Net", "also": ["recall", "kid"]}),
        changed(score={"metric": "fd_pixels", "embedder": "pixels"}),
        changed(data={"dataset": "data/cats", "size": 16, "count": 9, "fraction": None}),
        changed(data={"split": {"kind": "k_fold", "folds": 9, "fold": 7}}),
        changed(search={"sampler": "cma-es", "pruner": {"kind": "threshold", "upper": 3}}),
        changed(search={"objectives": ["score", "parameters"], "pruner": "none"}),
        {"name": "sweep", "weights": {"study": "a", "trial": 1}, "search": {"trials": 2}},
        {
            **tree(),
            "weights": {"study": "a", "trial": 1, "checkpoint": "c", "digest": "d"},
        },
        {
            **tree(),
            "model": {"choice": [{"family": "gan"}, tree()["model"]]},
            "score": {"sampler": "auto"},
        },
        {**tree(), "model": {"family": "gan", "loss": "wasserstein", "penalty": "clip"}},
        {
            **changed(data={"split": "leave_one_out"}),
            "score": {"against": "everything", "samples": 16},
        },
    ],
)
def test_what_may_be_written_is_valid(file: dict[str, Any]) -> None:
    VALIDATOR.validate(file)


@pytest.mark.parametrize(
    "file",
    [
        changed(train={"epoch": 3}),
        changed(train={"epochs": "many"}),
        changed(train={"epochs": 2.5}),
        changed(train={"epochs": {"float": [1, 2]}}),
        changed(train={"epochs": {"int": [1]}}),
        changed(train={"epochs": {"int": [1, 2], "lag": True}}),
        changed(train={"batch_size": {"choice": []}}),
        changed(data={"size": {"int": [8, 16]}}),
        changed(data={"dataset": {"choice": ["digits"]}}),
        changed(score={"samples": {"int": [8, 16]}}),
        changed(search={"trials": {"int": [8, 16]}}),
        changed(search={"sampler": "tpa"}),
        changed(search={"pruner": "ash"}),
        changed(search={"pruner": {"kind": "asha", "patience": 3}}),
        changed(model={"schedule": {"kind": "sigmoidal"}}),
        changed(model={"schedule": {"choice": [{"kind": "cosine", "beta": 0.1}]}}),
        {**tree(), "nonsense": 1},
        changed(model={"loss": "l3"}),
        changed(model={"network": "custom"}),  # which needs a path
        changed(data={"edges": {"choice": ["sobel"]}}),
        changed(score={"against": {"choice": ["everything"]}}),
        {**tree(), "smoke": {"train": {"epoch": 1}}},
        {**tree(), "smoke": {"smoke": {}}},
        {**tree(), "variants": {"a": {"nonsense": 1}}},
        {**tree(), "variants": {"a": {"model": {"network": {"channels": "many"}}}}},
        {key: value for key, value in tree().items() if key != "train"},
    ],
)
def test_mistakes_are_not_valid(file: dict[str, Any]) -> None:
    assert not VALIDATOR.is_valid(file)


def test_every_key_is_in_the_schema() -> None:
    schema = study_schema()
    definitions = {"Study": schema, **schema["$defs"]}
    seen = {*sections(Study)}
    for section in seen:
        assert set(section.model_fields) <= set(definitions[section.__name__]["properties"])
    assert {section.__name__ for section in seen} >= {"Data", "Train", "AshaPruner", "UNet"}
