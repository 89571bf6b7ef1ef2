"""Holes: what a study file may put in place of a leaf to make it a search dimension.

There are three, and no others::

    {float: [1.0e-5, 1.0e-2], log: true}    # step: 0.1 makes it a grid
    {int: [100, 2000], log: true}           # step: 100
    {choice: [adam, sgd]}                   # options may be numbers, names, lists or sub-trees
    {choice: {small: [16], large: [64]}}    # the same, with a name for each
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Label = str | int | float | bool | None
"""What a search records for a value: the number itself, or the name of a choice's option."""

DISCRIMINATORS = ("kind", "family")
"""Keys that name a sub-tree: a choice's branch `{kind: cosine, ...}` is called `cosine`."""


class HoleError(ValueError):
    """A hole that cannot be searched; the message is the rule it breaks."""


@dataclass(frozen=True)
class Range:
    """A `float` or `int` hole: low <= value <= high, both ends included."""

    kind: str  # "float" or "int"
    low: float
    high: float
    log: bool = False
    step: float | None = None

    def contains(self, value: Any) -> bool:
        """Whether a value of the right type lies in the range and on its grid."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        if self.kind == "int" and not isinstance(value, int):
            return False
        if not self.low <= value <= self.high:
            return False
        if self.step is None:
            return True
        steps = (value - self.low) / self.step
        return math.isclose(steps, round(steps), abs_tol=1e-8)

    @property
    def highest(self) -> float:
        """The last value: `high`, or the last step that does not pass it."""
        if self.step is None:
            return self.high
        return self._at(math.floor((self.high - self.low) / self.step + 1e-8))

    @property
    def size(self) -> int | None:
        """How many values there are, None for a continuous range."""
        if self.step is not None:
            return math.floor((self.high - self.low) / self.step + 1e-8) + 1
        if self.low == self.high:
            return 1
        return int(self.high) - int(self.low) + 1 if self.kind == "int" else None

    def values(self) -> Sequence[Label] | None:
        """Every value, None for a continuous range."""
        if self.step is not None:
            return [self._at(index) for index in range(self.size or 0)]
        if self.kind == "int":
            return range(int(self.low), int(self.high) + 1)
        return [float(self.low)] if self.low == self.high else None

    def grid(self) -> Sequence[Label] | None:
        """Every value if all are worth trying, None for a continuous or logarithmic range."""
        return None if self.step is None and (self.kind == "float" or self.log) else self.values()

    def _at(self, index: int) -> float:
        assert self.step is not None
        # 0.1 + 2 * 0.1 is a little more than 0.3.
        return min(self.low + index * self.step, self.high)

    def __str__(self) -> str:
        notes = (", log" if self.log else "") + (f", step {_show(self.step)}" if self.step else "")
        return f"{self.kind} {_show(self.low)} to {_show(self.high)}{notes}"


@dataclass(frozen=True)
class Choice:
    """A `choice` hole: one of several options, each under its own label."""

    labels: tuple[Label, ...]
    options: tuple[Any, ...]  # parsed sub-trees, which may hold holes
    keys: tuple[str | int, ...]  # what each stands under in the file: its place, or its name

    def option(self, label: Label) -> Any:
        """The sub-tree under a label."""
        return self.options[self.position(label)]

    def position(self, label: Label) -> int:
        """Index of a label; True and 1 are different labels."""
        for index, known in enumerate(self.labels):
            if known == label and type(known) is type(label):
                return index
        raise HoleError(f"{_yaml(label)} is not {self}")

    def is_branch(self, label: Label) -> bool:
        """Whether the option is a sub-tree, whose dimensions carry its label in their names."""
        return _branches(self.option(label))

    def __str__(self) -> str:
        return "one of " + ", ".join(map(_yaml, self.labels))


Hole = Range | Choice

MOST_OPTIONS = 1000
"""Of a choice: each is validated before a study starts."""

_KINDS = ("float", "int", "choice")
_A = {"float": "a float", "int": "an int", "choice": "a choice"}
_OPTIONS = {"float": {"log", "step"}, "int": {"log", "step"}, "choice": set[str]()}


def is_hole(node: Any) -> bool:
    """Whether a node of the file is written as a hole (rightly or not)."""
    return isinstance(node, Mapping) and any(kind in node for kind in _KINDS)


def parse_hole(node: Mapping[str, Any]) -> Hole:
    """Read a hole. The options of a choice are left as they stand.

    Raises:
        HoleError: It cannot be searched.
    """
    kinds = [kind for kind in _KINDS if kind in node]
    if len(kinds) > 1:
        raise HoleError(f"a hole is one of float, int and choice, not {' and '.join(kinds)}")
    kind = kinds[0]
    unknown = sorted(set(node) - _OPTIONS[kind] - {kind})
    if unknown:
        allowed = " and ".join(sorted(_OPTIONS[kind])) or "nothing else"
        raise HoleError(f"unknown key `{unknown[0]}` in {_A[kind]} hole, which takes {allowed}")
    return _parse_choice(node[kind]) if kind == "choice" else _parse_range(kind, node)


def _parse_range(kind: str, node: Mapping[str, Any]) -> Range:
    bounds, log, step = node[kind], node.get("log", False), node.get("step")
    if not isinstance(bounds, list) or len(bounds) != 2:
        raise HoleError(f"{_A[kind]} hole is written {{{kind}: [low, high]}}, not {bounds!r}")
    for value in bounds if step is None else [*bounds, step]:
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not math.isfinite(value)
        ):
            raise HoleError(f"{value!r} in {_A[kind]} hole is not a finite number")
        if kind == "int" and not isinstance(value, int):
            raise HoleError(f"{value!r} in an int hole is not a whole number")
    low, high = bounds
    if not isinstance(log, bool):
        raise HoleError(f"`log` is {log!r}, but must be true or false")
    if low > high:
        raise HoleError(f"low {_show(low)} is greater than high {_show(high)}")
    if log and low <= 0:
        raise HoleError(f"log of {_show(low)}: a log range must begin above 0")
    if log and step is not None:
        raise HoleError("`log` and `step` cannot go together")
    if step is not None and step <= 0:
        raise HoleError(f"`step` is {_show(step)}, but must be greater than 0")
    return Range(kind, low, high, log, step)


def _parse_choice(options: Any) -> Choice:
    if isinstance(options, Mapping) and not any(key in options for key in DISCRIMINATORS):
        keys: tuple[str | int, ...] = tuple(options)
        options = list(options.values())
    elif isinstance(options, list):
        keys = tuple(range(len(options)))
    else:
        raise HoleError(
            "a choice hole is written {choice: [a, b]} or {choice: {one: a, other: b}}, "
            f"not {options!r}"
        )
    if not options:
        raise HoleError("an empty choice: at least one option must be given")
    if len(options) > MOST_OPTIONS:
        raise HoleError(
            f"a choice has at most {MOST_OPTIONS:,} options, this one has {len(options):,}: "
            "a range is written {int: [low, high]} or {float: [low, high]}"
        )
    for option in options:
        if is_hole(option):
            raise HoleError(
                "an option of a choice cannot itself be a hole; it may hold holes inside"
            )
    labels = [_label(option, index) for index, option in enumerate(options)]
    if isinstance(keys[0], str):
        for key in keys:
            if not key or not set(".#").isdisjoint(str(key)):
                raise HoleError(f"the name {key!r} of an option must not be empty or hold . or #")
        return Choice(tuple(map(str, keys)), tuple(options), keys)
    return Choice(tuple(_distinct(labels, options)), tuple(options), keys)


def _distinct(labels: list[Label], options: list[Any]) -> list[Label]:
    for index, label in enumerate(labels):
        if not isinstance(label, str) and label in labels[:index]:
            twin = labels[labels.index(label)]
            # 1 and 1.0, or 1 and true: a search could not tell them apart.
            if str(twin) != str(label):
                raise HoleError(f"the options {_yaml(twin)} and {_yaml(label)} are equal")
    names = [str(label) for label in labels]
    plain = [name for name, option in zip(names, options, strict=True) if not _branches(option)]
    for index, name in enumerate(names):
        if not _branches(options[index]):
            if plain.count(name) > 1:
                raise HoleError(f"the option {_yaml(labels[index])} stands twice in the choice")
        elif names.count(name) > 1:
            # Two branches of one kind (two linear schedules, say) differ by their place.
            labels[index] = f"{name}#{index}"
    return labels


def _branches(option: Any) -> bool:
    return isinstance(option, Mapping)


def _label(option: Any, index: int) -> Label:
    if isinstance(option, Mapping):
        names = [option[key] for key in DISCRIMINATORS if isinstance(option.get(key), str)]
        return names[0] if names else f"#{index}"
    if isinstance(option, list):
        if any(isinstance(item, Mapping) for item in option):
            raise HoleError(
                "a list that is an option of a choice holds plain values only: write out each list"
            )
        return json.dumps(option)
    if isinstance(option, float) and not math.isfinite(option):
        raise HoleError(f"{option!r} cannot be an option of a choice: it is no finite number")
    if option is None or isinstance(option, bool | int | float | str):
        return option
    raise HoleError(f"{option!r} cannot be an option of a choice")


def _show(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.12g}"


def _yaml(label: Label) -> str:
    return str(json.dumps(label)) if label is None or isinstance(label, bool) else str(label)
