"""Who is ahead: trials ranked by their objective, and studies at a glance."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from study.results.query import connect
from study.results.render import cell
from study.results.storage import Storage
from study.results.tables import CONFIG_PREFIX, ConfigValue
from study.results.values import rows
from study.spec.errors import UserError

Direction = Literal["minimize", "maximize"]

IDENTITY = ("metric", "samples", "sampler", "steps", "embedder", "reference")
"""What two scores must have in common to be compared; columns of `scores`."""

SEARCHED = ("sampler", "steps")
"""Those of them that a study may leave to its trials: see `_chooses_sampler`."""

_COLUMN_GAP = 2


@dataclass(frozen=True)
class Ranked:
    """A trial at its place in the ranking, 1 being the best."""

    rank: int
    trial: int
    value: float
    state: str
    epoch: int | None
    seconds: float
    config: Mapping[str, ConfigValue]
    picks: Mapping[str, ConfigValue] = field(default_factory=dict)  # what the search chose


@dataclass(frozen=True)
class StudySummary:
    """A study at a glance.

    `best_trial` and `best_value` are None while nothing is ranked, or if its scores cannot be
    compared. Seconds are sums over trials.
    """

    name: str
    states: Mapping[str, int]
    best_trial: int | None
    best_value: float | None
    started: datetime | None
    written: datetime | None
    train_seconds: float
    score_seconds: float


def best(
    storage: Storage, study: str, top: int | None = 10, direction: Direction = "minimize"
) -> list[Ranked]:
    """The best trials of a study, best first; all that can be ranked if `top` is None.

    Raises:
        UserError: There is no such study, or its scores cannot be compared.
    """
    storage.require(study)
    trials, scores = _rows(storage, study)
    return rank(trials, scores, direction)[:top]


def rank(
    trials: Iterable[Mapping[str, Any]],
    scores: Iterable[Mapping[str, Any]],
    direction: Direction = "minimize",
) -> list[Ranked]:
    """Rank the trials of one study by their value, best first.

    Complete and pruned trials take part, a pruned one with its last value; of equals, the complete
    one and then the older one comes first.

    Args:
        trials: Newest rows of `trials`.
        scores: Newest rows of `scores` of the same study.
        direction: Whether a smaller or a larger value is better.

    Raises:
        UserError: Two of the values were not measured in the same way, or it is unknown how.
    """
    entered = [
        trial
        for trial in trials
        if trial["state"] in ("complete", "pruned") and _number(trial["value"]) is not None
    ]
    _check_comparable(entered, scores)
    sign = 1 if direction == "minimize" else -1
    entered.sort(key=lambda t: (sign * t["value"], t["state"] != "complete", t["trial"]))
    return [
        Ranked(
            rank=place,
            trial=trial["trial"],
            value=trial["value"],
            state=trial["state"],
            epoch=None if _missing(trial["epoch"]) else int(trial["epoch"]),
            seconds=(_number(trial["train_seconds"]) or 0.0)
            + (_number(trial["score_seconds"]) or 0.0),
            config={
                name.removeprefix(CONFIG_PREFIX): value
                for name, value in trial.items()
                if name.startswith(CONFIG_PREFIX) and not _missing(value)
            },
            picks=json.loads(trial.get("picks") or "{}"),
        )
        for place, trial in enumerate(entered, 1)
    ]


def varying(configs: Sequence[Mapping[str, ConfigValue]]) -> list[str]:
    """Names of the parameters that are not the same in all configurations, in their order."""
    names = list(dict.fromkeys(name for config in configs for name in config))
    return [name for name in names if len({repr(config.get(name)) for config in configs}) > 1]


def shorten(names: Sequence[str]) -> dict[str, str]:
    """For each dotted name, the shortest ending that no other of the names has."""
    endings = {name: _endings(name) for name in names}
    count = Counter(ending for each in endings.values() for ending in each)
    return {
        name: next((ending for ending in each if count[ending] == 1), name)
        for name, each in endings.items()
    }


def leaderboard_table(ranked: Sequence[Ranked], width: int | None = None) -> Table:
    """Ranked trials with the parameters in which they differ, as many as fit.

    Args:
        ranked: What `best` returned.
        width: Characters a line; those of the terminal by default.
    """
    width = width or Console().width
    # What the search chose, and not what follows from it: a branch's fixed settings differ too.
    configs = [row.picks or row.config for row in ranked]
    names = varying(configs)
    # Parameters of one branch of a choice last: most rows have nothing to say there.
    names.sort(key=lambda name: sum(name not in config for config in configs))
    columns: dict[str, list[str]] = {
        "rank": [str(row.rank) for row in ranked],
        "trial": [str(row.trial) for row in ranked],
        "score": [cell(row.value) for row in ranked],
        "state": [row.state for row in ranked],
        "epoch": [cell(row.epoch) for row in ranked],
    }
    room = width - sum(map(_width, columns, columns.values()))
    left_out = []
    for name, short in shorten(names).items():
        cells = [cell(config.get(name)) for config in configs]
        if _width(short, cells) > room:
            left_out.append(short)
            continue
        columns[short] = cells
        room -= _width(short, cells)
    table = Table(
        box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True, caption_justify="left"
    )
    if left_out:
        table.caption = Text(f"differ too: {', '.join(left_out)}")
    for name, cells in columns.items():
        text = name == "state" or not all(_is_number(each) for each in cells if each)
        table.add_column(Text(name), justify="left" if text else "right", no_wrap=True)
    for row in zip(*columns.values(), strict=True):
        table.add_row(*map(Text, row))
    return table


def study_summary(storage: Storage, direction: Direction = "minimize") -> list[StudySummary]:
    """Every study in a storage at a glance, the oldest first, those without trials last."""
    summaries = [status(storage, name, direction) for name in storage.studies()]
    return sorted(summaries, key=lambda s: (s.started is None, s.started, s.name))


def status(storage: Storage, study: str, direction: Direction = "minimize") -> StudySummary:
    """A study at a glance.

    Raises:
        UserError: There is no such study.
    """
    storage.require(study)
    trials, scores = _rows(storage, study)
    try:
        ranked = rank((t for t in trials if t["state"] == "complete"), scores, direction)
    except UserError:  # no best there is better than a wrong one; `best` tells why
        ranked = []
    return StudySummary(
        name=study,
        states=dict(Counter(trial["state"] for trial in trials)),
        best_trial=ranked[0].trial if ranked else None,
        best_value=ranked[0].value if ranked else None,
        started=min((trial["started"] for trial in trials), default=None),
        written=max((trial["written"] for trial in trials), default=None),
        train_seconds=sum(trial["train_seconds"] or 0.0 for trial in trials),
        score_seconds=sum(trial["score_seconds"] or 0.0 for trial in trials),
    )


def newest_study(storage: Storage) -> str:
    """Name of the study that was started last.

    Raises:
        UserError: There is no study with a trial in this storage.
    """
    started = [summary for summary in study_summary(storage) if summary.started]
    if not started:
        raise UserError(f"No study in {storage.uri} has a trial yet: `study run` makes one")
    return started[-1].name


def summary_table(summaries: Sequence[StudySummary]) -> Table:
    """Studies at a glance, one a line."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    table.add_column("study", overflow="fold", min_width=12)
    for state in ("complete", "pruned", "failed", "running"):
        table.add_column(state, justify="right", no_wrap=True)
    table.add_column("best", justify="right", no_wrap=True)
    table.add_column("last written", no_wrap=True)
    for summary in summaries:
        table.add_row(
            Text(summary.name),
            *(str(summary.states.get(s, 0)) for s in ("complete", "pruned", "failed", "running")),
            cell(summary.best_value),
            f"{summary.written.astimezone():%m-%d %H:%M:%S}" if summary.written else "",
        )
    return table


def _rows(storage: Storage, study: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    with connect(storage, [study], ["trials", "scores"]) as connection:
        trials = rows(connection.sql("FROM trials").to_arrow_table())
        return trials, rows(connection.sql("FROM scores").to_arrow_table())


def _check_comparable(
    trials: Sequence[Mapping[str, Any]], scores: Iterable[Mapping[str, Any]]
) -> None:
    """Raise UserError unless all values are scores of one identity."""
    # The score of the last epoch with that value: other metrics may have been scored beside it.
    identities = {
        (score["trial"], score["value"]): [
            None if _missing(score[part]) else score[part] for part in IDENTITY
        ]
        for score in sorted(scores, key=lambda score: int(score["epoch"]))
        if score["stage"] == "search"
    }
    first: Mapping[str, Any] | None = None
    for trial in trials:
        identity = identities.get((trial["trial"], trial["value"]))
        if identity is None:
            raise UserError(
                f"Trial {trial['trial']} cannot be ranked: no score says how its value "
                f"{cell(trial['value'])} was measured"
            )
        first = first or trial
        reference = identities[first["trial"], first["value"]]
        free = _chooses_sampler(trial) and _chooses_sampler(first)
        for part, ours, theirs in zip(IDENTITY, identity, reference, strict=True):
            if ours != theirs and not (free and part in SEARCHED):
                raise UserError(
                    f"Trials {first['trial']} and {trial['trial']} cannot be ranked together: "
                    f"their scores differ in `{part}`, {theirs!r} and {ours!r}"
                )


def _chooses_sampler(trial: Mapping[str, Any]) -> bool:
    """Whether how images are made belongs to the trial, not to how it is measured.

    It does where the search chose it (a hole in `score.sampler` or `score.steps`), and where each
    family makes them in its own way (`sampler: auto`).
    """
    picks = json.loads(trial.get("picks") or "{}")
    searched = any(name.startswith("score.") for name in picks)
    return searched or trial.get(f"{CONFIG_PREFIX}score.sampler.kind") == "auto"


def _endings(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[start:]) for start in range(len(parts) - 1, -1, -1)]


def _width(header: str, cells: Sequence[str]) -> int:
    return max(len(header), *map(len, cells), 0) + _COLUMN_GAP


def _missing(value: object) -> bool:
    """Whether it is null: pandas says it with NaN."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def _number(value: Any) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
