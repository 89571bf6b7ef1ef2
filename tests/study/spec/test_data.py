from __future__ import annotations

from typing import Any

import pytest
from study_trees import changed, parse_study

from study.data import SPLITS, Preparation, load_images, split


@pytest.mark.parametrize(
    ("data", "images", "training"),
    [
        ({}, 1797, 1438),
        ({"split": {"kind": "fraction", "held_out": 0.1}}, 1797, 1617),
        ({"fraction": 0.5}, 898, 718),
        ({"count": 10}, 10, 8),
        ({"count": 11, "split": {"kind": "k_fold", "folds": 3, "fold": 1}}, 11, 7),
        ({"count": 11, "split": {"kind": "k_fold", "folds": 3, "fold": 2}}, 11, 8),
        ({"count": 11, "split": "leave_one_out"}, 11, 10),
    ],
)
def test_how_many_images_are_trained_on(data: dict[str, Any], images: int, training: int) -> None:
    study = parse_study(changed(data=data, score={"against": "everything"})).study
    assert (study.data.images, study.data.training_images) == (images, training)
    wanted = {key: value for key, value in data.items() if key != "split"}
    options = study.data.split.model_dump(exclude={"kind"})
    parts = split(
        load_images("digits", Preparation(**wanted)), SPLITS[study.data.split.kind](**options)
    )
    assert (len(parts.train), len(parts.held_out)) == (training, images - training)


def test_a_split_can_be_searched_if_scores_do_not_depend_on_it() -> None:
    splits = {"choice": ["fraction", {"kind": "k_fold", "fold": {"int": [0, 4]}}, "leave_one_out"]}
    study_file = parse_study(changed(data={"split": splits}, score={"against": "everything"}))
    assert [d.name for d in study_file.space.dimensions()][:2] == [
        "data.split",
        "data.split.k_fold.fold",
    ]
