"""A conductor with its search and its ledger, played by hand or run in simulated lanes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from study_trees import parse_study, tree

from study.driver.conductor import Conductor, Unfinished
from study.driver.events import Event
from study.driver.finals import Race, read_candidates
from study.driver.messages import Assignment, EpochResult, Report, ScoreResult
from study.results.arrow_values import rows
from study.results.ledger import Ledger
from study.results.query import connect
from study.results.storage import Storage
from study.search import Search
from study.simulation.buffered_storage import BufferedStorage
from study.simulation.clock import SimulatedClock
from study.simulation.lanes import SimulatedLanes
from study.simulation.learning_curves import Curves
from study.spec import StudyFile


class Stage:
    """A conductor with its search and its ledger, and what the ledger held at each event."""

    def __init__(
        self,
        folder: Path,
        study_file: StudyFile | None = None,
        lanes: int = 2,
        unfinished: list[Unfinished] | None = None,
        watch: bool = False,
        search: Search | None = None,
        max_age: float = 0.0,
    ) -> None:
        study_file = study_file or parse_study(tree())
        self.lanes = lanes
        self.clock = SimulatedClock()
        self.storage = BufferedStorage.over(Storage.from_uri(str(folder)))
        self.storage.claim("small", study_file.text)
        self.search = search or Search(study_file)
        # By default nothing is left in the buffer, so that a reader sees what was appended.
        self.ledger = Ledger(self.storage, "small", max_age, self.clock)
        self.events: list[Event] = []
        self.watch = watch
        self.seen: list[dict[str, list[dict[str, Any]]]] = []
        settings = study_file.study.finalists
        finals = settings and Race(
            settings,
            self.search.planned,
            lambda: read_candidates(self.storage, "small", settings.top),
        )
        self.conductor = Conductor(
            study_file,
            self.search,
            self.ledger,
            lanes,
            "code",
            [self.hear],
            unfinished or [],
            finals,
            self.clock,
        )

    def run(self, curves: Curves) -> None:
        """Run all trials in simulated lanes."""
        SimulatedLanes(
            self.conductor,
            self.ledger,
            curves,
            self.lanes,
            storage=self.storage,
            clock=self.clock,
        ).run()

    def hear(self, event: Event) -> None:
        self.events.append(event)
        if self.watch:
            tables = ("trials", "reports", "scores")
            self.seen.append({table: self.table(table) for table in tables})

    def table(self, name: str) -> list[dict[str, Any]]:
        with connect(self.storage, tables=[name]) as connection:
            return rows(connection.sql(f"from {name} order by trial").to_arrow_table())

    def start(self) -> Assignment:
        assignment = self.conductor.next_trial()
        assert isinstance(assignment, Assignment)
        return assignment

    def picks(self, number: int) -> dict[str, Any]:
        picks: dict[str, Any] = json.loads(self.table("trials")[number]["picks"])
        return picks

    def report(
        self, number: int, epoch: int, value: float | None, outcome: Any, **more: Any
    ) -> bool:
        return self.conductor.report(report(number, epoch, value, outcome, **more))


def report(
    number: int, epoch: int, value: float | None, outcome: Any, steps: int = 5, **more: Any
) -> Report:
    score = None
    if value is not None:
        score = ScoreResult(
            epoch, "fd_pixels", value, 16, "ddim", steps, 0, "embedder", "real", 0.5
        )
    return Report(
        number,
        outcome,
        epoch=epoch,
        images_seen=100 * epoch,
        seconds=2.0 * epoch,
        score_seconds=0.5 * epoch,
        parameters=123,
        data_digest="digits",
        epochs=(EpochResult(epoch, 100 * epoch, 2.0 * epoch, 1 / (epoch or 1)),),
        score=score,
        lane="lane 0",
        host="here",
        **more,
    )
