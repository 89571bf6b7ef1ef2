"""What a study has shown: the search's ranking, the finalists, the front, and which trial leads."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from study.results.finalists import Finals, rank_finalists
from study.results.html import WIDE, to_html
from study.results.json_text import decoded, json_text
from study.results.objective import objectives
from study.results.pareto import Front, front, objective_value
from study.results.ranking import RankedTrial, UnrankedTrial, rank_trials
from study.results.reader import StudyRows, read_study
from study.results.render import to_text
from study.results.storage import Storage
from study.spec.errors import UserError


@dataclass(frozen=True)
class Leader:
    """The trial that leads a study.

    Attributes:
        trial: Its number in the search.
        run: The trial whose weights to take: its best final run, or itself.
        epoch: Of those weights; None if unknown.
        value: The mean of its final scores, or its score in the search.
        final: Whether it leads the finalists, and not the search alone.
    """

    trial: int
    run: int
    epoch: int | None
    value: float
    final: bool


class RankedTrials(list[RankedTrial]):
    """Trials of a search, best first: a list that shows itself as `study best` does."""

    def __repr__(self) -> str:
        """The table, as text."""
        from study.results.leaderboard_tables import ranking_table

        return to_text(ranking_table(self)) if self else "[]"

    def _repr_html_(self) -> str:
        """The table, for notebooks."""
        from study.results.leaderboard_tables import ranking_table

        return to_html(ranking_table(self, WIDE) if self else "no trial has a score yet")


@dataclass(frozen=True, repr=False)
class Leaderboard:
    """What `study best` shows, from one reading of the ledger.

    Each part is worked out when it is first asked for, and raises UserError then if its scores
    cannot be compared.

    Attributes:
        rows: What was read.
    """

    rows: StudyRows

    def __repr__(self) -> str:
        """The study, and how many trials it has."""
        return f"Leaderboard({self.rows.study!r}, {len(self.rows.trials)} trials)"

    def _repr_html_(self, top: int = 10) -> str:
        """Its tables, for notebooks; or why its scores cannot be compared."""
        from study.results.leaderboard_tables import leaderboard_tables

        try:
            tables = leaderboard_tables(self, top, WIDE)
        except UserError as error:
            return to_html(str(error))
        return "".join(map(to_html, tables)) or to_html("no trial has a score yet")

    @property
    def ranked(self) -> tuple[RankedTrial, ...]:
        """The trials of the search, best first."""
        return self._ranking[0]

    @property
    def unranked(self) -> tuple[UnrankedTrial, ...]:
        """The trials that were pruned too early to be ranked."""
        return self._ranking[1]

    @cached_property
    def _ranking(self) -> tuple[tuple[RankedTrial, ...], tuple[UnrankedTrial, ...]]:
        return rank_trials(self.rows.trials, self.rows.scores)

    @cached_property
    def finals(self) -> Finals | None:
        """The finalists; None if there are no final runs."""
        return rank_finalists(self.rows.trials, self.rows.scores)

    @cached_property
    def front(self) -> Front | None:
        """The Pareto front of the search; None if the study has one objective."""
        names = objectives(self.rows.trials)
        return front(self.ranked, names) if len(names) > 1 else None

    @property
    def leader(self) -> Leader | None:
        """The best finalist, else the best of the search; None while there is no score.

        Of several objectives, it is the best score on the front.
        """
        if self.finals is not None and self.finals.finalists:
            best = self.finals.finalists[0]
            run = best.runs[0]
            return Leader(best.trial, run.trial, run.epoch, best.standing.mean, final=True)
        ranked = self.ranked
        if self.front is not None and self.front.members:
            ranked = self.front.members
        if not ranked:
            return None
        first = ranked[0]
        return Leader(first.trial, first.trial, first.epoch, first.value, final=False)


def read_leaderboard(storage: Storage, study: str) -> Leaderboard:
    """Read what a study has shown so far.

    Raises:
        UserError: There is no such study.
    """
    return Leaderboard(read_study(storage, study))


def to_json(board: Leaderboard, top: int | None = None) -> str:
    """A leaderboard as JSON, with the first `top` trials of the search; the unknown is null."""
    tree: dict[str, Any] = {"study": board.rows.study, "finals": None, "front": None}
    if board.finals is not None:
        tree["finals"] = {
            **_fields(board.finals),
            "finalists": [_fields(row) for row in board.finals.finalists],
            "measured": board.finals.measured or {},
        }
        del tree["finals"]["overridden"]
    if board.front is not None:
        names = board.front.objectives
        tree["front"] = {
            "objectives": names,
            "members": [
                {**_fields(row), "objectives": {name: objective_value(row, name) for name in names}}
                for row in board.front.members
            ],
            "dominated": len(board.front.dominated),
        }
    tree["search"] = [_fields(row) for row in board.ranked[:top]]
    tree["aside"] = [_fields(row) for row in board.unranked]
    return json_text(tree)


def _fields(row: Any) -> dict[str, Any]:
    """The fields of a row; of its configuration, lists as lists."""
    fields = {field.name: getattr(row, field.name) for field in dataclasses.fields(row)}
    for name in ("config", "picks"):
        if name in fields:
            fields[name] = decoded(fields[name])
    return fields
