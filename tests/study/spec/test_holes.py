from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from study_trees import quickly

from study.spec.holes import Choice, HoleError, Range, is_hole, parse_hole


def parse_range(node: dict[str, Any]) -> Range:
    hole = parse_hole(node)
    assert isinstance(hole, Range)
    return hole


def parse_choice(*options: Any) -> Choice:
    hole = parse_hole({"choice": [*options]})
    assert isinstance(hole, Choice)
    return hole


numbers = st.floats(-1e6, 1e6)


@quickly
@given(numbers, st.floats(0, 1e6), st.floats(0, 1))
def test_a_float_range_holds_what_lies_between_its_ends(
    low: float, width: float, share: float
) -> None:
    hole = parse_range({"float": [low, low + width]})
    assert hole.contains(hole.low)
    assert hole.contains(hole.high)
    assert hole.contains(min(low + share * width, hole.high))
    assert not hole.contains(hole.high + 1)
    assert not hole.contains(hole.low - 1)
    assert hole.grid() is None
    assert hole.highest == hole.high


@quickly
@given(st.floats(-100, 100), st.floats(0, 10), st.floats(0.01, 3))
def test_a_stepped_float_range_holds_its_grid(low: float, width: float, step: float) -> None:
    hole = parse_range({"float": [low, low + width], "step": step})
    grid = hole.grid()
    assert grid is not None
    assert all(hole.contains(value) for value in grid)
    assert grid[0] == hole.low
    assert grid[-1] == hole.highest <= hole.high
    assert abs(len(grid) - 1 - int(width / step)) <= 1


def test_rounding_does_not_push_a_step_past_the_end() -> None:
    hole = parse_range({"float": [0.1, 0.3], "step": 0.1})
    assert hole.grid() == [0.1, 0.2, 0.3]
    assert hole.contains(0.1 + 0.1)


@quickly
@given(st.integers(-1000, 1000), st.integers(0, 500), st.none() | st.integers(1, 60))
def test_an_int_range_holds_its_grid_and_nothing_else(
    low: int, width: int, step: int | None
) -> None:
    node: dict[str, Any] = {"int": [low, low + width]}
    hole = parse_range(node if step is None else {**node, "step": step})
    grid = hole.grid()
    assert grid is not None
    assert [*grid] == [*range(low, low + width + 1, step or 1)]
    assert all(type(value) is int for value in grid)
    assert [value for value in range(low - 2, low + width + 3) if hole.contains(value)] == [*grid]
    assert not hole.contains(float(low))
    assert not hole.contains(True)


def test_a_wide_int_range_is_not_spelled_out() -> None:
    grid = parse_range({"int": [1, 10**15]}).grid()
    assert grid is not None
    assert len(grid) == 10**15


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ({"float": [2, 1]}, "low 2 is greater than high 1"),
        ({"int": [1000001, 1000000]}, "low 1000001 is greater than high 1000000"),
        ({"float": [0, 1], "log": True}, "log of 0"),
        ({"float": [-1, 1], "log": True}, "log of -1"),
        ({"float": [1]}, "written {float: [low, high]}"),
        ({"float": 5}, "written {float: [low, high]}"),
        ({"float": ["a", 1]}, "'a' in a float hole is not a finite number"),
        ({"float": [0, float("inf")]}, "not a finite number"),
        ({"float": [False, True]}, "not a finite number"),
        ({"int": [1.0, 2]}, "1.0 in an int hole is not a whole number"),
        ({"int": [1, 5], "step": 0.5}, "not a whole number"),
        ({"int": [1, 5], "step": 0}, "`step` is 0, but must be greater than 0"),
        ({"int": [1, 5], "log": 1}, "`log` is 1, but must be true or false"),
        ({"int": [1, 5], "log": True, "step": 2}, "cannot go together"),
        ({"int": [1, 5], "lag": True}, "unknown key `lag` in an int hole"),
        ({"choice": [1], "log": True}, "unknown key `log` in a choice hole"),
        ({"int": [1, 5], "float": [1, 5]}, "not float and int"),
        ({"choice": []}, "empty choice"),
        ({"choice": "adam"}, "written {choice: [a, b]}"),
        ({"choice": ["a", "a"]}, "the option a stands twice"),
        ({"choice": [[1, 2], [1, 2]]}, "the option [1, 2] stands twice"),
        ({"choice": [1, 1.0]}, "the options 1 and 1.0 are equal"),
        ({"choice": [True, 1]}, "the options true and 1 are equal"),
        ({"choice": [float("nan")]}, "nan cannot be an option"),
        ({"choice": [{"float": [0, 1]}]}, "cannot itself be a hole"),
        ({"choice": [[8, {"int": [8, 16]}]]}, "holds plain values only"),
        ({"choice": {}}, "empty choice"),
        ({"choice": {"kind": "cnn", "time": "every"}}, "written {choice: [a, b]} or {choice: {"),
        ({"choice": {"a.b": 1}}, "the name 'a.b' of an option must not be empty or hold . or #"),
        ({"choice": {"a#1": 1}}, "the name 'a#1' of an option"),
        ({"choice": {"": 1}}, "the name '' of an option"),
        ({"choice": {"a": {"float": [0, 1]}}}, "cannot itself be a hole"),
        ({"choice": {"a": float("nan")}}, "nan cannot be an option"),
    ],
)
def test_a_hole_that_cannot_be_searched_says_why(node: dict[str, Any], message: str) -> None:
    assert is_hole(node)
    with pytest.raises(HoleError) as caught:
        parse_hole(node)
    assert message in str(caught.value)


def test_options_are_known_by_their_labels() -> None:
    branch = {"kind": "cosine", "max_beta": 0.5}
    choice = parse_choice("adam", 3, 0.5, None, True, [8, 16], branch, {"epochs": 3})
    assert choice.labels == ("adam", 3, 0.5, None, True, "[8, 16]", "cosine", "#7")
    assert choice.option("[8, 16]") == [8, 16]
    assert choice.option("cosine") == branch
    assert [label for label in choice.labels if choice.is_branch(label)] == ["cosine", "#7"]
    assert str(choice) == "one of adam, 3, 0.5, null, true, [8, 16], cosine, #7"
    for stranger in ("sgd", 1, 3.0, False, 0, "null", "3"):
        with pytest.raises(HoleError, match="is not one of adam"):
            choice.position(stranger)


def test_two_branches_of_one_kind_are_told_apart() -> None:
    choice = parse_choice({"kind": "linear"}, {"kind": "cosine"}, {"kind": "linear"})
    assert choice.labels == ("linear#0", "cosine", "linear#2")


def test_a_short_form_and_a_branch_of_its_kind_are_told_apart() -> None:
    choice = parse_choice("cosine", {"kind": "cosine", "max_beta": 0.1})
    assert choice.labels == ("cosine", "cosine#1")
    assert [choice.is_branch(label) for label in choice.labels] == [False, True]


def test_options_may_have_names_of_their_own() -> None:
    branch = {"kind": "cnn"}
    choice = parse_hole({"choice": {"small": [8], "plain": branch, "other": branch, "no": None}})
    assert isinstance(choice, Choice)
    assert choice.labels == choice.keys == ("small", "plain", "other", "no")
    assert choice.option("small") == [8]
    assert [label for label in choice.labels if choice.is_branch(label)] == ["plain", "other"]
    assert str(choice) == "one of small, plain, other, no"


@pytest.mark.parametrize(
    ("node", "text"),
    [
        ({"int": [100, 2000000], "log": True}, "int 100 to 2000000, log"),
        ({"int": [10, 30], "step": 10}, "int 10 to 30, step 10"),
        ({"float": [1e-5, 0.01], "log": True}, "float 1e-05 to 0.01, log"),
    ],
)
def test_a_range_shows_its_numbers_in_full(node: dict[str, Any], text: str) -> None:
    assert str(parse_hole(node)) == text
