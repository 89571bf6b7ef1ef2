"""Holes as other tools write them, put into our words with the user's own numbers.

Weights & Biases, Ray Tune, NNI, Hydra's sweepers, Optuna and hyperopt each have a way. A study file
takes none of them: whoever brings one along is shown ours, ready to be copied.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from study.spec.hole_parts import (
    LONGEST,
    NOT_READ,
    NotAHole,
    Plain,
    flow_yaml,
    kind_of,
    literal,
    make_choice,
    make_range,
)
from study.spec.holes import parse_hole


@dataclass(frozen=True)
class ForeignHole:
    """A hole of another tool.

    Attributes:
        tool: Whose it is.
        ours: The same as we write it: a hole, or a constant.
    """

    tool: str
    ours: Plain

    def __str__(self) -> str:
        return f"a hole as in {self.tool}: write {flow_yaml(self.ours)}"


def in_our_words(value: Any) -> ForeignHole | None:
    """A foreign hole with ours in its place, None for anything else."""
    try:
        if isinstance(value, Mapping):
            tool, ours = _of_mapping(value)
        elif isinstance(value, str) and "(" in value and len(value) <= LONGEST:
            tool, ours = _of_call(ast.parse(value.strip(), mode="eval").body)
        else:
            return None
        if isinstance(ours, Mapping):
            parse_hole(ours)
    except NOT_READ:
        return None
    return ForeignHole(tool, ours)


def _of_mapping(node: Mapping[str, Any]) -> tuple[str, Plain]:
    keys = {*node}
    if keys == {"_type", "_value"}:
        return "NNI", _nni(str(node["_type"]), node["_value"])
    if keys == {"grid_search"}:
        return "Ray Tune", make_choice(node["grid_search"])
    if "type" in keys and keys <= {"type", "name", "low", "high", "log", "step", "choices"}:
        return "Optuna", _optuna(node)
    if keys & {"low", "high"} and keys <= {"low", "high", "log", "step"}:
        return "Optuna", _optuna({"type": kind_of(node.get("low"), node.get("high")), **node})
    if keys <= {"min", "max", "distribution", "q", "values", "value", "probabilities"}:
        return "Weights & Biases", _wandb(node)
    raise NotAHole


def _nni(kind: str, value: Any) -> Plain:
    match kind, value:
        case "choice", options:
            return make_choice(options)
        case "randint", [low, high]:
            return make_range("int", low, high - 1)
        case "uniform", [low, high]:
            return make_range("float", low, high)
        case ("loguniform", [low, high]) | ("qloguniform", [low, high, _]):
            return make_range("float", low, high, log=True)
        case "quniform", [low, high, step]:
            return make_range(kind_of(low, high, step), low, high, step=step)
    raise NotAHole


def _optuna(node: Mapping[str, Any]) -> Plain:
    kind = str(node["type"]).removesuffix("Distribution").lower()
    if kind == "categorical" or "choices" in node:
        return make_choice(node.get("choices"))
    if kind not in ("float", "int"):
        raise NotAHole
    log = node.get("log") is True
    return make_range(kind, node.get("low"), node.get("high"), log=log, step=node.get("step"))


def _wandb(node: Mapping[str, Any]) -> Plain:
    if "values" in node:
        return make_choice(node["values"])
    if "value" in node:
        return node["value"]
    low: Any = node.get("min")
    high: Any = node.get("max")
    step = node.get("q")
    kind = str(node.get("distribution", "int_uniform" if kind_of(low, high) == "int" else ""))
    if "log" in kind:
        if not kind.endswith("values") and low is not None and low <= 0:
            low, high = _exp(low), _exp(high)  # W&B's log_uniform takes exponents
        return make_range("float", low, high, log=True)
    if "normal" in kind:
        raise NotAHole
    if kind.startswith("int"):
        return make_range("int", low, high, step=step)
    return make_range("float", low, high, step=step)


def _of_call(node: ast.expr) -> tuple[str, Plain]:
    if not isinstance(node, ast.Call):
        raise NotAHole
    if isinstance(node.func, ast.Attribute):
        owner = literal(node.func.value)
        name = node.func.attr
        args = [literal(arg) for arg in node.args]
        named = {word.arg: literal(word.value) for word in node.keywords if word.arg}
        if name.startswith("suggest_"):
            return "Optuna", _suggested(name.removeprefix("suggest_"), args, named)
        if owner == "hp":
            return "hyperopt", _sampled(name, args[1:], exponents=True)
        if owner in ("tune", "ray.tune"):
            return "Ray Tune", _sampled(name, [*args, *named.values()])
    if isinstance(node.func, ast.Name):
        return "Hydra", _hydra(node)
    raise NotAHole


def _suggested(name: str, args: list[Any], named: Mapping[str, Any]) -> Plain:
    """Of `trial.suggest_float("lr", 1e-4, 1e-1, log=True)`."""
    values = {**dict(zip(("name", "low", "high", "step"), args, strict=False)), **named}
    match name:
        case "categorical":
            return make_choice(named.get("choices", args[1] if len(args) > 1 else None))
        case "loguniform":
            return _optuna({**values, "type": "float", "log": True})
        case "uniform" | "discrete_uniform":
            return _optuna({**values, "type": "float"})
        case "float" | "int":
            return _optuna({**values, "type": name})
    raise NotAHole


def _sampled(name: str, args: Sequence[Any], *, exponents: bool = False) -> Plain:
    """Of `tune.loguniform(1e-4, 1e-1)`; hyperopt's logarithmic bounds are `exponents` of e."""
    unscaled: Callable[[float], float] = _exp if exponents else float
    match name, [*args]:
        case (("choice" | "grid_search"), [options]):
            return make_choice(options)
        case "uniform", [low, high]:
            return make_range("float", low, high)
        case "quniform", [low, high, step]:
            return make_range("float", low, high, step=step)
        case ("loguniform", [low, high, *_]) | ("qloguniform", [low, high, *_]):
            return make_range("float", unscaled(low), unscaled(high), log=True)
        case "randint", [high]:
            return make_range("int", 0, high - 1)
        case "randint", [low, high]:
            return make_range("int", low, high - 1)
        case "qrandint", [low, high, step]:
            return make_range("int", low, high, step=step)
        case "lograndint", [low, high, *_]:
            return make_range("int", low, high - 1, log=True)
    raise NotAHole


def _hydra(node: ast.Call) -> Plain:
    """Of `choice(a, b)`, `interval(0, 1)`, `range(1, 10)`, `tag(log, interval(0.001, 0.1))`."""
    assert isinstance(node.func, ast.Name)
    match node.func.id, node.args:
        case "choice", options:
            return make_choice([literal(option) for option in options])
        case "interval", [first, last]:
            return make_range("float", literal(first), literal(last))
        case "range", bounds:
            ends = [literal(bound) for bound in bounds]
            low, high = (0, ends[0]) if len(ends) == 1 else ends[:2]
            step = ends[2] if len(ends) > 2 else None
            kind = kind_of(low, high, step)
            # The end of a Hydra range is not in it.
            return make_range(kind, low, high - (step or 1), step=step)
        case "tag", [*tags, ast.Call() as inner]:
            hole = _hydra(inner)
            log = "log" in [literal(tag) for tag in tags]
            return {**hole, "log": True} if log and isinstance(hole, Mapping) else hole
        case "int", [ast.Call() as inner]:
            hole = _hydra(inner)
            return make_range("int", *hole["float"], log="log" in hole)
    raise NotAHole


def _exp(exponent: float) -> float:
    # Who writes -9.21 means 0.0001.
    return float(f"{math.exp(exponent):.4g}")
