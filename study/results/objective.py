"""The scores that a trial's value comes from, found by a key: trial, stage, epoch and metric."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

from study.results.tables import ScoreRow, TrialRow
from study.spec.names import METRICS, metric_name


def objectives(trials: Iterable[TrialRow]) -> tuple[str, ...]:
    """What the study minimises, as its trials' configurations say."""
    for trial in trials:
        search = trial.spec.get("search")
        if isinstance(search, Mapping) and search.get("objectives"):
            return tuple(search["objectives"])
    return ("score",)


def full_score(trial: TrialRow) -> tuple[str, int] | None:
    """Metric and number of images of the score at a trial's end; None if its row does not say."""
    return scored_in_full(trial.spec)


def scored_in_full(spec: Mapping[str, Any]) -> tuple[str, int] | None:
    """The same of a trial's filled-in configuration."""
    score = spec.get("score")
    if not isinstance(score, Mapping) or not {"metric", "samples"} <= score.keys():
        return None
    measure, embedder = METRICS.get(score["metric"], (None, None))
    embedder = embedder or score.get("embedder")
    name = metric_name(measure, embedder) if measure and embedder else score["metric"]
    return name, int(score["samples"])


def scores_by_trial(scores: Iterable[ScoreRow]) -> dict[int, list[ScoreRow]]:
    """Scores by the number of their trial."""
    groups: dict[int, list[ScoreRow]] = {}
    for score in scores:
        groups.setdefault(score.trial, []).append(score)
    return groups


def objective_by_epoch(trial: TrialRow, scores: Iterable[ScoreRow]) -> dict[int, ScoreRow]:
    """The scores that a trial of the search had as its objective, by rising epoch.

    Others are measured beside the objective, and an early rung may have a cheaper metric, which is
    then measured alone. So an epoch's objective is the score of the trial's own metric, or else of
    the metric that was appended first.

    Args:
        trial: The trial.
        scores: Scores of this trial; what was scored after its last report does not count.
    """
    by_epoch: dict[int, list[ScoreRow]] = {}
    for score in sorted(scores, key=lambda score: (score.epoch, score.appended)):
        reported = trial.epoch is None or score.epoch <= trial.epoch
        if score.trial == trial.trial and score.stage == "search" and reported:
            by_epoch.setdefault(score.epoch, []).append(score)
    full = full_score(trial)
    own = full[0] if full else None
    chosen = {}
    for epoch, rows in by_epoch.items():
        metric = own if own in [row.metric for row in rows] else rows[0].metric
        chosen[epoch] = [row for row in rows if row.metric == metric][-1]
    return chosen


def objective_score(trial: TrialRow, scores: Iterable[ScoreRow]) -> ScoreRow | None:
    """The score that the value of a trial of the search is: of the last epoch that has one."""
    return next(reversed(objective_by_epoch(trial, scores).values()), None)


def scores_by_epoch(trial: TrialRow, scores: Iterable[ScoreRow]) -> dict[int, ScoreRow]:
    """What a trial scored, by rising epoch: of a final run, the mean over its sampling seeds.

    Args:
        trial: A trial of the search, or a final run.
        scores: Scores of this trial.
    """
    if trial.stage == "search":
        return objective_by_epoch(trial, scores)
    last = final_scores(trial, scores)
    return {s.epoch: replace(s, value=fmean(each.value for each in last)) for s in last[:1]}


def final_scores(run: TrialRow, scores: Iterable[ScoreRow]) -> Sequence[ScoreRow]:
    """The scores that the value of a final run is the mean of, one a sampling seed.

    Args:
        run: The final run.
        scores: Scores of this run.
    """
    full = full_score(run)
    own = [
        score
        for score in scores
        if score.trial == run.trial
        and score.stage == "final"
        and math.isfinite(score.value)
        and (full is None or score.metric == full[0])
    ]
    last = max((score.epoch for score in own), default=0)
    return [score for score in own if score.epoch == last]
