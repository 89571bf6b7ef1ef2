from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from study_trees import changed, parse_study, quickly

from study.spec import UserError
from study.spec.foreign_holes import in_our_words

LOG = "{float: [1.0e-4, 0.1], log: true}"
EXP = "{float: [0.1353, 1.0], log: true}"
STEPS = "{float: [0.0, 1.0], step: 0.1}"
WANDB, TUNE, NNI = "Weights & Biases", "Ray Tune", "NNI"


@pytest.mark.parametrize(
    ("value", "tool", "ours"),
    [
        ({"min": 1e-4, "max": 0.1, "distribution": "log_uniform_values"}, WANDB, LOG),
        ({"distribution": "uniform", "min": 0, "max": 1}, WANDB, "{float: [0.0, 1.0]}"),
        ({"min": 0.5, "max": 1}, WANDB, "{float: [0.5, 1.0]}"),
        ({"min": 2, "max": 8}, WANDB, "{int: [2, 8]}"),
        ({"distribution": "int_uniform", "min": 2, "max": 8}, WANDB, "{int: [2, 8]}"),
        ({"distribution": "q_uniform", "min": 0, "max": 1, "q": 0.1}, WANDB, STEPS),
        ({"distribution": "log_uniform", "min": -2, "max": 0}, WANDB, EXP),
        ({"values": [16, 32]}, WANDB, "{choice: [16, 32]}"),
        ({"value": 0.1}, WANDB, "0.1"),
        ("tune.loguniform(1e-4, 1e-1)", TUNE, LOG),
        ("ray.tune.loguniform(1e-4, 1e-1)", TUNE, LOG),
        ("tune.loguniform(10**-4, 0.1)", TUNE, LOG),
        ("tune.choice([16, 32])", TUNE, "{choice: [16, 32]}"),
        ("tune.choice(['adam', 'sgd'])", TUNE, "{choice: [adam, sgd]}"),
        ("tune.grid_search([1, 2])", TUNE, "{choice: [1, 2]}"),
        ({"grid_search": [1, 2]}, TUNE, "{choice: [1, 2]}"),
        ("tune.uniform(0, 1)", TUNE, "{float: [0.0, 1.0]}"),
        ("tune.quniform(0, 1, 0.1)", TUNE, "{float: [0.0, 1.0], step: 0.1}"),
        ("tune.randint(1, 10)", TUNE, "{int: [1, 9]}"),
        ("tune.lograndint(1, 100)", TUNE, "{int: [1, 99], log: true}"),
        ("tune.qrandint(10, 100, 10)", TUNE, "{int: [10, 100], step: 10}"),
        ({"_type": "loguniform", "_value": [1e-4, 0.1]}, NNI, LOG),
        ({"_type": "choice", "_value": [16, 32]}, NNI, "{choice: [16, 32]}"),
        ({"_type": "randint", "_value": [1, 10]}, NNI, "{int: [1, 9]}"),
        ({"_type": "uniform", "_value": [0, 1]}, NNI, "{float: [0.0, 1.0]}"),
        ({"_type": "quniform", "_value": [0, 10, 2]}, NNI, "{int: [0, 10], step: 2}"),
        ("choice(adam, sgd)", "Hydra", "{choice: [adam, sgd]}"),
        ("choice(16, 32)", "Hydra", "{choice: [16, 32]}"),
        ("interval(0, 1)", "Hydra", "{float: [0.0, 1.0]}"),
        ("range(1, 10)", "Hydra", "{int: [1, 9]}"),
        ("range(10, 50, 10)", "Hydra", "{int: [10, 40], step: 10}"),
        ("int(interval(1, 10))", "Hydra", "{int: [1, 10]}"),
        ("tag(log, interval(0.0001, 0.1))", "Hydra", LOG),
        ({"type": "float", "low": 1e-4, "high": 0.1, "log": True}, "Optuna", LOG),
        ({"type": "int", "low": 1, "high": 9, "step": 2}, "Optuna", "{int: [1, 9], step: 2}"),
        ({"type": "categorical", "choices": ["adam"]}, "Optuna", "{choice: [adam]}"),
        ({"low": 1e-4, "high": 0.1, "log": True}, "Optuna", LOG),
        ("trial.suggest_float('lr', 1e-4, 1e-1, log=True)", "Optuna", LOG),
        ("trial.suggest_loguniform('lr', 1e-4, 1e-1)", "Optuna", LOG),
        ("trial.suggest_int('n', 1, 9)", "Optuna", "{int: [1, 9]}"),
        ("trial.suggest_categorical('o', ['adam', 'sgd'])", "Optuna", "{choice: [adam, sgd]}"),
        ("hp.uniform('x', 0, 1)", "hyperopt", "{float: [0.0, 1.0]}"),
        ("hp.loguniform('x', -2, 0)", "hyperopt", "{float: [0.1353, 1.0], log: true}"),
        ("hp.choice('x', [1, 2])", "hyperopt", "{choice: [1, 2]}"),
    ],
)  # fmt: skip
def test_other_tools_holes_are_put_into_our_words(value: Any, tool: str, ours: str) -> None:
    assert str(in_our_words(value)) == f"a hole as in {tool}: write {ours}"


@pytest.mark.parametrize(
    "value",
    [
        *("adam", "a (b)", "f(", "f()", "range()", "int(choice(1))", "tune.loguniform(0, 1)"),
        *("tune.choice(3)", "tune.loguniform('a', 'b')", "choice()", "((" * 140, "x.y(z)"),
        *(
            "np.random.uniform(0, 1)",
            "interval(9**9**9, 1)",
            "tune.uniform(2, 1)",
            "f(x)" * 200,
            "trial.suggest_x(1)",
        ),
        *({}, {"min": 1}, {"values": 3}, {"kind": "adam"}, {"type": "adam"}, {"low": 1}),
        *({"min": 1, "max": 2, "distribution": "normal"}, {"_type": "normal", "_value": [0, 1]}),
        *(7, None, True, [1, 2], {"float": [1, 2]}, {"low": True, "high": 2}),
    ],
)
def test_anything_else_is_left_alone(value: Any) -> None:
    assert in_our_words(value) is None


@quickly
@given(
    st.text("abcehinorstuv.0123456789()[]',= -_*", max_size=40)
    | st.dictionaries(
        st.sampled_from(
            ["min", "max", "q", "values", "value", "type", "low", "high", "_type", "_value"]
        ),
        st.none()
        | st.integers(-3, 3)
        | st.floats()
        | st.lists(st.integers(), max_size=3)
        | st.text(max_size=2),
    )
)
def test_whatever_stands_there_it_is_a_line_or_nothing(value: Any) -> None:
    hole = in_our_words(value)
    assert hole is None or str(hole).startswith("a hole as in ")


@pytest.mark.parametrize(
    ("path", "value", "line"),
    [
        (("train", "learning_rate"), "tune.loguniform(1e-4, 1e-1)", f"{TUNE}: write {LOG}"),
        (("train", "optimizer"), {"values": ["adam"]}, f"{WANDB}: write {{choice: [adam]}}"),
        (("model", "schedule"), "choice(linear)", "Hydra: write {choice: [linear]}"),
        (("model", "timesteps"), {"low": 10, "high": 20}, "Optuna: write {int: [10, 20]}"),
        (("data", "size"), {"value": 16}, f"{WANDB}: write 16"),
        (
            ("score", "sampler"),
            {"_type": "choice", "_value": ["ddim"]},
            f"{NNI}: write {{choice: [ddim]}}",
        ),
    ],
)
def test_a_study_file_says_it_in_one_line(path: tuple[str, str], value: Any, line: str) -> None:
    section, key = path
    with pytest.raises(UserError) as caught:
        parse_study(changed(**{section: {key: value}}))
    assert str(caught.value).partition(f": {section}.{key}: ")[2] == f"a hole as in {line}"
