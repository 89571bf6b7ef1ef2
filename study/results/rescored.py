"""Trials scored again from their checkpoints, beside what they scored in the search."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist, fmean, stdev
from typing import Any

from study.results.collapsed import any_collapsed
from study.results.identity import (
    SEARCHED,
    Identity,
    chooses_sampler,
    common,
    identity,
    overridden,
)
from study.results.objective import full_score, objective_score, scores_by_trial
from study.results.rank_correlation import Agreement, agreement
from study.results.reader import StudyRows
from study.results.tables import ScoreRow, TrialRow


@dataclass(frozen=True)
class RescoredTrial:
    """A trial that was scored again.

    Attributes:
        trial: Its number.
        before: What it scored before; None if it has no score that measures what `before_measured`
            of its group says.
        value: The new score, or the mean over sampling seeds.
        spread: Standard error of `value`: from its seeds if there are several, else what the score
            says of itself; None if unknown.
        seeds: Number of sampling seeds.
        final: Whether it is a final run.
        measured: What the new score measures.
        collapsed: Whether the images hardly vary, or have a recall of 0; None if unknown.
    """

    trial: int
    before: float | None
    value: float
    spread: float | None
    seeds: int
    final: bool
    measured: Identity
    collapsed: bool | None = None


@dataclass(frozen=True)
class Rescored:
    """Trials that were scored again in one way.

    Attributes:
        measured: What the new scores measure.
        before_measured: The same of the scores before: the search's, or the final ones where no
            trial has one of the search; None if no trial has either.
        trials: By rising new score.
        agreement: How well the new order agrees with the old one.
    """

    measured: Identity
    before_measured: Identity | None
    trials: tuple[RescoredTrial, ...]
    agreement: Agreement | None


def rescored(rows: StudyRows, metric: str | None = None) -> list[Rescored]:
    """What `study rescore` found, a group for each way of scoring, in the order they were written.

    Of several epochs of a trial the last one counts. Trials that choose their own sampler or steps
    are a group if each was scored again by its own.

    Args:
        rows: What the ledger has of the study.
        metric: The only one that has groups; None for the one that the study minimises.
    """
    fixed = overridden(rows.trials)
    scores = scores_by_trial(rows.scores)
    earlier = {t.trial: _EarlierScore(t, scores.get(t.trial, ()), fixed) for t in rows.trials}
    groups: dict[tuple[Any, ...], list[ScoreRow]] = {}
    again = [score for score in rows.scores if score.stage == "rescore"]
    for score in sorted(again, key=lambda score: score.appended):
        trial = earlier.get(score.trial)
        if trial is None or not math.isfinite(score.value):
            continue
        if score.metric == (metric or (trial.full[0] if trial.full else score.metric)):
            for key in trial.group_keys(score):
                groups.setdefault(key, []).append(score)
    return [_group(each, earlier) for each in _largest(groups)]


_OWN = "a trial's own"


class _EarlierScore:
    """A trial, and what it scored before it was scored again.

    `measured` says what its value measures; None where it measures less than a full score.
    """

    def __init__(self, trial: TrialRow, scores: Sequence[ScoreRow], fixed: Collection[str]) -> None:
        self.trial = trial
        self.final = trial.stage == "final"
        self.full = full_score(trial)
        before = [score for score in scores if score.stage == trial.stage]
        # A final run's value is the mean over sampling seeds, which is no row's.
        objective = [] if self.final else [objective_score(trial, scores)]
        valued = [
            score
            for score in (before if self.final else objective)
            if score is not None and self.full in (None, (score.metric, score.samples))
        ]
        self.measured = identity(valued[-1]) if valued and self.value is not None else None
        self._own: dict[str, set[Any]] = {}
        if chooses_sampler(trial):
            self._own = {
                part: {getattr(score, part) for score in before}
                for part in SEARCHED
                if not (self.final and part in fixed)
            }

    @property
    def value(self) -> float | None:
        """What it scored before; None if that is no number."""
        value = self.trial.value
        return None if value is None or not math.isfinite(value) else value

    def group_keys(self, score: ScoreRow) -> Iterable[tuple[Any, ...]]:
        """The groups that a score may be in: by its sampler and steps, or by each trial's own."""
        yield from itertools.product(
            *(
                (value, _OWN) if value in self._own.get(part, ()) else (value,)
                for part, value in asdict(identity(score)).items()
            )
        )

    def comparable(self) -> tuple[Any, ...]:
        """What the score before must have in common with that of others."""
        assert self.measured is not None
        return tuple(v for part, v in asdict(self.measured).items() if part not in self._own)


def _largest(groups: Mapping[tuple[Any, ...], list[ScoreRow]]) -> list[list[ScoreRow]]:
    """The groups without those that are part of another one."""
    kept: list[tuple[set[int], list[ScoreRow]]] = []
    for rows in sorted(groups.values(), key=len, reverse=True):
        members = set(map(id, rows))
        if not any(members <= others for others, _ in kept):
            kept.append((members, rows))
    return sorted(
        (rows for _, rows in kept), key=lambda rows: (rows[0].appended, rows[-1].appended)
    )


def _group(rows: Sequence[ScoreRow], earlier: Mapping[int, _EarlierScore]) -> Rescored:
    by_trial = scores_by_trial(rows)
    before = _commonest([earlier[number] for number in by_trial])
    numbers = {each.trial.trial for each in before}
    trials = [_trial(earlier[number], by_trial[number], number in numbers) for number in by_trial]
    trials.sort(key=lambda row: (row.value, row.trial))
    measured = common([row.measured for row in trials])
    assert measured is not None  # a group has a trial
    return Rescored(
        measured=measured,
        before_measured=common([each.measured for each in before if each.measured]),
        trials=tuple(trials),
        agreement=agreement((row.before, row.value) for row in trials),
    )


def _commonest(trials: Sequence[_EarlierScore]) -> list[_EarlierScore]:
    """Those whose scores before measure the same: of the search, if any has one of the search."""
    scored = [each for each in trials if each.measured is not None]
    scored = [each for each in scored if not each.final] or scored
    count = Counter(each.comparable() for each in scored)
    return [each for each in scored if each.comparable() == count.most_common(1)[0][0]]


def _trial(earlier: _EarlierScore, scores: Sequence[ScoreRow], compared: bool) -> RescoredTrial:
    last = max(score.epoch for score in scores)
    newest = [score for score in scores if score.epoch == last]
    values = [score.value for score in newest]
    return RescoredTrial(
        trial=earlier.trial.trial,
        before=earlier.value if compared else None,
        value=fmean(values),
        spread=_standard_error(values, [score.spread for score in newest]),
        seeds=len(values),
        final=earlier.final,
        measured=identity(newest[-1]),
        collapsed=any_collapsed(score.collapsed for score in newest),
    )


def _standard_error(values: Sequence[float], spreads: Sequence[float | None]) -> float | None:
    """Of the mean of scores of several seeds."""
    known = [spread for spread in spreads if spread is not None]
    if len(known) == len(values):
        # Each score knows its own noise; the scatter of two or three would say far less.
        return math.hypot(*known) / len(values)
    if len(values) < 2:
        return None
    from scipy.stats import t  # slow to import

    # As wide as Student's t of so few values asks for, in units of a normal's.
    widening = float(t.ppf(0.975, len(values) - 1)) / NormalDist().inv_cdf(0.975)
    return widening * stdev(values) / math.sqrt(len(values))
