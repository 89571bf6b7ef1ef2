"""Who is ahead in the search: trials ranked by their objective."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from study.results.arrow_values import rows
from study.results.identity import (
    Row,
    check_comparable,
    finite,
    full_score,
    of_search,
    present,
)
from study.results.query import connect
from study.results.render import cell
from study.results.storage import Storage
from study.results.tables import CONFIG_PREFIX, ConfigValue
from study.spec.errors import UserError

Direction = Literal["minimize", "maximize"]

Z95 = 1.959964
"""Quantile of the standard normal distribution: a value is within so many standard errors in 95 of
100 cases."""


@dataclass(frozen=True)
class Ranked:
    """A trial at its place in the ranking, 1 being the best.

    Attributes:
        rank: Its place.
        trial: Its number.
        value: Its score.
        state: `complete` or `pruned`.
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
        measured: What the value measures: its row of `scores`.
    """

    rank: int
    trial: int
    value: float
    state: str
    epoch: int | None
    seconds: float
    config: Mapping[str, ConfigValue]
    picks: Mapping[str, ConfigValue] = field(default_factory=dict)
    spread: float | None = None
    tied: bool = False
    steps: int = 1
    parameters: int | None = None
    train_seconds: float | None = None
    measured: Row = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class Aside:
    """A pruned trial that stopped before it had a score like those of complete trials."""

    trial: int
    value: float
    metric: str
    samples: int
    epoch: int | None


@dataclass(frozen=True)
class Ranking:
    """The trials of a search: those that are ranked, best first, and those that cannot be."""

    ranked: tuple[Ranked, ...]
    aside: tuple[Aside, ...]


def best(
    storage: Storage, study: str, top: int | None = 10, direction: Direction = "minimize"
) -> list[Ranked]:
    """The best trials of a study's search, best first; all that can be ranked if `top` is None.

    Raises:
        UserError: There is no such study, or its scores cannot be compared.
    """
    return rank(*trials_and_scores(storage, study), direction)[:top]


def rank(
    trials: Iterable[Row], scores: Iterable[Row], direction: Direction = "minimize"
) -> list[Ranked]:
    """Those of `rank_trials` that are ranked."""
    return list(rank_trials(trials, scores, direction).ranked)


def rank_trials(
    trials: Iterable[Row], scores: Iterable[Row], direction: Direction = "minimize"
) -> Ranking:
    """Rank the trials of one study's search by their value, best first.

    Complete and pruned trials take part, a pruned one with its last value; of equals, the complete
    one and then the older one comes first. A trial that was pruned where its study scores by fewer
    images or another metric is set aside. Final runs take no part.

    Args:
        trials: Newest rows of `trials`.
        scores: Newest rows of `scores` of the same study.
        direction: Whether a smaller or a larger value is better.

    Raises:
        UserError: Two of the values were not measured in the same way, or it is unknown how.
    """
    entered = [
        trial
        for trial in of_search(trials)
        if trial["state"] in ("complete", "pruned") and finite(trial["value"]) is not None
    ]
    found = _value_scores(entered, scores)
    aside, entries = [], []
    for trial, score in found:
        full = full_score(trial)
        if (
            trial["state"] == "pruned"
            and full is not None
            and (score["metric"], int(score["samples"])) != full
        ):
            aside.append(_aside(trial, score))
        else:
            entries.append((trial, score))
    check_comparable(entries)
    sign = 1 if direction == "minimize" else -1
    entries.sort(key=lambda e: (sign * e[0]["value"], e[0]["state"] != "complete", e[0]["trial"]))
    ranked = [_ranked(place, *entry) for place, entry in enumerate(entries, 1)]
    return Ranking(tuple(_mark_ties(ranked)), tuple(aside))


def trials_and_scores(
    storage: Storage, study: str
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The newest rows of a study's trials and scores.

    Raises:
        UserError: There is no such study.
    """
    storage.require(study)
    with connect(storage, [study], ["trials", "scores"]) as connection:
        trials = rows(connection.sql("FROM trials").to_arrow_table())
        return trials, rows(connection.sql("FROM scores").to_arrow_table())


def _value_scores(trials: Sequence[Row], scores: Iterable[Row]) -> list[tuple[Row, Row]]:
    """Each trial with the score that its value is."""
    wanted = {trial["trial"]: full_score(trial) for trial in trials}
    by_value: dict[tuple[int, float], Row] = {}
    # The score of the last epoch with that value, of the trial's own metric if there is one: other
    # metrics may have been taken beside it.
    for score in sorted(
        (s for s in scores if s["stage"] == "search" and s["trial"] in wanted),
        key=lambda s: (s["metric"] == (wanted[s["trial"]] or ("",))[0], int(s["epoch"])),
    ):
        by_value[score["trial"], score["value"]] = score
    for trial in trials:
        if (trial["trial"], trial["value"]) not in by_value:
            raise UserError(
                f"Trial {trial['trial']} cannot be ranked: no score says how its value "
                f"{cell(trial['value'])} was measured"
            )
    return [(trial, by_value[trial["trial"], trial["value"]]) for trial in trials]


def _ranked(place: int, trial: Row, score: Row) -> Ranked:
    train_seconds, score_seconds = finite(trial["train_seconds"]), finite(trial["score_seconds"])
    steps, parameters = present(score["steps"]), present(trial.get("parameters"))
    return Ranked(
        rank=place,
        trial=trial["trial"],
        value=trial["value"],
        state=trial["state"],
        epoch=_integer(trial["epoch"]),
        seconds=(train_seconds or 0.0) + (score_seconds or 0.0),
        config=configuration(trial),
        picks=json.loads(trial.get("picks") or "{}"),
        spread=finite(score.get("spread")),
        steps=1 if steps is None else int(steps),
        parameters=None if parameters is None else int(parameters),
        train_seconds=train_seconds,
        measured=score,
    )


def configuration(trial: Row) -> dict[str, ConfigValue]:
    """Value of each parameter of a trial by its path."""
    return {
        name.removeprefix(CONFIG_PREFIX): value
        for name, value in trial.items()
        if name.startswith(CONFIG_PREFIX) and present(value) is not None
    }


def _mark_ties(ranked: Sequence[Ranked]) -> list[Ranked]:
    tied = {row.trial for row in ranked[1:] if _tied(ranked[0], row)}
    return [
        replace(row, tied=row.trial in tied or (row.rank == 1 and bool(tied))) for row in ranked
    ]


def _tied(one: Ranked, other: Ranked) -> bool:
    if one.spread is None or other.spread is None:
        return False
    return abs(one.value - other.value) < Z95 * math.hypot(one.spread, other.spread)


def _aside(trial: Row, score: Row) -> Aside:
    return Aside(
        trial["trial"],
        trial["value"],
        score["metric"],
        int(score["samples"]),
        _integer(trial["epoch"]),
    )


def _integer(value: Any) -> int | None:
    return None if present(value) is None else int(value)
