"""Optuna's pruners from the study file's settings. A step of theirs is an epoch of ours."""

from __future__ import annotations

import warnings

import optuna
from optuna import pruners

from study.spec.search import (
    AshaPruner,
    HyperbandPruner,
    MedianPruner,
    NonePruner,
    PatientPruner,
    PercentilePruner,
    Pruner,
    ThresholdPruner,
    WilcoxonPruner,
)


def make_pruner(settings: Pruner, epochs: int) -> pruners.BasePruner:
    """The Optuna pruner for a `search.pruner:` section.

    Args:
        settings: The section.
        epochs: The longest that a trial can run, which Hyperband divides into rungs.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        match settings:
            case NonePruner():
                return pruners.NopPruner()
            case AshaPruner():
                return pruners.SuccessiveHalvingPruner(
                    min_resource=settings.min_epochs,
                    reduction_factor=settings.reduction_factor,
                    min_early_stopping_rate=settings.early_stopping_rate,
                )
            case HyperbandPruner():
                return pruners.HyperbandPruner(
                    min_resource=settings.min_epochs,
                    max_resource=max(epochs, settings.min_epochs),
                    reduction_factor=settings.reduction_factor,
                )
            case MedianPruner():
                return pruners.MedianPruner(settings.startup_trials, settings.warmup_epochs)
            case PercentilePruner():
                return pruners.PercentilePruner(
                    settings.percentile, settings.startup_trials, settings.warmup_epochs
                )
            case PatientPruner():
                return pruners.PatientPruner(None, settings.patience, settings.min_delta)
            case WilcoxonPruner():
                return pruners.WilcoxonPruner(
                    p_threshold=settings.p_threshold, n_startup_steps=settings.startup_epochs
                )
            case ThresholdPruner():
                return pruners.ThresholdPruner(
                    settings.lower, settings.upper, settings.warmup_epochs
                )
