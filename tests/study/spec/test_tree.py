from __future__ import annotations

from typing import Any

import pytest
from holed_trees import drawn, trees
from hypothesis import given
from hypothesis import strategies as st
from study_trees import changed, quickly, tree

from study.spec.holes import Choice, HoleError, Label, Range
from study.spec.space import Space
from study.spec.tree import (
    Dimension,
    Picks,
    SpaceError,
    fill_holes,
    leaves,
    parse_holes,
    walk_holes,
)


def test_dimensions_are_named_by_their_path_and_branch() -> None:
    assert [dimension.name for dimension in Space(tree()).dimensions()] == [
        "model.timesteps",
        "model.schedule",
        "model.schedule.linear.beta_end",
        "model.schedule.cosine.max_beta",
        "model.network.channels",
        "train.batch_size",
        "train.learning_rate",
    ]


def test_whole_families_can_be_searched() -> None:
    file = changed()
    file["model"] = {
        "choice": [
            {"family": "ddpm", "timesteps": {"int": [10, 20]}},
            {"family": "gan", "latent": {"int": [8, 16]}},
        ]
    }
    assert [d.name for d in Space(file).dimensions()][:3] == [
        "model",
        "model.ddpm.timesteps",
        "model.gan.latent",
    ]


def test_a_bad_hole_is_found_in_any_branch() -> None:
    with pytest.raises(SpaceError) as caught:
        Space({"a": {"choice": [{"kind": "x"}, {"kind": "y", "b": {"float": [1, 0]}}]}})
    assert caught.value.path == ("a", "choice", 1, "b")


@quickly
@given(trees, st.integers(0, 10**6))
def test_leaves_hold_every_pick_under_its_name(tree: dict[str, Any], seed: int) -> None:
    filled = Space(tree).fill(drawn(seed))
    found = leaves(filled.tree, filled.picks)
    assert {name: found[name] for name in filled.picks} == filled.picks
    assert all(isinstance(value, Label) for value in found.values())


def test_leaves_of_a_branch_carry_its_label() -> None:
    space = Space(tree())
    picks: dict[str, Label] = {
        "model.timesteps": 50,
        "model.schedule": "cosine",
        "model.schedule.cosine.max_beta": 0.5,
        "model.network.channels": "[8, 16]",
        "train.batch_size": 32,
        "train.learning_rate": 1e-3,
    }
    filled = space.refill(picks)
    found = leaves(filled.tree, picks)
    assert found["model.schedule"] == "cosine"
    assert found["model.schedule.cosine.max_beta"] == 0.5
    assert found["model.network.channels"] == "[8, 16]"
    assert found["model.network.kind"] == "unet"
    assert "model.schedule.cosine.kind" not in found


def test_leaves_of_a_named_branch_keep_their_kind() -> None:
    space = Space({"net": {"choice": {"cnn": {"kind": "cnn"}, "late": {"kind": "cnn", "n": 2}}}})
    found = [leaves(filled.tree, filled.picks) for filled in space.branches()]
    assert found == [{"net": "cnn"}, {"net": "late", "net.late.kind": "cnn", "net.late.n": 2}]


HOLED: dict[str, Any] = {
    "a": 1,
    "b": [{"int": [1, 3]}, 2],
    "c": {"choice": {"x": {"kind": "x", "n": {"float": [0, 1]}}, "y": 7}},
}


def test_holes_become_values_and_the_rest_stands_as_it_is() -> None:
    parsed = parse_holes(HOLED)
    assert parsed["a"] == 1
    hole, two = parsed["b"]
    assert isinstance(hole, Range)
    assert (hole.kind, hole.low, hole.high, two) == ("int", 1, 3, 2)
    choice = parsed["c"]
    assert isinstance(choice, Choice)
    assert isinstance(choice.options[0]["n"], Range)
    assert choice.options[1] == 7


def test_a_dimension_knows_where_it_stands_in_the_file() -> None:
    for dimension in walk_holes(parse_holes(HOLED)):
        written: Any = HOLED
        for step in dimension.path:
            written = written[step]
        assert parse_holes(written) == dimension.hole
    assert [d.name for d in walk_holes(parse_holes(HOLED))] == ["b.0", "c", "c.x.n"]


def test_holes_are_filled_in_the_order_of_the_file_and_of_the_branch_taken() -> None:
    asked: list[str] = []
    answers: Picks = {"b.0": 2, "c": "x", "c.x.n": 0.5}

    def choose(dimension: Dimension) -> Label:
        asked.append(dimension.name)
        return answers[dimension.name]

    picks: Picks = {}
    filled = fill_holes(parse_holes(HOLED), (), "", choose, picks)
    assert asked == [*picks] == ["b.0", "c", "c.x.n"]
    assert picks == answers
    assert filled == {"a": 1, "b": [2, 2], "c": {"kind": "x", "n": 0.5}}

    picks = {}
    answers["c"] = "y"
    assert fill_holes(parse_holes(HOLED), (), "", choose, picks)["c"] == 7
    assert picks == {"b.0": 2, "c": "y"}


@pytest.mark.parametrize(
    ("name", "answer", "message"),
    [("b.0", 4, "4 for `b.0` is not in int 1 to 3"), ("c", "z", "`c`: z is not one of x, y")],
)
def test_an_answer_that_is_no_value_of_its_hole_is_refused(
    name: str, answer: Label, message: str
) -> None:
    answers: Picks = {"b.0": 2, "c": "y", name: answer}
    with pytest.raises(HoleError, match=message):
        fill_holes(parse_holes(HOLED), (), "", lambda d: answers[d.name], {})


def test_a_list_is_one_leaf_unless_it_has_holes() -> None:
    filled = {"b": [2, 2], "channels": [8, 16]}
    assert leaves(filled, {"b.0": 2}) == {"b": "[2, 2]", "b.0": 2, "channels": "[8, 16]"}
