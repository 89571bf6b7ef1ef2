"""The search space of a study file: its holes, walked in the file's order.

`Space.fill` walks the tree and asks a chooser for a value at each hole that it reaches, so that a
hole inside a branch is asked for only when its branch was chosen. Conditional spaces need nothing
more: a search passes `trial.suggest_*`, a test passes recorded picks, `branches` passes each option
in turn.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from study.spec.holes import Choice, Hole, HoleError, Label, Range
from study.spec.tree import (
    Chooser,
    Dimension,
    Picks,
    fill_holes,
    join_name,
    parse_holes,
    walk_holes,
)
from study.spec.yaml_file import TreePath

MOST_BRANCHES = 1024
"""Ways through the choices between sub-trees: each is validated before a study starts."""
MOST_CORNERS = 2048


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
        self.tree = parse_holes(tree)

    def dimensions(self) -> list[Dimension]:
        """Every hole, in the file's order, those inside branches too."""
        return list(walk_holes(self.tree))

    def fill(self, choose: Chooser) -> Filled:
        """Fill every hole that is reached with what `choose` answers.

        Raises:
            HoleError: An answer that is no value of its hole.
        """
        picks: Picks = {}
        return Filled(fill_holes(self.tree, (), "", choose, picks), picks)

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

    def branches(self, limit: int = MOST_BRANCHES) -> Iterator[Filled]:
        """One filled tree for each way through the choices between sub-trees.

        Ranges and plain choices take their first value.

        Raises:
            HoleError: There are more than `limit` ways.
        """
        yield from itertools.islice(self._ways(_branch_values), limit)
        if next(itertools.islice(self._ways(_branch_values), limit, None), None) is not None:
            raise HoleError(f"more than {limit} ways through the choices")

    def grid(self) -> Iterator[Filled]:
        """Every filled tree of a space that is finite.

        Raises:
            HoleError: A continuous range, which has no finite grid without a `step`.
        """
        return self._ways(_grid_values)

    @property
    def size(self) -> int | None:
        """How many points there are, None if a range is continuous."""
        return _size(self.tree)

    def points(self) -> Iterator[Filled]:
        """Every filled tree of a space that has a size, those of logarithmic ranges too."""
        return self._ways(_all_values)

    def conditional(self, dimension: Dimension) -> bool:
        """Whether there are points without this dimension: it lies in a branch of several."""
        holes = {each.name: each.hole for each in self.dimensions()}
        above = (holes[name] for name, _ in self.branches_above(dimension.name))
        return any(isinstance(hole, Choice) and len(hole.labels) > 1 for hole in above)

    def corners(self) -> Iterator[Filled]:
        """Filled trees that together try every option and both ends of every range.

        For each branch: all ranges at their low and at their high end; then each dimension in turn
        at its ends or options with the others at their first value. Where that makes more than
        `MOST_CORNERS`, each dimension's turn comes in the first branch that reaches it alone.

        Raises:
            HoleError: There are too many branches.
        """
        bases = [*self.branches()]
        reached = [[d for d in self._reached(base.picks) if not _is_fork(d)] for base in bases]
        many = sum(len(_ends(each.hole)) for turns in reached for each in turns) > MOST_CORNERS
        tried: set[str] = set()
        for base, turns in zip(bases, reached, strict=True):
            for end in (0, -1):
                yield self.fill(_with_ends(base.picks, end))
            for dimension in turns:
                if many and dimension.name in tried:
                    continue
                tried.add(dimension.name)
                for value in _ends(dimension.hole):
                    yield self.fill(_with_override(base.picks, dimension.name, value))

    def way(self, picks: Picks) -> frozenset[tuple[str, Label]]:
        """Which way some picks go through the choices between sub-trees."""
        choices = {each.name for each in self.dimensions() if _is_fork(each)}
        return frozenset((name, label) for name, label in picks.items() if name in choices)

    def locate(self, path: TreePath, picks: Mapping[str, Label]) -> TreePath:
        """Where in the file the value at a filled tree's path is written."""
        node, name = self.tree, ""
        written: TreePath = ()
        for step in (*path, None):
            if isinstance(node, Choice):
                label = picks[name]
                position = node.position(label)
                name = join_name(name, str(label)) if node.is_branch(label) else name
                written = (*written, "choice", node.keys[position])
                node = node.options[position]
            if step is None or isinstance(node, Range):
                break
            name = join_name(name, step)
            written = (*written, step)
            inside = isinstance(node, Mapping) and step in node
            node = (
                node[step]
                if inside or (isinstance(node, list) and step in range(len(node)))
                else None
            )
        return written

    def branches_above(self, name: str) -> list[tuple[str, Label]]:
        """The choices, and the branch of each, that a dimension lies in; outermost first."""
        return [
            (above.name, label)
            for above in self.dimensions()
            if isinstance(above.hole, Choice)
            for label in above.hole.labels
            if above.hole.is_branch(label)
            and name.startswith(join_name(above.name, str(label)) + ".")
        ]

    def _reached(self, picks: Picks) -> list[Dimension]:
        reached: list[Dimension] = []

        def note(dimension: Dimension) -> Label:
            reached.append(dimension)
            return picks[dimension.name]

        self.fill(note)
        return reached

    def _ways(self, values_of: Callable[[Dimension], Sequence[Label]]) -> Iterator[Filled]:
        # Depth first over the answers: the first run takes every first value and records what else
        # could have been answered; each later run replays a prefix and takes the next value.
        prefix: list[Label] = []
        while True:
            answers: list[tuple[Label, Sequence[Label]]] = []

            def answer(
                dimension: Dimension,
                answers: list[tuple[Label, Sequence[Label]]] = answers,
                prefix: list[Label] = prefix,
            ) -> Label:
                values = values_of(dimension)
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


def _index(answer: tuple[Label, Sequence[Label]]) -> int:
    chosen, values = answer
    return next(i for i, v in enumerate(values) if v == chosen and type(v) is type(chosen))


def _is_fork(dimension: Dimension) -> bool:
    """Whether a dimension is a choice between sub-trees."""
    hole = dimension.hole
    return isinstance(hole, Choice) and any(map(hole.is_branch, hole.labels))


def _branch_values(dimension: Dimension) -> Sequence[Label]:
    """All options of a choice between sub-trees, the first value of anything else."""
    ends = _ends(dimension.hole)
    return ends if _is_fork(dimension) else ends[:1]


def _grid_values(dimension: Dimension) -> Sequence[Label]:
    hole = dimension.hole
    grid = [*hole.labels] if isinstance(hole, Choice) else hole.grid()
    if grid is None:
        raise HoleError(
            f"`{dimension.name}` has no finite grid: give it a `step`, or make it a choice"
        )
    return grid


def _all_values(dimension: Dimension) -> Sequence[Label]:
    hole = dimension.hole
    values = [*hole.labels] if isinstance(hole, Choice) else hole.values()
    assert values is not None  # the space has a size
    return values


def _size(node: Any) -> int | None:
    """How many ways there are to fill a part of a parsed tree, None if a range is continuous."""
    if isinstance(node, Range):
        return node.size
    if isinstance(node, Mapping | list):
        below = node.values() if isinstance(node, Mapping) else node
        sizes = [_size(value) for value in below]
        return None if None in sizes else math.prod(size for size in sizes if size)
    if isinstance(node, Choice):
        sizes = [_size(option) for option in node.options]
        return None if None in sizes else sum(size for size in sizes if size)
    return 1


def _ends(hole: Hole) -> list[Label]:
    if isinstance(hole, Choice):
        return [*hole.labels]
    number = int if hole.kind == "int" else float
    return [number(hole.low), number(hole.highest)]


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
