"""Optuna's pruners from the study file's settings. A step of theirs is an epoch of ours."""

from __future__ import annotations

import copy
import warnings

import optuna
from optuna import pruners

from study.spec.score import Score
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


def like_with_like(pruner: pruners.BasePruner, score: Score) -> pruners.BasePruner:
    """The pruner, shown only those of a trial's scores that are measured as its last one is.

    A distance falls as the number of images grows, and another metric has another scale: where
    rungs differ in either, a trial's earlier scores say nothing about its later ones. Of *other*
    trials, every pruner looks at scores of the same epoch, which are alike by definition. Bounds
    (the threshold pruner's) are of the score in full. Under Hyperband, samplers then learn from the
    trials of all brackets and not of one.

    Args:
        pruner: Any of Optuna's.
        score: The study's `score:` section, of one rung or several.
    """
    alike = {(rung.metric, rung.samples) for rung in score.rungs}
    return pruner if len(alike) == 1 else _LikeWithLike(pruner, score)


class _LikeWithLike(pruners.BasePruner):
    def __init__(self, pruner: pruners.BasePruner, score: Score) -> None:
        self._pruner = pruner
        self._score = score

    def prune(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> bool:
        if trial.last_step is None:
            return self._pruner.prune(study, trial)
        if isinstance(self._pruner, pruners.ThresholdPruner):
            # Its bounds are bounds of the score in full, and of no other.
            return self._score.is_full(trial.last_step) and self._pruner.prune(study, trial)
        shown = copy.copy(trial)
        last = self._measured(trial.last_step)
        shown.intermediate_values = {
            step: value
            for step, value in trial.intermediate_values.items()
            if self._measured(step) == last
        }
        return self._pruner.prune(study, shown)

    def _measured(self, epoch: int) -> tuple[str, int]:
        score = self._score.at(epoch, last=False)
        return score.metric, score.samples
