"""A study file's tree with its holes parsed, and the walks over it that name its dimensions.

A dimension's name is its path, with the label of the branch where a choice was taken:
`model.schedule` (which branch), `model.schedule.cosine.max_beta` (a hole inside one).
"""

from __future__ import annotations

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


def parse_holes(node: Any, path: TreePath = ()) -> Any:
    """The tree with its holes parsed, below a path.

    Raises:
        SpaceError: A hole that cannot be searched.
    """
    if is_hole(node):
        try:
            hole = parse_hole(node)
        except HoleError as error:
            raise SpaceError(path, str(error)) from None
        if isinstance(hole, Choice):
            options = (
                parse_holes(option, (*path, "choice", key))
                for key, option in zip(hole.keys, hole.options, strict=True)
            )
            hole = Choice(hole.labels, tuple(options), hole.keys)
        return hole
    if isinstance(node, Mapping):
        return {key: parse_holes(value, (*path, key)) for key, value in node.items()}
    if isinstance(node, list):
        return [parse_holes(value, (*path, index)) for index, value in enumerate(node)]
    return node


def join_name(prefix: str, key: str | int) -> str:
    """The name of what stands under a key."""
    return f"{prefix}.{key}" if prefix else str(key)


def walk_holes(node: Any, path: TreePath = (), name: str = "") -> Iterator[Dimension]:
    """Every hole below a node of a parsed tree, those inside branches too."""
    if isinstance(node, Range | Choice):
        yield Dimension(name, path, node)
    if isinstance(node, Choice):
        for key, label, option in zip(node.keys, node.labels, node.options, strict=True):
            branch = join_name(name, str(label)) if isinstance(option, Mapping) else name
            yield from walk_holes(option, (*path, "choice", key), branch)
    else:
        for key, value in _items(node):
            yield from walk_holes(value, (*path, key), join_name(name, key))


def _items(node: Any) -> Iterator[tuple[str | int, Any]]:
    if isinstance(node, Mapping):
        yield from node.items()
    elif isinstance(node, list):
        yield from enumerate(node)


def fill_holes(node: Any, path: TreePath, name: str, choose: Chooser, picks: Picks) -> Any:
    """The node without holes; what `choose` answered is added to `picks`.

    Raises:
        HoleError: An answer that is no value of its hole.
    """

    def below(child: Any, key: str | int) -> Any:
        return fill_holes(child, (*path, key), join_name(name, key), choose, picks)

    if isinstance(node, Mapping):
        return {key: below(value, key) for key, value in node.items()}
    if isinstance(node, list):
        return [below(value, index) for index, value in enumerate(node)]
    if not isinstance(node, Range | Choice):
        return node
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
    branch = join_name(name, str(value)) if node.is_branch(value) else name
    option_path = (*path, "choice", node.keys[position])
    return fill_holes(node.options[position], option_path, branch, choose, picks)


def leaves(tree: Mapping[str, Any], picks: Mapping[str, Label]) -> dict[str, Label]:
    """The leaves of a filled tree under the names of its dimensions.

    A choice's own name holds the label of its branch, and a branch's leaves carry that label, so
    that `model.schedule` is `cosine` and `model.schedule.cosine.max_beta` is a number. Lists are
    written as JSON. The keys that gave a branch its label are left out below it.
    """
    named: dict[str, Label] = {}

    def walk(node: Any, name: str, branch: str | None) -> None:
        if isinstance(node, Mapping):
            label = picks.get(name)
            if label is not None and name:
                named[name] = label
                branch = str(label)
                name = join_name(name, branch)
            for key, value in node.items():
                if branch and key in DISCRIMINATORS and value == branch.partition("#")[0]:
                    continue
                walk(value, join_name(name, key), None)
        elif isinstance(node, list | tuple):
            named[name] = picks[name] if name in picks else json.dumps(list(node))
            below = f"{name}."
            named.update({pick: value for pick, value in picks.items() if pick.startswith(below)})
        else:
            named[name] = picks.get(name, node)

    walk(tree, "", None)
    return named
