from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from study_trees import changed, parse_study, quickly

from study.spec import UserError
from study.spec.near_holes import FORMS, hole_hint, hole_in
from study.spec.yaml_file import parse_scalar

LOG = "{float: [1.0e-4, 0.1], log: true}"
UNIT = "{float: [0.0, 1.0]}"


@pytest.mark.parametrize(
    ("value", "ours"),
    [
        ({"min": 1e-4, "max": 0.1, "log": True}, LOG),
        ({"type": "loguniform", "low": 1e-4, "high": 0.1}, LOG),
        ({"name": "lr", "type": "range", "bounds": [1e-4, 0.1], "log_scale": True}, LOG),
        ({"type": "uniform_float", "lower": 1e-4, "upper": 0.1, "log": True}, LOG),
        ({"type": "DOUBLE", "minValue": 1e-4, "maxValue": 0.1, "scaleType": "UNIT_LOG"}, LOG),
        ({"loguniform": [1e-4, 0.1]}, LOG),
        ({"start": 1e-4, "stop": 0.1, "prior": "log-uniform"}, LOG),
        ({"uniform": [0, 1]}, UNIT),
        ({"Float": [0, 1]}, UNIT),
        ({"interval": [0, 1], "type": "float"}, UNIT),
        ({"interval": [0, 1]}, "{int: [0, 1]}"),
        ({"range": [1, 9], "log": False}, "{int: [1, 9]}"),
        ({"type": "uniform_int", "lower": 1, "upper": 9, "q": 2}, "{int: [1, 9], step: 2}"),
        ({"low": 0.1, "high": 1, "q": 0.1}, "{float: [0.1, 1.0], step: 0.1}"),
        ({"options": ["adam", "sgd"]}, "{choice: [adam, sgd]}"),
        ({"type": "choice", "values": [1, 2], "is_ordered": True}, "{choice: [1, 2]}"),
        ({"one-of": [1, 2]}, "{choice: [1, 2]}"),
    ],
)
def test_a_range_under_other_words_is_put_into_ours(value: Any, ours: str) -> None:
    assert hole_in(value) == ours
    assert hole_hint(value) == f"a hole is written {ours}"


@pytest.mark.parametrize(
    ("value", "ours"),
    [
        ("loguniform(1e-4, 1e-1)", LOG),
        ("FloatDistribution(1e-4, 0.1, log=True)", LOG),
        ("optuna.distributions.FloatDistribution(low=1e-4, high=0.1, log=True)", LOG),
        ("Real(1e-4, 1e-1, prior='log-uniform')", LOG),
        ("np.random.uniform(0, 1)", UNIT),
        ("Integer(1, 9)", "{int: [1, 9]}"),
        ("quniform(0, 1, q=0.5)", "{float: [0.0, 1.0], step: 0.5}"),
        ("CategoricalDistribution(('adam', 'sgd'))", "{choice: [adam, sgd]}"),
        ("Categorical([1, 2])", "{choice: [1, 2]}"),
        ("tune.sample_from(lambda config: 1)", FORMS),
        ("normal(0, 1)", FORMS),
        ({"_type": "normal", "_value": [0, 1]}, FORMS),
        ({"mu": 0, "sigma": 1}, FORMS),
    ],
)
def test_a_call_is_put_into_our_words_or_gets_all_of_them(value: Any, ours: str) -> None:
    assert hole_hint(value) == f"a hole is written {ours}"


@pytest.mark.parametrize(
    ("value", "ours"),
    [
        ([8, 16], "{choice: [8, 16]}"),
        (["adam", "sgd"], "{choice: [adam, sgd]}"),
        ([[8], [8, 16]], "{choice: [[8], [8, 16]]}"),
        ("0.1, 1e-2", "{choice: [0.1, 0.01]}"),
        ("adam,sgd", "{choice: [adam, sgd]}"),
        ([*range(99)], "{choice: [...]}"),
    ],
)
def test_options_in_a_list_are_a_choice(value: Any, ours: str) -> None:
    assert hole_hint(value) == f"to try each, write {ours}"


@pytest.mark.parametrize(
    "value", [7, None, True, "adam", [], [1, 1], "a, [", "x" * 400 + ",", "", "1e-4 to 1"]
)
def test_anything_else_gets_no_hint(value: Any) -> None:
    assert hole_hint(value) == hole_in(value) == ""


@pytest.mark.parametrize(
    "value", [{}, {"min": 1}, {"min": 2, "max": 1}, {"low": 0, "min": 0, "max": 1}, {"kind": "a"}]
)
def test_a_mapping_that_is_no_range_is_left_alone(value: Any) -> None:
    assert hole_in(value) == ""


@quickly
@given(
    st.text("abcehilnorstuv.0123456789()[]',= -_*", max_size=40)
    | st.dictionaries(
        st.sampled_from(["min", "max", "q", "values", "type", "log", "range", "options", "int"]),
        st.none()
        | st.booleans()
        | st.integers(-3, 3)
        | st.floats()
        | st.lists(st.integers(), max_size=3)
        | st.sampled_from(["log", "int", "float"]),
    )
    | st.lists(st.none() | st.integers() | st.floats() | st.text("a, [", max_size=3))
)
def test_whatever_stands_there_a_hint_is_a_line_and_a_hole_is_yaml(value: Any) -> None:
    hint = hole_hint(value)
    assert "\n" not in hint
    hole = hole_in(value)
    assert hole == "" or "..." in hole or len(parse_scalar(hole)) >= 1


@pytest.mark.parametrize(
    ("path", "value", "line"),
    [
        (
            ("train", "learning_rate"),
            {"min": 0.1, "max": 1, "log": True},
            "train.learning_rate: a hole is written {float: [0.1, 1.0], log: true}",
        ),
        (
            ("train", "batch_size"),
            [8, 16],
            "train.batch_size: [8, 16] must be a valid integer; to try each, write "
            "{choice: [8, 16]}",
        ),
        (
            ("model", "schedule"),
            ["linear", "cosine"],
            "model.schedule: ['linear', 'cosine'] must be a section with keys of its own; "
            "to try each, write {choice: [linear, cosine]}",
        ),
        (
            ("model", "network"),
            {"kind": "unet", "channels": [[8], [16]]},
            "model.network.channels.0: [8] must be a valid integer; to try each, write "
            "{choice: [[8], [16]]}",
        ),
        (
            ("model", "prediction"),
            ["x0", "v"],
            "model.prediction: ['x0', 'v'] is not one of epsilon, x0, v, mean; to try each, write "
            "{choice: [x0, v]}",
        ),
        (
            ("train", "optimizer"),
            {"kind": ["adam", "sgd"]},
            "train.optimizer.kind: ['adam', 'sgd'] is not one of adam, adamw, sgd; to try each, "
            "write {choice: [adam, sgd]}",
        ),
        (
            ("train", "optimizer"),
            "Categorical(['adam'])",
            "train.optimizer: unknown optimizer 'Categorical(['adam'])': known are adam, adamw, "
            "sgd; a hole is written {choice: [adam]}",
        ),
        (
            ("train", "learning_rate"),
            {"distribution": "normal", "mu": 0, "sigma": 1},
            "train.learning_rate: {'distribution': 'normal', 'mu': 0, 'sigma': 1} must be a valid "
            f"number; a hole is written {FORMS}",
        ),
        # Where a list is wanted, it has to be one.
        (
            ("model", "network"),
            {"kind": "unet", "channels": "8,16"},
            "model.network.channels: '8,16' must be a list",
        ),
        (
            ("train", "optimizer"),
            {"kind": "adam", "betas": [0.5]},
            "train.optimizer.betas.1: is missing",
        ),
        # Where no hole can stand, none is suggested.
        (("data", "size"), [8, 16], "data.size: [8, 16] must be a valid integer"),
        (
            ("data", "size"),
            {"values": [8, 16]},
            "data.size: a hole as in Weights & Biases, but holes can stand in model, train, "
            "data.split, score.sampler and score.steps alone",
        ),
        (("search", "pruner"), {"lower": 1, "upper": 2}, "search.pruner.kind: is missing"),
        # A key that is not known is said first.
        (
            ("train", "lr"),
            {"min": 0.1, "max": 1},
            "train.lr: unknown key; did you mean `learning_rate`?",
        ),
        (
            ("train", "epochs"),
            "9",
            "train.epochs: '9' must be a valid integer: write it without quotes",
        ),
        (
            ("data", "channels"),
            "3",
            "data.channels: '3' is not one of 1, 3: write it without quotes",
        ),
        (("train", "epochs"), "nine", "train.epochs: 'nine' must be a valid integer"),
    ],
)
def test_a_study_file_says_it_in_one_line(path: tuple[str, str], value: Any, line: str) -> None:
    section, key = path
    with pytest.raises(UserError) as caught:
        parse_study(changed(**{section: {key: value}}))
    assert str(caught.value).partition(": ")[2] == line
