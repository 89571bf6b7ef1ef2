"""Where the reports of simulated trials come from: a learning curve for each trial.

A Python function `(assignment, picks) -> Curve` is a `Curves` as it stands; `RecordedCurves`
replays a table of trainings that took place.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from study.driver.messages import Assignment
from study.results.arrow_values import rows
from study.results.columns import CONFIG_PREFIX
from study.spec import Picks, Space, UserError
from study.spec.holes import Choice, Hole, Label

SAME = 1e-9
"""Configurations that are no further apart, in widths of the ranges, are the same."""


@dataclass(frozen=True)
class Point:
    """Where a training stands after an epoch.

    Attributes:
        images_seen: Training images so far, repetitions included.
        seconds: Training so far, without scoring.
        value: The score of these weights, as the study measures it at this epoch; not finite where
            the score is none; None where it is not known.
        score_seconds: What this one evaluation takes.
        spread: Standard error of `value` over the choice of generated images; None if unknown.
        loss: Mean training loss of the epoch.
        collapsed: Whether the scored images have collapsed; None if unknown.
        failure: Why the training failed in this epoch, after `seconds` of training, such as
            'diverged'; empty if it did not.
    """

    images_seen: int
    seconds: float
    value: float | None = None
    score_seconds: float = 0.0
    spread: float | None = None
    loss: float = 0.0
    collapsed: bool | None = None
    failure: str = ""


@dataclass(frozen=True)
class Curve:
    """One training: a point after each epoch, from the first on.

    It may end before a trial does that is pruned by then.
    """

    points: Sequence[Point]
    parameters: int = 0

    def at(self, epoch: int) -> Point:
        """The point after an epoch (from 1).

        Raises:
            UserError: The curve ends before.
        """
        if epoch > len(self.points):
            raise UserError(
                f"a trial trains epoch {epoch}, but its learning curve has {len(self.points)}"
            )
        return self.points[epoch - 1]


Curves = Callable[[Assignment, Picks], Curve]
"""The learning curve of a trial, by its assignment (spec, seed) and what the search picked: the
same for the same arguments. A final run comes with the picks of the trial that it trains again,
without those that `finalists:` overrides."""


class RecordedCurves:
    """The learning curves of a table, one row for each training and epoch.

    Columns, of which those in brackets may be missing or null:
        trial: int, which training the row belongs to. Several trainings may share a configuration,
            each with another seed; a trial replays one of them, by its own seed.
        config.<dimension>: what was picked there, as in the ledger's `trials`; null where the
            dimension lies in a branch that was not chosen. Every dimension of the space has a
            column.
        epoch: int, from 1, without gaps.
        images_seen: int, training images so far.
        train_seconds: float, training so far (`seconds` of the ledger's `reports`).
        value: float, the score of these weights; null where it was not taken.
        [score_seconds]: float, of this one evaluation (`seconds` of the ledger's `scores`).
        [spread]: float, standard error of `value`.
        [loss]: float, mean training loss of the epoch.
        [collapsed]: bool, whether the scored images have collapsed.
        [parameters]: int, of the trained networks.
        [failure]: string, why the training failed in this epoch, in its last row.

    Args:
        table: The table.
        space: Of the study that is simulated.
        nearest: Whether a trial may replay the nearest configuration with the same choices, each
            range (of a `log` one, its logarithm) counting as 1 wide; otherwise only its own.

    Raises:
        UserError: A column is missing.
    """

    def __init__(self, table: pa.Table, space: Space, *, nearest: bool = False) -> None:
        self._holes = {one.name: one.hole for one in space.dimensions()}
        self._nearest = nearest
        wanted = ["trial", "epoch", "images_seen", "train_seconds", "value"]
        wanted += [CONFIG_PREFIX + name for name in self._holes]
        missing = [name for name in wanted if name not in table.column_names]
        if missing:
            raise UserError(f"the table of learning curves has no column {', '.join(missing)}")
        trainings: dict[int, list[dict[str, Any]]] = {}
        for row in sorted(rows(table), key=lambda row: (row["trial"], row["epoch"])):
            trainings.setdefault(row["trial"], []).append(row)
        self._curves: dict[tuple[Label, ...], list[Curve]] = {}
        for training in trainings.values():
            config = tuple(training[0][CONFIG_PREFIX + name] for name in self._holes)
            self._curves.setdefault(config, []).append(_curve(training))

    @classmethod
    def from_parquet(
        cls, path: Path | str, space: Space, *, nearest: bool = False
    ) -> RecordedCurves:
        """The curves of a Parquet file.

        Raises:
            UserError: A column is missing.
        """
        return cls(parquet.read_table(path), space, nearest=nearest)

    def __call__(self, assignment: Assignment, picks: Picks) -> Curve:
        """The curve of a trial.

        Raises:
            UserError: No configuration of the table is the trial's, or near it.
        """
        config = tuple(picks.get(name) for name in self._holes)
        trainings = self._curves.get(config) or self._closest(picks)
        if trainings is None:
            listed = ", ".join(f"{name}={value!r}" for name, value in picks.items())
            raise UserError(
                f"no recorded training has the {'choices' if self._nearest else 'configuration'} "
                f"of trial {assignment.number}: {listed}"
            )
        return trainings[assignment.seed % len(trainings)]

    def _closest(self, picks: Picks) -> list[Curve] | None:
        """The trainings of the configuration next to some picks; None if it is too far away."""
        distances = {config: self._distance(config, picks) for config in self._curves}
        closest = min(distances, key=lambda config: distances[config], default=None)
        limit = math.inf if self._nearest else SAME
        if closest is None or not distances[closest] < limit:
            return None
        return self._curves[closest]

    def _distance(self, config: Sequence[Label], picks: Mapping[str, Label]) -> float:
        recorded = dict(zip(self._holes, config, strict=True))
        return math.hypot(
            *(_apart(self._holes[name], recorded[name], value) for name, value in picks.items())
        )


def _apart(hole: Hole, one: Label, other: Label) -> float:
    """How far apart two values are, in widths of their range; infinitely if one cannot be other."""
    if one == other:
        return 0.0
    if isinstance(hole, Choice) or not isinstance(one, int | float):
        return math.inf
    assert isinstance(other, int | float)  # what is picked from a range is a number
    scale = math.log if hole.log else float
    return abs(scale(one) - scale(other)) / (scale(hole.high) - scale(hole.low))


def _curve(training: Sequence[Mapping[str, Any]]) -> Curve:
    if [row["epoch"] for row in training] != [*range(1, len(training) + 1)]:
        raise UserError(
            f"training {training[0]['trial']} of the learning curves has gaps in `epoch`"
        )
    points = tuple(
        Point(
            images_seen=row["images_seen"],
            seconds=row["train_seconds"],
            value=row["value"],
            score_seconds=row.get("score_seconds") or 0.0,
            spread=row.get("spread"),
            loss=row.get("loss") or 0.0,
            collapsed=row.get("collapsed"),
            failure=row.get("failure") or "",
        )
        for row in training
    )
    return Curve(points, training[0].get("parameters") or 0)
