from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from study_trees import TEXT, changed, parse_study, quickly, tree

from study.spec import StudyFile, UserError, read_study_file, read_study_text
from study.spec.holes import HoleError, Label


def same(one: StudyFile, other: StudyFile) -> bool:
    return (
        one.space.tree == other.space.tree
        and one.study == other.study
        and one.starting_points == other.starting_points
        and one.text == other.text
    )


@quickly
@given(
    st.from_regex(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,9}", fullmatch=True),
    st.floats(1e-9, 1),
    st.sampled_from([None, 0.5]),
)
def test_the_text_of_a_study_reads_as_the_same_study(
    name: str, rate: float, clip: float | None
) -> None:
    study_file = parse_study(
        {
            **changed(train={"learning_rate": rate, "clip_norm": clip}),
            "name": name,
        }
    )
    assert same(read_study_text(study_file.text, "again"), study_file)


def test_overrides_are_in_the_text(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(TEXT)
    study_file = read_study_file(
        path,
        [
            "train.epochs=3",
            "train.learning_rate={float: [1e-3, 2e-3]}",
            "score.every=2",
            "model.schedule.choice.1.offset=0.01",
            "scale.lanes=1",
        ],
        name="1e3",
    )
    assert study_file.study.train.epochs == 3
    assert study_file.study.score.every == 2
    assert study_file.study.scale.lanes == 1
    assert study_file.study.name == "1e3"
    assert "train.learning_rate" in {d.name for d in study_file.space.dimensions()}
    assert same(read_study_text(study_file.text, "again"), study_file)
    assert study_file.space.tree["model"]["schedule"].options[1]["offset"] == 0.01


def test_a_study_is_filled_by_its_picks() -> None:
    study_file = parse_study(tree())
    picks: dict[str, Label] = {
        "model.timesteps": 50,
        "model.schedule": "cosine",
        "model.schedule.cosine.max_beta": 0.5,
        "model.network.channels": "[8, 16]",
        "train.batch_size": 64,
        "train.learning_rate": 1e-3,
    }
    spec = study_file.spec(picks)
    assert spec.model.timesteps == 50
    assert spec.model.schedule.kind == "cosine"
    assert spec.model.network.channels == (8, 16)
    assert spec.train.batch_size == 64
    with pytest.raises(HoleError, match="no value for"):
        study_file.spec({})


def test_a_combination_that_no_corner_met_is_an_error_of_its_own() -> None:
    file = changed(score={"steps": 5})
    file["model"]["timesteps"] = {"int": [10, 100]}
    file["model"]["schedule"] = {
        "choice": [
            {"kind": "cosine"},
            {"kind": "constant", "scaled": True, "beta": {"choice": [0.001, 0.02, 0.002]}},
        ]
    }
    # Every corner but timesteps=low with beta=0.02 is fine, and that one is met only by chance.
    file["model"]["timesteps"] = {"choice": [100, 10]}
    study_file = parse_study(file)
    picks: dict[str, Label] = {
        "model.timesteps": 10,
        "model.schedule": "constant",
        "model.schedule.constant.beta": 0.02,
        "model.network.channels": "[8]",
        "train.batch_size": 32,
        "train.learning_rate": 1e-3,
    }
    with pytest.raises(UserError, match=r"model.schedule.beta: 0.02 scaled by 1000 / 10"):
        study_file.spec(picks)


@pytest.mark.parametrize(
    ("epochs", "most"), [(9, 9), ({"int": [2, 40]}, 40), ({"choice": [5, 50, 8]}, 50)]
)
def test_the_longest_training(epochs: Any, most: int) -> None:
    assert parse_study(changed(train={"epochs": epochs})).most_epochs == most


def test_starting_points_may_leave_something_open() -> None:
    points = [
        {"model.timesteps": 50},
        {"model.schedule": "linear", "model.schedule.linear.beta_end": 0.02},
        {"model.network.channels": [8, 16]},
        {},
    ]
    study_file = parse_study(changed(search={"enqueue": points}))
    assert study_file.starting_points == (
        {"model.timesteps": 50},
        {"model.schedule": "linear", "model.schedule.linear.beta_end": 0.02},
        {"model.network.channels": "[8, 16]"},
        {},
    )


def test_sections_and_holes_may_be_merged_and_aliased() -> None:
    rate = "{float: [1e-4, 1e-2], log: true}"
    merged = (
        TEXT.replace("{kind: linear,", "&linear {kind: linear, scaled: false,")
        .replace("{kind: constant, beta: 0.01}", "{<<: *linear, beta_end: 0.03}")
        .replace(rate, f"&rate {rate}\n  weight_decay: *rate")
    )
    written = (
        TEXT.replace("{kind: linear,", "{kind: linear, scaled: false,")
        .replace("{kind: constant, beta: 0.01}", "{kind: linear, scaled: false, beta_end: 0.03}")
        .replace(rate, f"{rate}\n  weight_decay: {rate}")
    )
    study_file = read_study_text(merged, "study")
    assert same(study_file, read_study_text(written, "study"))
    assert len(study_file.space.dimensions()) == 8


def test_a_mistake_in_what_is_merged_stands_where_it_is_written() -> None:
    text = TEXT.replace("- {kind: linear,", "- &linear {kind: linear, scald: false,").replace(
        "- {kind: constant, beta: 0.01}", "- {<<: *linear, beta_end: 0.03}"
    )
    with pytest.raises(UserError, match=r"^study:8: model\.schedule\.scald: unknown key"):
        read_study_text(text, "study")
