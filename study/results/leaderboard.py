"""Who is ahead, as tables for the terminal: finalists, search, Pareto front, rescored trials."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from rich.console import RenderableType

from study.results.config_differences import shorten, varying
from study.results.finalists_table import finals_table
from study.results.identity import IDENTITY
from study.results.pareto import Front, objective_value
from study.results.ranking import Aside, Direction, Ranked, best, rank
from study.results.render import cell
from study.results.rescored import rescore_table
from study.results.summary import (
    StudySummary,
    newest_study,
    status,
    study_summary,
    summary_table,
)
from study.results.tables import ConfigValue
from study.results.trial_table import trial_table, with_spread
from study.results.verdict import Verdict

__all__ = [
    "IDENTITY",
    "Direction",
    "Ranked",
    "StudySummary",
    "best",
    "finals_table",
    "front_table",
    "leaderboard_table",
    "newest_study",
    "rank",
    "rescore_table",
    "shorten",
    "status",
    "study_summary",
    "summary_table",
    "varying",
    "verdict_tables",
]


def verdict_tables(found: Verdict, top: int, width: int | None = None) -> list[RenderableType]:
    """What `study best` shows: finalists first, then the front or the search's ranking.

    Args:
        found: What the study has shown.
        top: Number of trials of the search to show.
        width: Characters a line; those of the terminal by default.
    """
    tables: list[RenderableType] = []
    ranked = found.ranking.ranked
    if found.finals is not None:
        tables.append(finals_table(found.finals, width))
    if found.front is not None and found.front.members:
        tables.append(front_table(found.front, width))
    elif ranked or found.ranking.aside:
        title = "\nthe search:" if found.finals is not None else ""
        tables.append(leaderboard_table(ranked[:top], width, found.ranking.aside, title))
    return tables


def leaderboard_table(
    ranked: Sequence[Ranked],
    width: int | None = None,
    aside: Sequence[Aside] = (),
    title: str = "",
) -> RenderableType:
    """Ranked trials with the parameters in which they differ, as many as fit.

    Args:
        ranked: What `best` returned.
        width: Characters a line; those of the terminal by default.
        aside: Trials that cannot be ranked among them, told in a line below.
        title: A line above.
    """
    columns = {
        "rank": ["1=" if row.tied else str(row.rank) for row in ranked],
        "trial": [str(row.trial) for row in ranked],
        "score": [with_spread(row.value, row.spread) for row in ranked],
        "state": [row.state for row in ranked],
        "epoch": [cell(row.epoch) for row in ranked],
    }
    notes = [*_spread_notes(ranked), *_aside_notes(aside)]
    return trial_table(columns, [_settings(row) for row in ranked], width, title, notes)


def front_table(front: Front, width: int | None = None) -> RenderableType:
    """The trials on a Pareto front, best score first.

    Args:
        front: The front.
        width: Characters a line; those of the terminal by default.
    """
    columns = {"trial": [str(row.trial) for row in front.members]}
    for name in front.objectives:
        columns[name.replace("_", " ")] = [
            with_spread(row.value, row.spread)
            if name == "score"
            else _objective(objective_value(row, name))
            for row in front.members
        ]
    trials = "trial is" if len(front.dominated) == 1 else "trials are"
    notes = [
        f"{len(front.dominated)} other complete {trials} dominated: no better in any objective "
        "than one of these, and worse in one",
        *(note for note in _spread_notes(front.members) if note.startswith("±")),
    ]
    title = f"the Pareto front of {', '.join(front.objectives)}, all minimised:"
    return trial_table(columns, [_settings(row) for row in front.members], width, title, notes)


def _settings(row: Ranked) -> Mapping[str, ConfigValue]:
    # What the search chose, and not what follows from it: a branch's fixed settings differ too.
    return row.picks or row.config


def _objective(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 1000 or value == int(value) else cell(value)


def _spread_notes(ranked: Sequence[Ranked]) -> Iterable[str]:
    if any(row.spread is not None for row in ranked):
        # A sweep over samplers trains nothing.
        sweep = all("weights.trial" in row.config for row in ranked)
        measured = "" if sweep else "; `finalists:` in the study file measures that of training"
        yield f"± is the noise of sampling alone (95 %){measured}"
    if any(row.tied for row in ranked):
        yield "1= is not told apart from the best by that noise"


def _aside_notes(aside: Sequence[Aside]) -> Iterable[str]:
    if aside:
        kinds = Counter(f"{row.samples:,} images by {row.metric}" for row in aside)
        trials = "trial that was" if len(aside) == 1 else "trials that were"
        told = ", ".join(f"{count} at {kind}" for kind, count in kinds.most_common())
        yield f"not ranked: {len(aside)} {trials} pruned before a score in full ({told})"
