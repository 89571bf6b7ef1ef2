"""Trials scored again from their checkpoints, beside what they scored in the search."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, stdev
from typing import Any

from rich.console import RenderableType

from study.results.agreement import Agreement, agreement
from study.results.identity import Row, finite, full_score, identity, is_final, picked, told
from study.results.ranking import trials_and_scores
from study.results.render import cell
from study.results.storage import Storage
from study.results.trial_table import trial_table, with_spread


@dataclass(frozen=True)
class RescoredTrial:
    """A trial that was scored again.

    Attributes:
        trial: Its number.
        before: Its value in the ledger; None if it has none.
        value: The new score, or the mean over sampling seeds.
        spread: Standard error of `value`: from its seeds if there are several, else what the score
            says of itself; None if unknown.
        seeds: Number of sampling seeds.
        final: Whether it is a final run.
    """

    trial: int
    before: float | None
    value: float
    spread: float | None
    seeds: int
    final: bool


@dataclass(frozen=True)
class Rescored:
    """Trials that were scored again in one way.

    Attributes:
        measured: What the new scores measure: columns of `scores` by name.
        trials: By rising new score.
        agreement: How well the new order agrees with the old one.
    """

    measured: Mapping[str, Any]
    trials: tuple[RescoredTrial, ...]
    agreement: Agreement | None


def rescored(storage: Storage, study: str, metric: str | None = None) -> list[Rescored]:
    """What `study rescore` found, a group for each way of scoring, in the order they were written.

    Of several epochs of a trial the last one counts.

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
    groups: dict[tuple[Any, ...], dict[int, list[Row]]] = {}
    again = [score for score in scores if score["stage"] == "rescore"]
    for score in sorted(again, key=lambda score: score["written"]):
        trial = picked(trials, score["trial"])
        if trial is None or finite(score["value"]) is None:
            continue
        full = full_score(trial)
        wanted = metric or (full[0] if full is not None else score["metric"])
        if score["metric"] != wanted:
            continue
        key = tuple(identity(score).values())
        groups.setdefault(key, {}).setdefault(score["trial"], []).append(score)
    found = []
    for group in groups.values():
        each = [_trial(picked(trials, number) or {}, rows) for number, rows in group.items()]
        each.sort(key=lambda row: (row.value, row.trial))
        measured = identity(next(iter(group.values()))[0])
        found.append(
            Rescored(measured, tuple(each), agreement((row.before, row.value) for row in each))
        )
    return found


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
        "before": ["" if row.before is None else cell(row.before) for row in rescored.trials],
        "rank before": [cell(places.get(row.trial)) for row in rescored.trials],
    }
    notes = ["± is the noise of sampling (95 %)"] if any(r.spread for r in rescored.trials) else []
    if rescored.agreement is not None:
        notes.append(f"both scores agree on the order by {rescored.agreement}")
    return trial_table(
        columns, [{} for _ in rescored.trials], width, told(rescored.measured), notes
    )


def _trial(trial: Row, scores: Sequence[Row]) -> RescoredTrial:
    last = max(int(score["epoch"]) for score in scores)
    values = [float(score["value"]) for score in scores if int(score["epoch"]) == last]
    own = [finite(score.get("spread")) for score in scores if int(score["epoch"]) == last]
    return RescoredTrial(
        trial=trial["trial"],
        before=finite(trial["value"]),
        value=fmean(values),
        spread=_standard_error(values, own),
        seeds=len(values),
        final=is_final(trial),
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
