"""The trials of a search, ranked by their objective."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from study.results.identity import Identity, check_comparable, identity
from study.results.objective import full_score, objective_score, scores_by_trial
from study.results.render import cell
from study.results.tables import ConfigValue, ScoreRow, State, TrialRow
from study.spec.errors import UserError

Z95 = 1.959964
"""Quantile of the standard normal distribution: a value is within so many standard errors in 95 of
100 cases."""


@dataclass(frozen=True)
class RankedTrial:
    """A trial at its place in the ranking, 1 being the best.

    Attributes:
        rank: Its place.
        trial: Its number.
        value: Its score.
        state: `complete` or `pruned`, or `running` where those take part.
        epoch: Of its last report.
        seconds: Of training and scoring.
        config: Value of each parameter by its path.
        picks: Of these, what the search chose.
        spread: Standard error of the value over the choice of generated images; None if unknown.
        tied: Whether it is not told apart from the best by a two-sided z-test of the difference at
            95 %. The best itself is tied if any other is.
        steps: Steps of the sampler; 1 where it takes none.
        parameters: Of its networks; None if unknown.
        train_seconds: Of training; None if unknown.
        measured: What the value measures.
        collapsed: Whether its images hardly vary, or have a recall of 0; None if unknown.
    """

    rank: int
    trial: int
    value: float
    state: State
    epoch: int | None
    seconds: float = field(repr=False)
    config: Mapping[str, ConfigValue] = field(repr=False)
    picks: Mapping[str, ConfigValue] = field(default_factory=dict)
    spread: float | None = None
    tied: bool = False
    steps: int = field(default=1, repr=False)
    parameters: int | None = field(default=None, repr=False)
    train_seconds: float | None = field(default=None, repr=False)
    measured: Identity | None = field(default=None, repr=False, compare=False)
    collapsed: bool | None = None


@dataclass(frozen=True)
class UnrankedTrial:
    """A pruned trial that stopped before it had a score like those of complete trials."""

    trial: int
    value: float
    metric: str
    samples: int
    epoch: int | None


@dataclass(frozen=True)
class _Entry:
    """A trial that has a score, with that score."""

    trial: TrialRow
    value: float
    score: ScoreRow

    @property
    def in_full(self) -> bool:
        """Whether it was scored as complete trials are."""
        full = full_score(self.trial)
        measured = (self.score.metric, self.score.samples)
        return self.trial.state == "complete" or full is None or measured == full


def rank_trials(
    trials: Iterable[TrialRow], scores: Iterable[ScoreRow], *, running: bool = False
) -> tuple[tuple[RankedTrial, ...], tuple[UnrankedTrial, ...]]:
    """Rank the trials of one study's search by rising value.

    Complete and pruned trials take part, a pruned one with its last value; of equals, the complete
    one and then the older one comes first. A trial that was pruned where its study scores by fewer
    images or another metric is not ranked. Final runs take no part.

    Args:
        trials: Newest rows of `trials`.
        scores: Newest rows of `scores` of the same study.
        running: Whether trials that have not ended take part too, with their last scores.

    Returns:
        The ranked trials, best first, and those that cannot be ranked.

    Raises:
        UserError: Two of the values were not measured in the same way, or it is unknown how.
    """
    states = ("complete", "pruned", "running") if running else ("complete", "pruned")
    by_trial = scores_by_trial(scores)
    entries = [
        _entry(trial, trial.value, by_trial.get(trial.trial, ()))
        for trial in trials
        if trial.stage == "search"
        and trial.state in states
        and trial.value is not None
        and math.isfinite(trial.value)
    ]
    comparable = [entry for entry in entries if entry.in_full]
    check_comparable((entry.trial, entry.score) for entry in comparable)
    comparable.sort(key=lambda e: (e.value, e.trial.state != "complete", e.trial.trial))
    ranked = [_ranked(place, entry) for place, entry in enumerate(comparable, 1)]
    unranked = (_unranked(entry) for entry in entries if not entry.in_full)
    return tuple(_mark_ties(ranked)), tuple(unranked)


def _entry(trial: TrialRow, value: float, scores: Sequence[ScoreRow]) -> _Entry:
    score = objective_score(trial, scores)
    if score is None:
        raise UserError(
            f"Trial {trial.trial} cannot be ranked: no score says how its value "
            f"{cell(value)} was measured"
        )
    return _Entry(trial, value, score)


def _ranked(place: int, entry: _Entry) -> RankedTrial:
    trial, score = entry.trial, entry.score
    return RankedTrial(
        rank=place,
        trial=trial.trial,
        value=entry.value,
        state=trial.state,
        epoch=trial.epoch,
        seconds=(trial.train_seconds or 0.0) + (trial.score_seconds or 0.0),
        config=trial.config,
        picks=trial.picks,
        spread=score.spread,
        steps=1 if score.steps is None else score.steps,
        parameters=trial.parameters,
        train_seconds=trial.train_seconds,
        measured=identity(score),
        collapsed=trial.collapsed,
    )


def _mark_ties(ranked: Sequence[RankedTrial]) -> list[RankedTrial]:
    tied = {row.trial for row in ranked[1:] if _tied(ranked[0], row)}
    return [
        replace(row, tied=row.trial in tied or (row.rank == 1 and bool(tied))) for row in ranked
    ]


def _tied(one: RankedTrial, other: RankedTrial) -> bool:
    if one.spread is None or other.spread is None:
        return False
    return abs(one.value - other.value) < Z95 * math.hypot(one.spread, other.spread)


def _unranked(entry: _Entry) -> UnrankedTrial:
    return UnrankedTrial(
        trial=entry.trial.trial,
        value=entry.value,
        metric=entry.score.metric,
        samples=entry.score.samples,
        epoch=entry.trial.epoch,
    )
