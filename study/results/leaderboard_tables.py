"""Leaderboards as tables for the terminal: finalists, the search's ranking, the Pareto front."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from rich.console import RenderableType

from study.results.collapsed import collapsed_notes, marked
from study.results.finalists_table import finals_table
from study.results.leaderboard import Leaderboard
from study.results.pareto import Front, objective_value
from study.results.ranking import RankedTrial, UnrankedTrial
from study.results.render import cell
from study.results.tables import ConfigValue
from study.results.trial_table import trial_table, with_spread


def leaderboard_tables(
    board: Leaderboard, top: int, width: int | None = None
) -> list[RenderableType]:
    """What `study best` shows: finalists first, then the front or the search's ranking.

    Args:
        board: What the study has shown.
        top: Number of trials of the search to show.
        width: Characters a line; those of the terminal by default.
    """
    tables: list[RenderableType] = []
    if board.finals is not None:
        tables.append(finals_table(board.finals, width))
    if board.front is not None and board.front.members:
        tables.append(front_table(board.front, width))
    elif board.ranked or board.unranked:
        title = "\nthe search:" if board.finals is not None else ""
        tables.append(ranking_table(board.ranked[:top], width, board.unranked, title))
    return tables


def ranking_table(
    ranked: Sequence[RankedTrial],
    width: int | None = None,
    unranked: Sequence[UnrankedTrial] = (),
    title: str = "",
) -> RenderableType:
    """Ranked trials with the parameters in which they differ, as many as fit.

    Args:
        ranked: Trials of the search, best first.
        width: Characters a line; those of the terminal by default.
        unranked: Trials that cannot be ranked among them, counted in a line below.
        title: A line above.
    """
    columns: dict[str, Sequence[str]] = {
        "rank": ["1=" if row.tied else str(row.rank) for row in ranked],
        "trial": [str(row.trial) for row in ranked],
        "score": [with_spread(row.value, row.spread) for row in ranked],
        "state": [marked(row.state, row.collapsed) for row in ranked],
        "epoch": [cell(row.epoch) for row in ranked],
    }
    notes = [*_spread_notes(ranked), *_collapsed_notes(ranked), *_unranked_notes(unranked)]
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
        *_collapsed_notes(front.members),
        f"{len(front.dominated)} other complete {trials} dominated: no better in any objective "
        "than one of these, and worse in one",
        *(note for note in _spread_notes(front.members) if note.startswith("±")),
    ]
    title = f"the Pareto front of {', '.join(front.objectives)}, all minimised:"
    return trial_table(columns, [_settings(row) for row in front.members], width, title, notes)


def _settings(row: RankedTrial) -> Mapping[str, ConfigValue]:
    # What the search chose, and not what follows from it: a branch's fixed settings differ too.
    return row.picks or row.config


def _objective(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 1000 or value == int(value) else cell(value)


def _spread_notes(ranked: Sequence[RankedTrial]) -> Iterable[str]:
    if any(row.spread is not None for row in ranked):
        # A sweep over samplers trains nothing.
        sweep = all("weights.trial" in row.config for row in ranked)
        measured = "" if sweep else "; `finalists:` in the study file measures that of training"
        yield f"± is the noise of sampling alone (95 %){measured}"
    if any(row.tied for row in ranked):
        yield "1= is not told apart from the best by that noise"


def _collapsed_notes(ranked: Sequence[RankedTrial]) -> Iterable[str]:
    return collapsed_notes((row.trial, row.collapsed) for row in ranked)


def _unranked_notes(unranked: Sequence[UnrankedTrial]) -> Iterable[str]:
    if unranked:
        kinds = Counter(f"{row.samples:,} images by {row.metric}" for row in unranked)
        trials = "trial that was" if len(unranked) == 1 else "trials that were"
        counts = ", ".join(f"{count} at {kind}" for kind, count in kinds.most_common())
        yield f"not ranked: {len(unranked)} {trials} pruned before a score in full ({counts})"
