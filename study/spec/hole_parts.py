"""What is common to reading holes that others wrote: their values, our ranges, and YAML to copy."""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Mapping
from typing import Any

from study.spec.holes import HoleError
from study.spec.yaml_file import parse_scalar

LONGEST = 300
"""Characters of a text that is looked at."""

Plain = Any
"""A hole of ours as a plain mapping, or a constant."""


class NotAHole(Exception):
    """A value that cannot be read as a hole."""


NOT_READ = (
    *(NotAHole, HoleError),
    # Any text may come here, and is taken apart without looking.
    *(SyntaxError, ValueError, TypeError, ArithmeticError, LookupError),
    *(RecursionError, MemoryError),
)


def make_range(
    kind: str, low: Any, high: Any, *, log: bool = False, step: Any = None
) -> dict[str, Any]:
    """A `float` or `int` hole.

    Raises:
        NotAHole: An end that is no number.
    """
    number = int if kind == "int" else float
    if any(isinstance(each, bool) or not isinstance(each, int | float) for each in (low, high)):
        raise NotAHole
    hole: dict[str, Any] = {kind: [number(low), number(high)]}
    if log:
        return {**hole, "log": True}  # which goes without a step
    return hole if step is None else {**hole, "step": number(step)}


def make_choice(options: Any) -> dict[str, Any]:
    """A `choice` hole.

    Raises:
        NotAHole: Options that are no list.
    """
    if not isinstance(options, list | tuple):
        raise NotAHole
    return {"choice": [*options]}


def kind_of(*numbers: Any) -> str:
    """`int` if all numbers are whole, those that are None left out."""
    whole = all(isinstance(each, int) for each in numbers if each is not None)
    return "int" if whole else "float"


def literal(node: ast.expr) -> Any:
    """A number, a text, a list; a bare word is a text, as in `choice(adam, sgd)`."""
    if isinstance(node, ast.Name):
        return {"true": True, "false": False, "null": None}.get(node.id, node.id)
    if isinstance(node, ast.List | ast.Tuple):
        return [literal(item) for item in node.elts]
    if isinstance(node, ast.Attribute):
        return f"{literal(node.value)}.{node.attr}"
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        base, exponent = literal(node.left), literal(node.right)
        if abs(exponent) > 100:
            raise NotAHole
        return base**exponent
    return ast.literal_eval(node)


def flow_yaml(value: Any) -> str:
    """A plain value in one line of YAML, its numbers as every version of YAML reads them."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {flow_yaml(below)}" for key, below in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow_yaml, value)) + "]"
    if isinstance(value, float) and math.isfinite(value):
        if value == 0 or 1e-3 <= abs(value) < 1e6:
            return repr(value)
        mantissa, exponent = f"{value:.12e}".split("e")
        digits = mantissa.rstrip("0")
        return f"{digits}{'0' if digits.endswith('.') else ''}e{int(exponent)}"
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z_][\w-]*", value, re.ASCII):
        return value if parse_scalar(value) == value else json.dumps(value)
    return json.dumps(value)
