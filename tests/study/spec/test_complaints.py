from __future__ import annotations

from typing import Any

import pytest
from study_trees import parse_study, tree

from study.spec.complaints import complaints


def filled(**changes: Any) -> dict[str, Any]:
    """A plain study, with values replaced by their dotted names."""
    plain: dict[str, Any] = parse_study(tree()).study.model_dump(mode="json")
    for name, value in changes.items():
        *above, key = name.split("__")
        node = plain
        for step in above:
            node = node[step]
        node[key] = value
    return plain


def test_a_valid_study_has_none() -> None:
    assert complaints(filled()) == []


@pytest.mark.parametrize(
    ("plain", "line"),
    [
        (filled(train="x"), "train: 'x' must be a section with keys of its own"),
        (filled(train=None), "train: null must be a section with keys of its own"),
        (filled(model__schedule=[]), "model.schedule: [] must be a section with keys of its own"),
        (filled(model__schedule={}), "model.schedule.kind: is missing"),
        (
            filled(model__network={"kind": "unet", "channels": "abc"}),
            "model.network.channels: 'abc' must be a list",
        ),
        (
            filled(search__enqueue=[3]),
            "search.enqueue.0: 3 must be a section with keys of its own",
        ),
        (
            filled(model__schedule={"kind": "linear", "beta_start": 0.1, "beta_end": 0.01}),
            "model.schedule.beta_end: 0.01 must be >= `beta_start` (0.1)",
        ),
        (
            filled(search__pruner={"kind": "threshold", "lower": 2.0, "upper": 1.0}),
            "search.pruner.lower: 2 must be <= `upper` (1)",
        ),
        (
            filled(search__sampler="cma-es", search__objectives=["score", "parameters"]),
            "search.sampler: the sampler 'cma-es' has one objective: "
            "use tpe, gp, random, qmc or grid",
        ),
    ],
)
def test_a_complaint_names_the_key_of_the_file(plain: dict[str, Any], line: str) -> None:
    assert [str(complaint) for complaint in complaints(plain)] == [line]


def test_a_long_value_is_cut() -> None:
    (complaint,) = complaints(filled(train="x" * 500))
    assert len(str(complaint)) < 150


def test_all_complaints_are_told_unknown_keys_first() -> None:
    file = filled()
    del file["train"]["epochs"]
    file["train"]["epoch"] = 9
    file["data"]["dataset"] = "mnist6k"
    assert [str(complaint) for complaint in complaints(file)] == [
        "train.epoch: unknown key; did you mean `epochs`?",
        "data.dataset: unknown data set 'mnist6k': known are mnist5k, digits, mnist, "
        "fashion_mnist, photo_patches; did you mean `mnist5k`?",
        "train.epochs: is missing",
    ]
