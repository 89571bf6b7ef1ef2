"""Optuna's samplers by the names of the study file, set up for concurrent, conditional trials."""

from __future__ import annotations

import logging
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


# What samplers draw at random beside their search is said by `study.spec.reach`, once and before
# anything runs; Optuna would say it for each trial.


def _cma_es(seed: int) -> BaseSampler:
    return CmaEsSampler(seed=seed, warn_independent_sampling=False)


def _gp(seed: int) -> BaseSampler:
    return GPSampler(seed=seed, warn_independent_sampling=False)


def _qmc(seed: int) -> BaseSampler:
    # The one of QMC's warnings that no option switches off, and its only other one is about seeds.
    logging.getLogger("optuna.samplers._qmc").setLevel(logging.ERROR)
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
