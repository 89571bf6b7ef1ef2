"""What is written almost as a hole: a range or options under other words, as a call, or bare.

`study.spec.foreign_holes` knows the tools by their marks. Here no tool is known: two ends of a
range, or a list of options, are put into our words whatever they are called.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any

from study.spec.errors import UserError
from study.spec.foreign_names import normalised
from study.spec.hole_parts import (
    LONGEST,
    NOT_READ,
    NotAHole,
    flow_yaml,
    kind_of,
    literal,
    make_choice,
    make_range,
)
from study.spec.holes import parse_hole
from study.spec.yaml_file import parse_scalar

FORMS = "{float: [low, high]}, {int: [low, high]} or {choice: [a, b]}"
"""All holes there are."""

_MOST_SHOWN = 120  # characters of a hole

_REAL = frozenset(("float", "floats", "double", "real", "uniform"))
_WHOLE = frozenset(("int", "ints", "integer", "integers", "randint"))
_LOGARITHMIC = frozenset(("loguniform", "loginterval", "logfloat", "logrange", "reciprocal"))
_RANGES = {"range", "bounds", "limits", "interval", "domain", *_REAL, *_WHOLE, *_LOGARITHMIC}

_PARTS: Mapping[str, str] = {
    "low": "min minimum minvalue low lower lowerbound start from",
    "high": "max maximum maxvalue high upper upperbound stop end to",
    "bounds": " ".join(_RANGES),
    "options": "choice choices choose options values categories categorical oneof anyof enum grid",
    "log": "log logscale logarithmic islog uselog",
    "step": "step stepsize q quantum quantization",
    "scale": "scale scaletype scaling distribution dist prior type parametertype valuetype",
    "about": "name default defaultvalue description ordered isordered weights",
}
"""The parts of a hole, and what they are called here and there, without case and dashes."""

_PART_OF = {name: part for part, names in _PARTS.items() for name in names.split()}


def hole_hint(value: Any, *, list_wanted: bool = False) -> str:
    """How a value that cannot stand there is written as a hole; empty if it does not look like one.

    Args:
        value: What stands where a number, a name, a section or a list is wanted.
        list_wanted: Whether it is a list.
    """
    options = None if list_wanted else _listed(value)
    if options is not None:
        ours = _checked(lambda: make_choice(options))
        return "" if ours is None else f"to try each, write {ours}"
    if isinstance(value, Mapping):
        ours = _checked(lambda: _of_words(value))
    elif isinstance(value, str) and "(" in value and len(value) <= LONGEST:
        ours = _checked(lambda: _of_call(value))
    else:
        return ""
    return f"a hole is written {ours or FORMS}"


def hole_in(value: Any) -> str:
    """The hole that a mapping with a range or options is, in our words; empty if it is none."""
    return (_checked(lambda: _of_words(value)) or "") if isinstance(value, Mapping) else ""


def _checked(read: Callable[[], dict[str, Any]]) -> str | None:
    """A hole in YAML, its values left out where they are many; None if it is none."""
    try:
        hole = read()
        parse_hole(hole)
    except NOT_READ:
        return None
    shown = flow_yaml(hole)
    return shown if len(shown) <= _MOST_SHOWN else f"{{{next(iter(hole))}: [...]}}"


def _listed(value: Any) -> list[Any] | None:
    """The options in a list, or in a text with commas as Hydra has on its command line."""
    if isinstance(value, list):
        return value
    if not isinstance(value, str) or "(" in value or "," not in value or len(value) > LONGEST:
        return None
    try:
        return [parse_scalar(part) for part in value.split(",")]
    except UserError:
        return None


def _of_words(node: Mapping[str, Any]) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    names = [normalised(key) for key in node]
    for name, value in zip(names, node.values(), strict=True):
        part = _PART_OF.get(name)
        if part is None or (part in parts and part not in ("scale", "about")):
            raise NotAHole
        parts[part] = f"{parts.get(part, '')} {value}" if part == "scale" else value
    if "options" in parts:
        return make_choice(parts["options"])
    low, high = parts["bounds"] if "bounds" in parts else (parts["low"], parts["high"])
    scale = [*map(normalised, str(parts.get("scale", "")).split())]
    log = parts.get("log") in (True, 10) or any("log" in word for word in scale)
    return _range_of(low, high, [*names, *scale], log=log, step=parts.get("step"))


def _of_call(text: str) -> dict[str, Any]:
    """Of `uniform(0, 1)`, `FloatDistribution(1e-4, 0.1, log=True)`, `Categorical([a, b])`."""
    call = ast.parse(text.strip(), mode="eval").body
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute | ast.Name):
        raise NotAHole
    written = call.func.attr if isinstance(call.func, ast.Attribute) else call.func.id
    name = normalised(written).removesuffix("distribution")
    args = [literal(arg) for arg in call.args]
    named = {normalised(word.arg): literal(word.value) for word in call.keywords if word.arg}
    if _PART_OF.get(name) == "options":
        options = args[0] if len(args) == 1 else args
        return make_choice(named.get("choices", options))
    words = [name, name.removeprefix("q")]
    if not _RANGES.intersection(words):
        raise NotAHole
    low, high, *_ = [*args, *(named[key] for key in ("low", "high") if key in named)]
    log = named.get("log") is True or "log" in str(named.get("prior"))
    return _range_of(low, high, words, log=log, step=named.get("step", named.get("q")))


def _range_of(low: Any, high: Any, words: list[str], *, log: bool, step: Any) -> dict[str, Any]:
    """A range, of the type and the scale that these words say, else that its numbers have."""
    # ConfigSpace and W&B say `uniform_int` and `int_uniform`.
    kinds = {word.removeprefix("uniform").removesuffix("uniform") for word in words} | {*words}
    whole, real = kinds & _WHOLE, kinds & (_REAL | _LOGARITHMIC)
    kind = "int" if whole else "float" if real else kind_of(low, high, step)
    return make_range(kind, low, high, log=log or bool(kinds & _LOGARITHMIC), step=step)
