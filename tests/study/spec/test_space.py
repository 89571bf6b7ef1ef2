from __future__ import annotations

import itertools
from typing import Any

import pytest
from holed_trees import drawn, trees
from hypothesis import given
from hypothesis import strategies as st
from study_trees import quickly, tree

from study.spec.holes import Choice, HoleError, Label, Range
from study.spec.space import Filled, Space


@quickly
@given(trees, st.integers(0, 10**6))
def test_what_was_picked_fills_the_tree_again(tree: dict[str, Any], seed: int) -> None:
    space = Space(tree)
    filled = space.fill(drawn(seed))
    assert space.refill(filled.picks) == filled
    # What has been filled has no holes, and stands as it is.
    again = Space(filled.tree)
    assert again.dimensions() == []
    assert again.refill({}).tree == filled.tree


@quickly
@given(trees, st.integers(0, 10**6))
def test_only_dimensions_that_are_reached_are_picked(tree: dict[str, Any], seed: int) -> None:
    space = Space(tree)
    every = {dimension.name: dimension for dimension in space.dimensions()}
    assert len(every) == len(space.dimensions())  # no two of one name
    filled = space.fill(drawn(seed))
    assert [name for name in every if name in filled.picks] == [*filled.picks]  # the file's order
    for name, value in filled.picks.items():
        hole = every[name].hole
        assert value in hole.labels if isinstance(hole, Choice) else hole.contains(value)
    for name in every:
        above = space.branches_above(name)
        assert (name in filled.picks) == all(
            choice in filled.picks and filled.picks[choice] == label for choice, label in above
        )


@quickly
@given(trees, st.integers(0, 10**6))
def test_every_leaf_is_located_where_it_is_written(tree: dict[str, Any], seed: int) -> None:
    space = Space(tree)
    filled = space.fill(drawn(seed))

    def check(node: Any, path: tuple[str | int, ...]) -> None:
        if isinstance(node, dict | list):
            items = node.items() if isinstance(node, dict) else enumerate(node)
            for key, value in items:
                check(value, (*path, key))
        written: Any = tree
        for step in space.locate(path, filled.picks):
            written = written[step]
        if isinstance(node, dict | list):
            assert type(written) is type(node)
        else:
            assert written == node or isinstance(written, dict)  # a range in its place

    check(filled.tree, ())


def options_of(node: dict[str, Any]) -> list[Any]:
    options = node["choice"]
    return [*options.values()] if isinstance(options, dict) else options


def ways(node: Any) -> int:
    """How many ways there are through a tree's choices of branches."""
    if isinstance(node, dict) and "choice" in node:
        options = options_of(node)
        return sum(map(ways, options)) if any(isinstance(o, dict) for o in options) else 1
    below = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    product = 1
    for child in below:
        product *= ways(child)
    return product


@quickly
@given(trees)
def test_branches_are_the_ways_through_the_choices(tree: dict[str, Any]) -> None:
    branches = [*Space(tree).branches()]
    assert len(branches) == ways(tree)
    assert len({str(branch.picks) for branch in branches}) == len(branches)


def points(node: Any) -> int:
    """How many filled trees there are."""
    if isinstance(node, dict):
        if "choice" in node:
            return sum(map(points, options_of(node)))
        for kind in ("int", "float"):
            if kind in node:
                low, high = node[kind]
                return len(range(low, high + 1, node.get("step", 1)))
    below = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    product = 1
    for child in below:
        product *= points(child)
    return product


@quickly
@given(trees)
def test_a_grid_has_each_point_once(tree: dict[str, Any]) -> None:
    space = Space(tree)
    if any(isinstance(d.hole, Range) and d.hole.grid() is None for d in space.dimensions()):
        with pytest.raises(HoleError, match="has no finite grid"):
            for _ in space.grid():  # the range may lie in a branch that comes late
                pass
        return
    found = [str(filled.picks) for filled in itertools.islice(space.grid(), 500)]
    assert len(found) == min(points(tree), 500)
    assert len(set(found)) == len(found)


@quickly
@given(trees)
def test_corners_meet_every_option_and_both_ends(tree: dict[str, Any]) -> None:
    space = Space(tree)
    met: dict[str, set[Label]] = {}
    for filled in space.corners():
        for name, value in filled.picks.items():
            met.setdefault(name, set()).add(value)
    for dimension in space.dimensions():
        hole = dimension.hole
        wanted = hole.labels if isinstance(hole, Choice) else (hole.low, hole.highest)
        assert met[dimension.name] >= set(wanted)


def test_a_pick_that_does_not_fit_says_so() -> None:
    space = Space({"train": {"rate": {"float": [0.1, 1]}, "kind": {"choice": ["a", "b"]}}})
    with pytest.raises(HoleError, match=r"2.0 for `train.rate` is not in float 0.1 to 1"):
        space.refill({"train.rate": 2.0, "train.kind": "a"})
    with pytest.raises(HoleError, match=r"`train.kind`: c is not one of a, b"):
        space.refill({"train.rate": 0.5, "train.kind": "c"})
    with pytest.raises(HoleError, match=r"no value for `train.kind`"):
        space.refill({"train.rate": 0.5})


def test_too_many_ways_are_an_error() -> None:
    branch = {"choice": [{"kind": "a"}, {"kind": "b"}]}
    space = Space({str(index): branch for index in range(5)})
    assert sum(1 for _ in space.branches(limit=32)) == 32
    with pytest.raises(HoleError, match="more than 31 ways"):
        for _ in space.branches(limit=31):
            pass


def test_a_tree_without_holes_has_one_way() -> None:
    space = Space({"a": {"b": [1, {"c": 2}]}})
    assert [*space.branches()] == [Filled({"a": {"b": [1, {"c": 2}]}}, {})]
    assert [*space.grid()] == [*space.branches()]


def test_a_way_is_that_of_the_sub_trees_and_of_nothing_else() -> None:
    space = Space(tree())
    names = {dict(space.way(filled.picks))["model.schedule"] for filled in space.corners()}
    assert names == {"linear", "cosine", "constant"}
    assert len({space.way(filled.picks) for filled in space.corners()}) == 3
    assert len({space.way(filled.picks) for filled in space.branches()}) == 3


@quickly
@given(trees)
def test_the_size_of_a_space_is_how_many_points_it_has(tree: dict[str, Any]) -> None:
    space = Space(tree)
    size = space.size
    if size is not None and size <= 2000:
        points = [tuple(filled.picks.items()) for filled in space.points()]
        assert len(points) == len({*points}) == size
    elif size is None:
        assert any(
            isinstance(dimension.hole, Range) and dimension.hole.values() is None
            for dimension in space.dimensions()
        )


@pytest.mark.parametrize(
    ("hole", "size"),
    [
        ({"int": [10, 20]}, 11),
        ({"int": [10, 20], "log": True}, 11),
        ({"int": [10, 20], "step": 3}, 4),
        ({"float": [0, 1], "step": 0.1}, 11),
        ({"float": [0, 1]}, None),
        ({"float": [1, 1]}, 1),
        ({"choice": [1, 2, 3]}, 3),
        ({"choice": [{"kind": "a", "x": {"int": [1, 4]}}, {"kind": "b"}]}, 5),
        ({"choice": [{"kind": "a", "x": {"float": [1, 4]}}, {"kind": "b"}]}, None),
        (7, 1),
    ],
)
def test_sizes(hole: Any, size: int | None) -> None:
    assert Space({"a": hole}).size == size
    assert Space({"a": hole, "b": {"choice": [1, 2]}}).size == (None if size is None else 2 * size)


def test_what_lies_in_one_branch_of_several_is_conditional() -> None:
    inner = {"kind": "a", "x": {"int": [1, 4]}}
    space = Space({"one": {"choice": [inner]}, "two": {"choice": [inner, {"kind": "b"}]}})
    conditional = {each.name: space.conditional(each) for each in space.dimensions()}
    assert conditional == {"one": False, "one.a.x": False, "two": False, "two.a.x": True}
