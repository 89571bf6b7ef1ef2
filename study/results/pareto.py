"""The Pareto front of a study with several objectives, all of them minimised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from study.results.html import WIDE, to_html
from study.results.ranking import RankedTrial
from study.results.render import to_text


@dataclass(frozen=True, repr=False)
class Front:
    """What the best trials of several objectives are.

    Attributes:
        objectives: Their names, the score among them.
        members: Complete trials that no other one dominates, best score first.
        dominated: Complete trials that are no better in any objective than some other one, and
            worse in one.
    """

    objectives: tuple[str, ...]
    members: tuple[RankedTrial, ...]
    dominated: tuple[RankedTrial, ...]

    def __repr__(self) -> str:
        """The table, as text."""
        from study.results.leaderboard_tables import front_table

        return to_text(front_table(self))

    def _repr_html_(self) -> str:
        """The table, for notebooks."""
        from study.results.leaderboard_tables import front_table

        return to_html(front_table(self, WIDE))


def front(ranked: Sequence[RankedTrial], objectives: Sequence[str]) -> Front:
    """The trials that are not dominated, among the complete ones.

    A trial of which an objective is not known is on neither side.

    Args:
        ranked: Trials, best score first.
        objectives: `score`, `steps`, `parameters` or `train_seconds`.
    """
    points = {}
    for row in ranked:
        values = [objective_value(row, name) for name in objectives]
        known = tuple(value for value in values if value is not None)
        if row.state == "complete" and len(known) == len(values):
            points[row.trial] = known
    beaten = {
        trial
        for trial, point in points.items()
        if any(_dominates(other, point) for other in points.values())
    }
    entered = [row for row in ranked if row.trial in points]
    return Front(
        tuple(objectives),
        tuple(row for row in entered if row.trial not in beaten),
        tuple(row for row in entered if row.trial in beaten),
    )


def objective_value(row: RankedTrial, name: str) -> float | None:
    """The value of one of a trial's objectives, if known."""
    values = {
        "score": row.value,
        "steps": row.steps,
        "parameters": row.parameters,
        "train_seconds": row.train_seconds,
    }
    return values[name]


def _dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    return all(a <= b for a, b in zip(one, other, strict=True)) and tuple(one) != tuple(other)
