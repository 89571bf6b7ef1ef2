"""Optuna's samplers by the names of the study file, set up for concurrent, conditional trials."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping

import optuna
from optuna.samplers import (
    BaseSampler,
    CmaEsSampler,
    GPSampler,
    QMCSampler,
    RandomSampler,
    TPESampler,
)


def _tpe(seed: int) -> BaseSampler:
    # Conditional spaces want group=True; constant_liar keeps lanes that run side by side from
    # proposing the same point.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True)


def _cma_es(seed: int) -> BaseSampler:
    # Choices and dimensions of a branch are outside CMA-ES's continuous space, and sampled alone.
    return CmaEsSampler(seed=seed, warn_independent_sampling=False)


def _gp(seed: int) -> BaseSampler:
    return GPSampler(seed=seed, warn_independent_sampling=False)


def _qmc(seed: int) -> BaseSampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return QMCSampler(seed=seed, scramble=True, warn_independent_sampling=False)


SAMPLERS: Mapping[str, Callable[[int], BaseSampler]] = {
    "tpe": _tpe,
    "random": lambda seed: RandomSampler(seed=seed),
    # A grid is enqueued whole (see `Search`), so its sampler is never asked.
    "grid": lambda seed: RandomSampler(seed=seed),
    "cma-es": _cma_es,
    "gp": _gp,
    "qmc": _qmc,
}
