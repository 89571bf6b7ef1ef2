from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from study.spec import UserError
from study.spec.schema import study_schema
from study.spec.schema_section import section_schema


@pytest.mark.parametrize(
    ("path", "good", "bad"),
    [
        ("train", {"epochs": 2, "learning_rate": 1}, {"epochs": 0, "learning_rate": 1}),
        ("train.optimizer", "adam", "adagrad"),
        ("train.optimizer", {"kind": "sgd", "momentum": 0.5}, {"kind": "sgd", "betas": [0, 0]}),
        ("train.optimizer", {"choice": ["adam", "sgd"]}, {"choice": []}),
        ("train.optimizer.betas", [0.5, 0.9], 3),
        ("train.optimizer.sgd", {"kind": "sgd"}, {"kind": "adam"}),
        ("train.optimizer.sgd.momentum", {"float": [0, 0.5]}, 2),
        ("model.schedule.beta_end", 0.02, 2),
        ("model.schedule.cosine.max_beta", 0.5, 2),
        ("model.ddpm.prediction", "v", "w"),
        ("model.loss", "hinge", "l3"),  # a GAN's
        ("model.loss", "l1", "l3"),  # a DDPM's
        ("score.every", [{"epochs": 2}], [{"epoch": 2}]),
        ("score.every.metric", "fid", "FID"),
        ("search.pruner.patience", 3, -1),
        ("search.trials", 3, 0),
        ("smoke.train.epochs", 1, 0),
        ("variants", {"a": {"train": {"epochs": 1}}}, {"a": {"tran": {}}}),
        ("scale", {}, {"gpus": 1}),
    ],
)
def test_the_schema_of_a_section_is_that_of_the_file(path: str, good: Any, bad: Any) -> None:
    schema = section_schema(path)
    assert schema["title"] == path
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    assert validator.is_valid(good)
    assert not validator.is_valid(bad)


def test_it_holds_what_it_refers_to_and_no_more() -> None:
    schema = section_schema("train.optimizer")
    assert {*schema["$defs"]} == {"Adam", "AdamW", "SGD", "FloatHole", "IntHole"}
    assert "$defs" not in section_schema("search.trials")


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("trian", "trian: there is no `trian` in a study file; did you mean `train`?"),
        (
            "train.optimzer",
            "train.optimzer: there is no `optimzer` in `train`; did you mean `optimizer`?",
        ),
        ("train.epochs.x", "train.epochs.x: train.epochs is a value, and has no `x` inside"),
        ("train..epochs", "train..epochs: there is no `` in `train`; known are epochs, batch_size"),
        ("scale.zzz", "scale.zzz: there is no `zzz` in `scale`; known are workers_per_trial, cpus"),
    ],
)
def test_a_wrong_path_gets_the_nearest_names(path: str, line: str) -> None:
    with pytest.raises(UserError) as caught:
        section_schema(path)
    assert str(caught.value).startswith(line)


def test_every_section_of_the_file_has_one() -> None:
    for key in study_schema()["properties"]:
        assert section_schema(key)["title"] == key
