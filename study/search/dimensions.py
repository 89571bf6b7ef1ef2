"""A study file's dimensions as Optuna knows them."""

from __future__ import annotations

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from study.spec import Dimension
from study.spec.holes import Choice, Label


def distribution(dimension: Dimension) -> BaseDistribution:
    """What a sampler draws a dimension's values from."""
    hole = dimension.hole
    if isinstance(hole, Choice):
        return CategoricalDistribution(hole.labels)
    if hole.kind == "int":
        step = 1 if hole.step is None else int(hole.step)
        return IntDistribution(int(hole.low), int(hole.high), log=hole.log, step=step)
    return FloatDistribution(hole.low, hole.high, log=hole.log, step=hole.step)


def suggest(trial: optuna.Trial, dimension: Dimension) -> Label:
    """A dimension's value in a trial."""
    name, hole = dimension.name, dimension.hole
    if isinstance(hole, Choice):
        return trial.suggest_categorical(name, hole.labels)
    if hole.kind == "int":
        step = 1 if hole.step is None else int(hole.step)
        return trial.suggest_int(name, int(hole.low), int(hole.high), log=hole.log, step=step)
    return trial.suggest_float(name, hole.low, hole.high, log=hole.log, step=hole.step)
