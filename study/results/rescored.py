"""Trials scored again from their checkpoints, beside what they scored in the search."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, stdev
from typing import Any

from rich.console import RenderableType

from study.results.identity import (
    SEARCHED,
    Row,
    chooses_sampler,
    finite,
    full_score,
    identity,
    is_final,
    overridden,
    told,
)
from study.results.rank_correlation import Agreement, agreement
from study.results.ranking import trials_and_scores
from study.results.render import cell
from study.results.storage import Storage
from study.results.trial_table import trial_table, with_spread


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
        measured: What the new score measures: columns of `scores` by name.
    """

    trial: int
    before: float | None
    value: float
    spread: float | None
    seeds: int
    final: bool
    measured: Mapping[str, Any]


@dataclass(frozen=True)
class Rescored:
    """Trials that were scored again in one way.

    Attributes:
        measured: What the new scores measure, columns of `scores` by name; sampler or steps are
            None where trials that choose theirs differ in them.
        before_measured: The same of the scores before: the search's, or the final ones where no
            trial has one of the search; None if no trial has either.
        trials: By rising new score.
        agreement: How well the new order agrees with the old one.
    """

    measured: Mapping[str, Any]
    before_measured: Mapping[str, Any] | None
    trials: tuple[RescoredTrial, ...]
    agreement: Agreement | None


def rescored(storage: Storage, study: str, metric: str | None = None) -> list[Rescored]:
    """What `study rescore` found, a group for each way of scoring, in the order they were written.

    Of several epochs of a trial the last one counts. Trials that choose their own sampler or steps
    are a group if each was scored again by its own.

    Args:
        storage: Where the study is.
        study: Its name.
        metric: The only one that has groups; None for the one that the study minimises.

    Raises:
        UserError: There is no such study.
    """
    return rescored_of(*trials_and_scores(storage, study), metric)


def rescored_of(
    trials: Sequence[Row], scores: Sequence[Row], metric: str | None = None
) -> list[Rescored]:
    """The same from newest rows of `trials` and `scores` of one study."""
    fixed = overridden(trials)
    known = {trial["trial"]: _Known(trial, scores, fixed) for trial in trials}
    groups: dict[tuple[Any, ...], list[Row]] = {}
    again = [score for score in scores if score["stage"] == "rescore"]
    for score in sorted(again, key=lambda score: score["written"]):
        of = known.get(score["trial"])
        if of is None or finite(score["value"]) is None:
            continue
        if score["metric"] == (metric or (of.full[0] if of.full else score["metric"])):
            for key in of.ways(score):
                groups.setdefault(key, []).append(score)
    return [_group(rows, known) for rows in _largest(groups)]


_OWN = "a trial's own"


class _Known:
    """What there is to know of a trial besides its new scores."""

    def __init__(self, trial: Row, scores: Sequence[Row], fixed: Collection[str]) -> None:
        self.trial = trial
        self.full = full_score(trial)
        self.value = finite(trial["value"])
        stage = "final" if is_final(trial) else "search"
        rows = [s for s in scores if (s["trial"], s["stage"]) == (trial["trial"], stage)]
        # A final run's value is the mean over sampling seeds, which is no row's.
        valued = [
            score
            for score in rows
            if (is_final(trial) or score["value"] == self.value)
            and (self.full is None or (score["metric"], int(score["samples"])) == self.full)
        ]
        # None where the value is that of a cheap rung, and so measures something else.
        self.measured = identity(valued[-1]) if valued and self.value is not None else None
        self._own: dict[str, set[Any]] = {}
        if chooses_sampler(trial):
            self._own = {
                part: {identity(score)[part] for score in rows}
                for part in SEARCHED
                if not (is_final(trial) and part in fixed)
            }

    def ways(self, score: Row) -> Iterable[tuple[Any, ...]]:
        """The groups that a score may be in: by its sampler and steps, or by each trial's own."""
        yield from itertools.product(
            *(
                (value, _OWN) if value in self._own.get(part, ()) else (value,)
                for part, value in identity(score).items()
            )
        )

    def comparable(self) -> tuple[Any, ...]:
        """What the score before must have in common with that of others."""
        measured = self.measured or {}
        return tuple(value for part, value in measured.items() if part not in self._own)


def _largest(groups: Mapping[tuple[Any, ...], list[Row]]) -> list[list[Row]]:
    """The groups without those that are part of another one."""
    found: list[tuple[set[int], list[Row]]] = []
    for rows in sorted(groups.values(), key=len, reverse=True):
        members = set(map(id, rows))
        if not any(members <= others for others, _ in found):
            found.append((members, rows))
    return sorted(
        (rows for _, rows in found), key=lambda rows: (rows[0]["written"], rows[-1]["written"])
    )


def _group(rows: Sequence[Row], known: Mapping[int, _Known]) -> Rescored:
    by_trial: dict[int, list[Row]] = {}
    for row in rows:
        by_trial.setdefault(row["trial"], []).append(row)
    before = _commonest([known[number] for number in by_trial])
    numbers = {of.trial["trial"] for of in before}
    each = [_trial(known[number], by_trial[number], number in numbers) for number in by_trial]
    each.sort(key=lambda row: (row.value, row.trial))
    return Rescored(
        measured=_common([row.measured for row in each]),
        before_measured=_common([of.measured for of in before if of.measured]) or None,
        trials=tuple(each),
        agreement=agreement((row.before, row.value) for row in each),
    )


def _commonest(trials: Sequence[_Known]) -> list[_Known]:
    """Those whose scores before measure the same: of the search, if any has one of the search."""
    scored = [of for of in trials if of.measured is not None]
    scored = [of for of in scored if not is_final(of.trial)] or scored
    count = Counter(of.comparable() for of in scored)
    return [of for of in scored if of.comparable() == count.most_common(1)[0][0]]


def _common(measured: Collection[Mapping[str, Any]]) -> dict[str, Any]:
    """What all of these have in common, None where they differ; empty if there are none."""
    first = next(iter(measured), {})
    return {
        part: value if all(each[part] == value for each in measured) else None
        for part, value in first.items()
    }


def rescore_table(rescored: Rescored, width: int | None = None) -> RenderableType:
    """Trials that were scored again in one way, beside what they scored before.

    Args:
        rescored: One of what `rescored` returned.
        width: Characters a line; those of the terminal by default.
    """
    places = {
        row.trial: place
        for place, row in enumerate(
            sorted(
                (row for row in rescored.trials if row.before is not None),
                key=lambda row: (row.before or 0.0, row.trial),
            ),
            1,
        )
    }
    columns = {
        "rank": [str(place) for place in range(1, len(rescored.trials) + 1)],
        "trial": [str(row.trial) for row in rescored.trials],
        "rescored": [with_spread(row.value, row.spread) for row in rescored.trials],
        "seeds": [str(row.seeds) for row in rescored.trials],
    }
    if places:
        columns["before"] = [
            "" if row.before is None else cell(row.before) for row in rescored.trials
        ]
        columns["rank before"] = [cell(places.get(row.trial)) for row in rescored.trials]
    chosen = [{part: row.measured[part] for part in SEARCHED} for row in rescored.trials]
    return trial_table(columns, chosen, width, told(rescored.measured), list(_notes(rescored)))


def _notes(rescored: Rescored) -> Iterable[str]:
    if any(row.spread for row in rescored.trials):
        yield "± is the noise of sampling (95 %)"
    without = [str(row.trial) for row in rescored.trials if row.before is None]
    if rescored.before_measured is not None:
        final = all(row.final for row in rescored.trials if row.before is not None)
        missing = f"; none of trial {', '.join(without)}" if without else ""
        if len(without) > 1:
            missing = missing.replace("trial", "trials")
        stage = "the final score" if final else "the search's score"
        yield f"before: {stage}, {told(rescored.before_measured)}{missing}"
    if rescored.agreement is not None:
        yield f"both scores agree on the order by {rescored.agreement}"


def _trial(known: _Known, scores: Sequence[Row], compared: bool) -> RescoredTrial:
    last = max(int(score["epoch"]) for score in scores)
    newest = [score for score in scores if int(score["epoch"]) == last]
    values = [float(score["value"]) for score in newest]
    return RescoredTrial(
        trial=known.trial["trial"],
        before=known.value if compared else None,
        value=fmean(values),
        spread=_standard_error(values, [finite(score.get("spread")) for score in newest]),
        seeds=len(values),
        final=is_final(known.trial),
        measured=identity(newest[-1]),
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
