"""The search space of a study file: its holes, walked in the file's order.

`Space.fill` walks the tree and asks a chooser for a value at each hole that it reaches, so that a
hole inside a branch is asked for only when its branch was chosen. Conditional spaces need nothing
more: a search passes `trial.suggest_*`, a test passes recorded picks, `branches` passes each option
in turn.

A dimension's name is its path, with the label of the branch where a choice was taken:
`model.schedule` (which branch), `model.schedule.cosine.max_beta` (a hole inside one).
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from study.spec.holes import (
    DISCRIMINATORS,
    Choice,
    Hole,
    HoleError,
    Label,
    Range,
    is_hole,
    parse_hole,
)
from study.spec.yaml_file import TreePath

Picks = dict[str, Label]
"""What was chosen: a value for each dimension that was reached, by name, in the file's order."""


@dataclass(frozen=True)
class Dimension:
    """One hole of the study file."""

    name: str
    path: TreePath  # where the hole stands in the file
    hole: Hole


Chooser = Callable[[Dimension], Label]


class SpaceError(ValueError):
    """A hole in the file that cannot be searched."""

    def __init__(self, path: TreePath, rule: str) -> None:
        super().__init__(rule)
        self.path = path
        self.rule = rule


@dataclass(frozen=True)
class Filled:
    """A tree without holes, the picks that filled it, and the leaves by dimension name."""

    tree: Any
    picks: Picks


class Space:
    """A study file's tree with its holes parsed.

    Args:
        tree: Plain mappings, lists and scalars, as read from YAML.

    Raises:
        SpaceError: A hole that cannot be searched, anywhere in the tree, in any branch.
    """

    def __init__(self, tree: Mapping[str, Any]) -> None:
        self.tree = _parse(tree, ())

    def dimensions(self) -> list[Dimension]:
        """Every hole, in the file's order, those inside branches too."""
        return list(_dimensions(self.tree, (), ""))

    def fill(self, choose: Chooser) -> Filled:
        """Fill every hole that is reached with what `choose` answers.

        Raises:
            HoleError: An answer that is no value of its hole.
        """
        picks: Picks = {}
        return Filled(_fill(self.tree, (), "", choose, picks), picks)

    def refill(
        self, picks: Mapping[str, Label], visit: Callable[[Dimension], None] | None = None
    ) -> Filled:
        """Fill again with recorded picks, showing `visit` each dimension that is reached.

        Raises:
            HoleError: A dimension without a pick, or a pick that is no value of its hole.
        """

        def recorded(dimension: Dimension) -> Label:
            if dimension.name not in picks:
                raise HoleError(f"no value for `{dimension.name}`")
            if visit is not None:
                visit(dimension)
            return picks[dimension.name]

        return self.fill(recorded)

    def branches(self, limit: int = 4096) -> Iterator[Filled]:
        """One filled tree for each way through the choices between sub-trees.

        Ranges and plain choices take their first value.

        Raises:
            HoleError: There are more than `limit` ways.
        """
        for filled in itertools.islice(self._ways(branches_only=True), limit):
            yield filled
        if next(itertools.islice(self._ways(branches_only=True), limit, None), None) is not None:
            raise HoleError(f"more than {limit} ways through the choices")

    def grid(self) -> Iterator[Filled]:
        """Every filled tree of a space that is finite.

        Raises:
            HoleError: A continuous range, which has no finite grid without a `step`.
        """
        return self._ways(branches_only=False)

    def corners(self) -> Iterator[Filled]:
        """Filled trees that together try every option and both ends of every range.

        For each branch: all ranges at their low and at their high end; then each dimension in turn
        at its ends or options with the others at their first value.
        """
        for base in self.branches():
            for end in (0, -1):
                yield self.fill(_with_ends(base.picks, end))
            for dimension in self._reached(base.picks):
                for value in _ends(dimension.hole):
                    yield self.fill(_with_override(base.picks, dimension.name, value))

    def locate(self, path: TreePath, picks: Mapping[str, Label]) -> TreePath:
        """Where in the file the value at a filled tree's path is written."""
        node, name = self.tree, ""
        found: TreePath = ()
        for step in (*path, None):
            if isinstance(node, Choice):
                label = picks[name]
                position = node.position(label)
                name = _join(name, str(label)) if node.is_branch(label) else name
                node, found = node.options[position], (*found, "choice", position)
            if step is None or isinstance(node, Range):
                break
            name = _join(name, step)
            found = (*found, step)
            inside = isinstance(node, Mapping) and step in node
            node = (
                node[step]
                if inside or (isinstance(node, list) and step in range(len(node)))
                else None
            )
        return found

    def _reached(self, picks: Picks) -> list[Dimension]:
        reached: list[Dimension] = []

        def note(dimension: Dimension) -> Label:
            reached.append(dimension)
            return picks[dimension.name]

        self.fill(note)
        return reached

    def _ways(self, branches_only: bool) -> Iterator[Filled]:
        # Depth first over the answers: the first run takes every first value and records what else
        # could have been answered; each later run replays a prefix and takes the next value.
        prefix: list[Label] = []
        while True:
            answers: list[tuple[Label, list[Label]]] = []

            def answer(
                dimension: Dimension,
                answers: list[tuple[Label, list[Label]]] = answers,
                prefix: list[Label] = prefix,
            ) -> Label:
                values = _values(dimension, branches_only)
                chosen = prefix[len(answers)] if len(answers) < len(prefix) else values[0]
                answers.append((chosen, values))
                return chosen

            yield self.fill(answer)
            while answers and _index(answers[-1]) == len(answers[-1][1]) - 1:
                answers.pop()
            if not answers:
                return
            prefix = [chosen for chosen, _ in answers]
            prefix[-1] = answers[-1][1][_index(answers[-1]) + 1]


def _index(answer: tuple[Label, list[Label]]) -> int:
    chosen, values = answer
    return next(i for i, v in enumerate(values) if v == chosen and type(v) is type(chosen))


def _values(dimension: Dimension, branches_only: bool) -> list[Label]:
    hole = dimension.hole
    if isinstance(hole, Choice):
        has_branches = any(hole.is_branch(label) for label in hole.labels)
        return [*hole.labels] if has_branches or not branches_only else [hole.labels[0]]
    if branches_only:
        return [_ends(hole)[0]]
    grid = hole.grid()
    if grid is None:
        raise HoleError(
            f"`{dimension.name}` has no finite grid: give it a `step`, or make it a choice"
        )
    return grid


def _ends(hole: Hole) -> list[Label]:
    if isinstance(hole, Choice):
        return [*hole.labels]
    number = int if hole.kind == "int" else float
    return [number(hole.low), number(hole.high)]


def _with_ends(picks: Picks, end: int) -> Chooser:
    def choose(dimension: Dimension) -> Label:
        if isinstance(dimension.hole, Range):
            return _ends(dimension.hole)[end]
        return picks[dimension.name]

    return choose


def _with_override(picks: Picks, name: str, value: Label) -> Chooser:
    def choose(dimension: Dimension) -> Label:
        if dimension.name == name:
            return value
        # An override that changes the branch reaches dimensions that the base did not.
        return picks.get(dimension.name, _ends(dimension.hole)[0])

    return choose


def _parse(node: Any, path: TreePath) -> Any:
    if is_hole(node):
        try:
            hole = parse_hole(node)
        except HoleError as error:
            raise SpaceError(path, str(error)) from None
        if isinstance(hole, Choice):
            options = (_parse(o, (*path, "choice", i)) for i, o in enumerate(hole.options))
            hole = Choice(hole.labels, tuple(options))
        return hole
    if isinstance(node, Mapping):
        return {key: _parse(value, (*path, key)) for key, value in node.items()}
    if isinstance(node, list):
        return [_parse(value, (*path, index)) for index, value in enumerate(node)]
    return node


def _join(prefix: str, key: str | int) -> str:
    return f"{prefix}.{key}" if prefix else str(key)


def _dimensions(node: Any, path: TreePath, name: str) -> Iterator[Dimension]:
    if isinstance(node, Range | Choice):
        yield Dimension(name, path, node)
    if isinstance(node, Choice):
        for index, (label, option) in enumerate(zip(node.labels, node.options, strict=True)):
            branch = _join(name, str(label)) if isinstance(option, Mapping) else name
            yield from _dimensions(option, (*path, "choice", index), branch)
    else:
        for key, value in _items(node):
            yield from _dimensions(value, (*path, key), _join(name, key))


def _items(node: Any) -> Iterator[tuple[str | int, Any]]:
    if isinstance(node, Mapping):
        yield from node.items()
    elif isinstance(node, list):
        yield from enumerate(node)


def _fill(node: Any, path: TreePath, name: str, choose: Chooser, picks: Picks) -> Any:
    if isinstance(node, Range | Choice):
        value = choose(Dimension(name, path, node))
        if isinstance(node, Range):
            if not node.contains(value):
                raise HoleError(f"{value!r} for `{name}` is not in {node}")
            picks[name] = value
            return value
        try:
            position = node.position(value)
        except HoleError as error:
            raise HoleError(f"`{name}`: {error}") from None
        picks[name] = value
        branch = _join(name, str(value)) if node.is_branch(value) else name
        return _fill(node.options[position], (*path, "choice", position), branch, choose, picks)
    if isinstance(node, Mapping):
        return {k: _fill(v, (*path, k), _join(name, k), choose, picks) for k, v in node.items()}
    if isinstance(node, list):
        return [_fill(v, (*path, i), _join(name, i), choose, picks) for i, v in enumerate(node)]
    return node


def leaves(tree: Mapping[str, Any], picks: Mapping[str, Label]) -> dict[str, Label]:
    """The leaves of a filled tree under the names of its dimensions.

    A choice's own name holds the label of its branch, and a branch's leaves carry that label, so
    that `model.schedule` is `cosine` and `model.schedule.cosine.max_beta` is a number. Lists are
    written as JSON. The keys that name a branch are left out below it.
    """
    found: dict[str, Label] = {}

    def walk(node: Any, name: str, in_branch: bool) -> None:
        if isinstance(node, Mapping):
            label = picks.get(name)
            if label is not None and name:
                found[name] = label
                name, in_branch = _join(name, str(label)), True
            for key, value in node.items():
                if in_branch and key in DISCRIMINATORS and not isinstance(value, Mapping):
                    continue
                walk(value, _join(name, key), False)
        elif isinstance(node, list | tuple):
            found[name] = json.dumps(list(node))
        else:
            found[name] = node

    walk(tree, "", False)
    return found
