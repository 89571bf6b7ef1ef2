"""Holes as other tools write them, put into our words with the user's own numbers.

Weights & Biases, Ray Tune, NNI, Hydra's sweepers, Optuna and hyperopt each have a way. A study file
takes none of them: whoever brings one along is shown ours, ready to be copied.
"""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from study.spec.holes import HoleError, parse_hole
from study.spec.yaml_file import parse_scalar

_LONGEST = 300  # of a text that is looked at

Plain = Any
"""A hole of ours as a plain mapping, or a constant."""


class _NotForeign(Exception):
    """A value that only looks like another tool's hole."""


_NOT_READ = (
    *(_NotForeign, HoleError),
    # Any text may come here, and is taken apart without looking.
    *(SyntaxError, ValueError, TypeError, ArithmeticError, LookupError),
    *(RecursionError, MemoryError),
)


def in_our_words(value: Any) -> str | None:
    """`a hole as in Ray Tune: write {float: [...]}` for a foreign hole, None for anything else."""
    try:
        if isinstance(value, Mapping):
            tool, ours = _of_mapping(value)
        elif isinstance(value, str) and "(" in value and len(value) <= _LONGEST:
            tool, ours = _of_call(ast.parse(value.strip(), mode="eval").body)
        else:
            return None
        if isinstance(ours, Mapping):
            parse_hole(ours)
    except _NOT_READ:
        return None
    return f"a hole as in {tool}: write {flow_yaml(ours)}"


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


def _range(
    kind: str, low: Any, high: Any, *, log: bool = False, step: Any = None
) -> dict[str, Any]:
    number = int if kind == "int" else float
    if any(isinstance(each, bool) or not isinstance(each, int | float) for each in (low, high)):
        raise _NotForeign
    hole: dict[str, Any] = {kind: [number(low), number(high)]}
    if log:
        return {**hole, "log": True}  # which goes without a step
    return hole if step is None else {**hole, "step": number(step)}


def _kind_of(*numbers: Any) -> str:
    whole = all(isinstance(each, int) for each in numbers if each is not None)
    return "int" if whole else "float"


def _choice(options: Any) -> dict[str, Any]:
    if not isinstance(options, list | tuple):
        raise _NotForeign
    return {"choice": [*options]}


def _of_mapping(node: Mapping[str, Any]) -> tuple[str, Plain]:
    keys = {*node}
    if keys == {"_type", "_value"}:
        return "NNI", _nni(str(node["_type"]), node["_value"])
    if keys == {"grid_search"}:
        return "Ray Tune", _choice(node["grid_search"])
    if "type" in keys and keys <= {"type", "name", "low", "high", "log", "step", "choices"}:
        return "Optuna", _optuna(node)
    if keys & {"low", "high"} and keys <= {"low", "high", "log", "step"}:
        return "Optuna", _optuna({"type": _kind_of(node.get("low"), node.get("high")), **node})
    if keys <= {"min", "max", "distribution", "q", "values", "value", "probabilities"}:
        return "Weights & Biases", _wandb(node)
    raise _NotForeign


def _nni(kind: str, value: Any) -> Plain:
    match kind, value:
        case "choice", options:
            return _choice(options)
        case "randint", [low, high]:
            return _range("int", low, high - 1)
        case "uniform", [low, high]:
            return _range("float", low, high)
        case ("loguniform", [low, high]) | ("qloguniform", [low, high, _]):
            return _range("float", low, high, log=True)
        case "quniform", [low, high, step]:
            return _range(_kind_of(low, high, step), low, high, step=step)
    raise _NotForeign


def _optuna(node: Mapping[str, Any]) -> Plain:
    kind = str(node["type"]).removesuffix("Distribution").lower()
    if kind == "categorical" or "choices" in node:
        return _choice(node.get("choices"))
    if kind not in ("float", "int"):
        raise _NotForeign
    log = node.get("log") is True
    return _range(kind, node.get("low"), node.get("high"), log=log, step=node.get("step"))


def _wandb(node: Mapping[str, Any]) -> Plain:
    if "values" in node:
        return _choice(node["values"])
    if "value" in node:
        return node["value"]
    low: Any = node.get("min")
    high: Any = node.get("max")
    step = node.get("q")
    kind = str(node.get("distribution", "int_uniform" if _kind_of(low, high) == "int" else ""))
    if "log" in kind:
        if not kind.endswith("values") and low is not None and low <= 0:
            low, high = math.exp(low), math.exp(high)  # W&B's log_uniform takes exponents
        return _range("float", low, high, log=True)
    if "normal" in kind:
        raise _NotForeign
    if kind.startswith("int"):
        return _range("int", low, high, step=step)
    return _range("float", low, high, step=step)


def _of_call(node: ast.expr) -> tuple[str, Plain]:
    if not isinstance(node, ast.Call):
        raise _NotForeign
    if isinstance(node.func, ast.Attribute):
        owner = _literal(node.func.value)
        name = node.func.attr
        args = [_literal(arg) for arg in node.args]
        named = {word.arg: _literal(word.value) for word in node.keywords if word.arg}
        if name.startswith("suggest_"):
            return "Optuna", _suggested(name.removeprefix("suggest_"), args, named)
        if owner == "hp":
            return "hyperopt", _sampled(name, args[1:], exponents=True)
        return "Ray Tune", _sampled(name, [*args, *named.values()])
    if isinstance(node.func, ast.Name):
        return "Hydra", _hydra(node)
    raise _NotForeign


def _suggested(name: str, args: list[Any], named: Mapping[str, Any]) -> Plain:
    """Of `trial.suggest_float("lr", 1e-4, 1e-1, log=True)`."""
    values = {**dict(zip(("name", "low", "high", "step"), args, strict=False)), **named}
    match name:
        case "categorical":
            return _choice(named.get("choices", args[1] if len(args) > 1 else None))
        case "loguniform":
            return _optuna({**values, "type": "float", "log": True})
        case "uniform" | "discrete_uniform":
            return _optuna({**values, "type": "float"})
        case "float" | "int":
            return _optuna({**values, "type": name})
    raise _NotForeign


def _sampled(name: str, args: Sequence[Any], *, exponents: bool = False) -> Plain:
    """Of `tune.loguniform(1e-4, 1e-1)`; hyperopt's logarithmic bounds are `exponents` of e."""
    unscaled: Callable[[float], float] = math.exp if exponents else float
    match name, [*args]:
        case (("choice" | "grid_search"), [options]):
            return _choice(options)
        case "uniform", [low, high]:
            return _range("float", low, high)
        case "quniform", [low, high, step]:
            return _range("float", low, high, step=step)
        case ("loguniform", [low, high, *_]) | ("qloguniform", [low, high, *_]):
            return _range("float", unscaled(low), unscaled(high), log=True)
        case "randint", [high]:
            return _range("int", 0, high - 1)
        case "randint", [low, high]:
            return _range("int", low, high - 1)
        case "qrandint", [low, high, step]:
            return _range("int", low, high, step=step)
        case "lograndint", [low, high, *_]:
            return _range("int", low, high - 1, log=True)
    raise _NotForeign


def _hydra(node: ast.Call) -> Plain:
    """Of `choice(a, b)`, `interval(0, 1)`, `range(1, 10)`, `tag(log, interval(0.001, 0.1))`."""
    assert isinstance(node.func, ast.Name)
    match node.func.id, node.args:
        case "choice", options:
            return _choice([_literal(option) for option in options])
        case "interval", [first, last]:
            return _range("float", _literal(first), _literal(last))
        case "range", bounds:
            ends = [_literal(bound) for bound in bounds]
            low, high = (0, ends[0]) if len(ends) == 1 else ends[:2]
            step = ends[2] if len(ends) > 2 else None
            kind = _kind_of(low, high, step)
            # The end of a Hydra range is not in it.
            return _range(kind, low, high - (step or 1), step=step)
        case "tag", [*tags, ast.Call() as inner]:
            hole = _hydra(inner)
            log = "log" in [_literal(tag) for tag in tags]
            return {**hole, "log": True} if log and isinstance(hole, Mapping) else hole
        case "int", [ast.Call() as inner]:
            hole = _hydra(inner)
            return _range("int", *hole["float"], log="log" in hole)
    raise _NotForeign


def _literal(node: ast.expr) -> Any:
    """A number, a text, a list; a bare word is a text, as in `choice(adam, sgd)`."""
    if isinstance(node, ast.Name):
        return {"true": True, "false": False, "null": None}.get(node.id, node.id)
    if isinstance(node, ast.List | ast.Tuple):
        return [_literal(item) for item in node.elts]
    if isinstance(node, ast.Attribute):
        return f"{_literal(node.value)}.{node.attr}"
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        base, exponent = _literal(node.left), _literal(node.right)
        if abs(exponent) > 100:
            raise _NotForeign
        return base**exponent
    return ast.literal_eval(node)
