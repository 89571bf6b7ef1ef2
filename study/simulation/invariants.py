"""What must hold of a study whatever befell its drivers: nothing lost, nothing done twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from study.driver.events import Event, TrialEnded, TrialReported, TrialStarted
from study.driver.files import checkpoint_epoch, checkpoints
from study.driver.resume import EarlierRun
from study.results.storage import Storage
from study.results.table_files import table_files
from study.results.tables import END_STATES, TABLES, ReportRow, ScoreRow, TrialRow
from study.simulation.memory_storage import read_all_rows, read_pickled_rows

ON_DISK = timedelta(seconds=2)
"""A row is on disk so soon after its event."""
KEPT = 2
"""Checkpoints of a trial that has ended: its last, and that of its best score."""


@dataclass(frozen=True)
class Heard:
    """An event as its driver's listeners heard it.

    Attributes:
        driver: Number of the driver.
        at: When.
        event: What they heard.
        counts: Whether no other driver had taken the study over by then.
    """

    driver: int
    at: datetime
    event: Event
    counts: bool


@dataclass(frozen=True)
class Resumption:
    """What a driver took over.

    Attributes:
        driver: Its number.
        earlier: What it read.
    """

    driver: int
    earlier: EarlierRun


@dataclass
class History:
    """What happened in a study that was run to its end.

    Attributes:
        heard: Every event, in its order.
        stopped: When each driver was killed or suspended.
        resumptions: What each driver but the first read when it took over.
        late: Files that drivers wrote after another one had said which of theirs count.
        torn: What was wrong with what a reader saw, a line each.
    """

    heard: list[Heard] = field(default_factory=list)
    stopped: dict[int, datetime] = field(default_factory=dict)
    resumptions: list[Resumption] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    torn: list[str] = field(default_factory=list)

    @property
    def acknowledged(self) -> list[Heard]:
        """Events of drivers that still held the study."""
        return [heard for heard in self.heard if heard.counts]


@dataclass(frozen=True)
class Outcome:
    """The tables of a study, without what differs with the time of day.

    Attributes:
        trials: By number.
        reports: By trial and epoch.
        scores: By trial, epoch and metric.
    """

    trials: Mapping[int, TrialRow]
    reports: Mapping[tuple[int, int], ReportRow]
    scores: Mapping[tuple[int, int, str], ScoreRow]

    @classmethod
    def read(cls, storage: Storage, study: str) -> Outcome:
        """Read a simulated study's."""
        trials = read_pickled_rows(storage, TrialRow, study)
        reports = read_pickled_rows(storage, ReportRow, study)
        scores = read_pickled_rows(storage, ScoreRow, study)
        return cls(
            {row.trial: row for row in trials},
            {(row.trial, row.epoch): row for row in reports},
            {(row.trial, row.epoch, row.metric): row for row in scores},
        )

    def differences(self, other: Outcome) -> Iterator[str]:
        """What is not as in another one, a line each."""
        for name in ("trials", "reports", "scores"):
            mine, theirs = getattr(self, name), getattr(other, name)
            for key in sorted({*mine, *theirs}):
                if key not in mine or key not in theirs:
                    yield f"{name} {key}: only one of the two studies has it"
                elif _content(mine[key]) != _content(theirs[key]):
                    yield f"{name} {key}: {_content(mine[key])} is not {_content(theirs[key])}"


def violations(storage: Storage, study: str, history: History) -> list[str]:
    """What is wrong with a study that has been run to its end, a line each.

    Args:
        storage: Where the study is.
        study: Its name.
        history: What happened.
    """
    outcome = Outcome.read(storage, study)
    return [
        *history.torn,
        *_contradictions(storage, study),
        *_incomplete(outcome),
        *_forgotten(outcome, history),
        *_done_again(history),
        *_wrong_files(storage, study, outcome, history),
        *_unfenced(storage, study, history),
    ]


def torn_trials(storage: Storage, study: str) -> list[str]:
    """What is wrong with what a reader sees now: trials that have ended without all their rows."""
    outcome = Outcome.read(storage, study)
    return [f"a reader saw: {line}" for line in _incomplete(outcome, all_ended=False)]


def _contradictions(storage: Storage, study: str) -> Iterator[str]:
    """Two rows of one thing that say two things."""
    seen: dict[tuple[Any, ...], object] = {}
    rows: Iterable[tuple[tuple[Any, ...], object]] = [
        *(
            (("trial", row.trial), (dict(row.picks), row.seed, row.spec_hash))
            for row in read_all_rows(storage, TrialRow, study)
        ),
        *(
            (("report", row.trial, row.epoch), _content(row))
            for row in read_all_rows(storage, ReportRow, study)
        ),
        *(
            (("score", row.trial, row.epoch, row.metric), row.value)
            for row in read_all_rows(storage, ScoreRow, study)
        ),
    ]
    for key, content in rows:
        if seen.setdefault(key, content) != content:
            yield f"{key} is {content}, and was {seen[key]}"


def _incomplete(outcome: Outcome, *, all_ended: bool = True) -> Iterator[str]:
    """Trials that have not ended, or have ended and lack rows."""
    for number, row in outcome.trials.items():
        if row.state not in END_STATES:
            if all_ended:
                yield f"trial {number} is {row.state} at the end"
            continue
        for epoch in range(1, (row.epoch or 0) + 1):
            if (number, epoch) not in outcome.reports:
                yield f"trial {number} is {row.state}, but its report of epoch {epoch} is missing"
        values = [
            score.value
            for (trial, epoch, _), score in outcome.scores.items()
            if (trial, epoch) == (number, row.epoch)
        ]
        if row.value is not None and row.value not in values:
            yield f"trial {number} is {row.state}, but its score {row.value} is missing"


def _forgotten(outcome: Outcome, history: History) -> Iterator[str]:
    """What was said to people, and is not in the tables at the end, or was not on resuming."""
    for heard in history.acknowledged:
        match heard.event:
            case TrialStarted(number, picks):
                if number not in outcome.trials or dict(outcome.trials[number].picks) != picks:
                    yield f"trial {number} was begun with {picks}, and is not there with them"
            case TrialEnded(number, state, _, value, epoch) if state != "running":
                row = outcome.trials.get(number)
                if row is None or (row.state, row.value, row.epoch or 0) != (state, value, epoch):
                    yield f"trial {number} had ended as {state} at epoch {epoch}: {row}"
            case TrialReported(report):
                for trained in report.epochs:
                    written = outcome.reports.get((report.number, trained.epoch))
                    if written is None or written.loss != trained.loss:
                        yield f"trial {report.number}: the report of epoch {trained.epoch} is lost"
                if (score := report.score) is not None:
                    known = outcome.scores.get((report.number, score.epoch, score.metric))
                    if known is None or known.value != score.value:
                        yield f"trial {report.number}: the score of epoch {score.epoch} is lost"


def _done_again(history: History) -> Iterator[str]:
    """Work that was on disk, or should have been, and was begun anew."""
    for resumption in history.resumptions:
        unfinished = {one.row.trial: one.assignment for one in resumption.earlier.unfinished}
        for heard in history.acknowledged:
            if heard.driver >= resumption.driver:
                continue
            match heard.event:
                case TrialEnded(number, state) if state != "running" and number in unfinished:
                    yield f"trial {number} had ended as {state}, and was begun again"
                case TrialReported(report) if (
                    report.checkpoint is not None
                    and report.number in unfinished
                    and heard.at <= history.stopped[heard.driver] - ON_DISK
                ):
                    name = unfinished[report.number].checkpoint
                    epoch = 0 if name is None else checkpoint_epoch(name)
                    if epoch < report.epoch:
                        yield (
                            f"trial {report.number} had reported epoch {report.epoch}, "
                            f"and went on from epoch {epoch}"
                        )


def _wrong_files(storage: Storage, study: str, outcome: Outcome, history: History) -> Iterator[str]:
    """Checkpoints that rows name and are gone, and those that nobody needs.

    What comes late of a driver that has lost the study lies there until somebody resumes it.
    """
    files = checkpoints(storage, study)
    for number, row in outcome.trials.items():
        if row.checkpoint is not None and not storage.exists(row.checkpoint):
            yield f"trial {number}: its checkpoint {row.checkpoint} is gone"
        left = {*files.get(number, ())} - {*history.late}
        if row.state in END_STATES and len(left) > KEPT:
            yield f"trial {number} has left {len(left)} checkpoints"


def _unfenced(storage: Storage, study: str, history: History) -> Iterator[str]:
    """Rows that count, of drivers that had lost the study when they wrote them."""
    counted = {file for table in TABLES for file in table_files(storage, study, table)}
    for file in history.late:
        if file in counted:
            yield f"{file} counts, although its driver had lost the study"


_TIMES = {"stamp", "started", "ended", "lane", "host", "seconds"}


def _content(row: TrialRow | ReportRow | ScoreRow) -> dict[str, Any]:
    return {name: value for name, value in vars(row).items() if name not in _TIMES}
