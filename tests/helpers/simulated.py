"""Small studies for simulated lanes: a grid of 24 points, with learning curves by a formula."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

from study_trees import changed, parse_study

from study.driver.messages import Assignment
from study.results.arrow_values import rows
from study.results.query import query
from study.results.storage import Storage
from study.simulation.learning_curves import Curve, Curves, Point
from study.spec import Picks, StudyFile

EPOCHS = 9


def grid_study(
    trials: int = 24, pruner: Any = "none", finalists: dict[str, Any] | None = None, **score: Any
) -> StudyFile:
    """Its trials come in the same order, whatever happened before."""
    file = changed(
        search={"sampler": "grid", "trials": trials, "pruner": pruner},
        train={"epochs": EPOCHS, "batch_size": 32, "learning_rate": 1e-3},
        score=score,
    )
    file["model"]["timesteps"] = {"int": [10, 60], "step": 10}
    file["model"]["schedule"] = {"choice": [{"kind": "cosine"}, {"kind": "constant"}]}
    if finalists is not None:
        file["finalists"] = finalists
    return parse_study(file)


def worth(picks: Picks) -> float:
    """Where a trial's score ends but for luck, above 0."""
    steps = float(picks["model.timesteps"] or 0)
    return abs(math.log(steps / 42)) + (picks["model.schedule"] == "constant")


def learning(
    score_seconds: float = 5.0,
    spread: float | None = 0.1,
    failures: Callable[[Assignment], int | None] = lambda assignment: None,
) -> Curves:
    """Curves that fall to the trial's `worth`, at a pace that depends on it.

    Args:
        score_seconds: What an evaluation takes.
        spread: Of each score.
        failures: The epoch in which a trial diverges; None if it does not.
    """

    def curve(assignment: Assignment, picks: Picks) -> Curve:
        luck = Random(assignment.seed)
        pace = 30.0 + luck.random()
        points = [
            Point(
                images_seen=100 * epoch,
                seconds=pace * epoch,
                value=worth(picks) + 5 / epoch + luck.uniform(0, 0.5),
                score_seconds=score_seconds,
                spread=spread,
                loss=1 / epoch,
                failure="diverged" if failures(assignment) == epoch else "",
            )
            for epoch in range(1, EPOCHS + 1)
        ]
        return Curve(points, parameters=123)

    return curve


def table(storage: Storage, name: str, columns: Sequence[str] = ("*",)) -> list[dict[str, Any]]:
    """Rows of a table of the study `small`, in the order of trial and epoch."""
    sql = f"select {', '.join(columns)} from {name} order by trial, epoch"
    return rows(query(storage, sql, ["small"]))


def content(storage: Storage) -> dict[str, list[dict[str, Any]]]:
    """All that the ledger of the study `small` holds."""
    return {name: table(storage, name) for name in ("trials", "reports", "scores", "artifacts")}


def in_folder(folder: Path) -> Storage:
    """A storage in a folder."""
    return Storage.from_uri(str(folder))
