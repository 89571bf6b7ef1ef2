"""Mistakes in an override: one line each, which names it."""

from __future__ import annotations

from pathlib import Path

import pytest
from study_trees import TEXT

from study.spec import UserError, read_study_file


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.epochs", "--set train.epochs: an override is written PATH=VALUE"),
        ("=5", "--set =5: an override is written PATH=VALUE"),
        ("train..epochs=5", "an override is written PATH=VALUE"),
        ("train.epochs={a: ", "--set train.epochs={a: : the value:1: broken YAML"),
        ("train.epochs=0", "--set train.epochs=0: train.epochs: 0 must be greater than"),
        ("train.epochs.x=1", "train.epochs is 9 and has no `x` inside"),
        ("train.epoch=1", "--set train.epoch=1: train.epoch: unknown key; did you mean `epochs`?"),
        ("0.a=1", "the study has keys, and `0` is none"),
        ("model.schedule.kind=cosine", "model.schedule is a choice: replace it whole"),
        ("model.schedule.choice.7.kind=x", "model.schedule.choice is a list of 3; `7` is no place"),
        ("model.schedule.choice.one=x", "is a list of 3; `one` is no place in it"),
        ("data.size={int: [8, 16]}", "--set data.size={int: [8, 16]}: data.size: a hole cannot"),
        ("train.epochs={int: [3, 1]}", "train.epochs: low 3 is greater than high 1"),
        ("search.sampler=grid", "--set search.sampler=grid: search.sampler: `model.timesteps` has"),
        ("name=a/b", "--set name=a/b: name: 'a/b' must be 1 to 80"),
    ],
)
def test_a_bad_override_is_named(tmp_path: Path, override: str, message: str) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(TEXT)
    with pytest.raises(UserError) as caught:
        read_study_file(path, [override])
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "model={family: custom, path: 'a:B'}",
            "model.schedule: no such dimension (changed by --set model={family: custom",
        ),
        (
            "model.schedule={choice: [linear, sigmoid]}",
            "model.schedule: cosine is not one of linear, sigmoid (changed by --set model.schedule",
        ),
        (
            "train.batch_size={choice: [16, 64]}",
            "train.batch_size: 32 is not one of 16, 64 (changed by --set train.batch_size={choice",
        ),
        (
            "train.learning_rate={float: [1e-3, 1e-2]}",
            "0.0002 is not in float 0.001 to 0.01 (changed by --set train.learning_rate=",
        ),
        ("train.learning_rate=1e-3", "no such dimension (changed by --set train.learning_rate=1e"),
        ("data.size=16", ""),
        ("search.trials=9", ""),
    ],
)
def test_an_override_that_a_starting_point_does_not_suit_is_named(
    tmp_path: Path, override: str, message: str
) -> None:
    path = tmp_path / "study.yaml"
    point = "{model.schedule: cosine, train.batch_size: 32, train.learning_rate: 0.0002}"
    path.write_text(TEXT.replace("trials: 4", f"trials: 4, enqueue: [{point}]"))
    if not message:
        read_study_file(path, [override])
        return
    with pytest.raises(UserError) as caught:
        read_study_file(path, [override])
    assert f"{path}:17: search.enqueue.0." in str(caught.value)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
