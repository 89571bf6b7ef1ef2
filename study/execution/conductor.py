"""The driver's one place where search, ledger and lanes meet. Knows no Ray.

Tune's searcher and scheduler are two faces of this object (see `tune_faces`): asking and being told
go to one Optuna study, and whatever happens becomes rows before anybody else hears of it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from study.execution.events import Event, Listener, TrialEnded, TrialReported, TrialStarted
from study.execution.messages import Assignment, Report
from study.results.ledger import Ledger
from study.results.tables import ArtifactRow, ReportRow, ScoreRow, State, TrialRow
from study.search import Search, Suggestion
from study.spec import StudyFile, UserError
from study.spec.tree import leaves


@dataclass(frozen=True)
class Unfinished:
    """A trial that an earlier run left: its last row, and where it goes on."""

    row: TrialRow
    assignment: Assignment


class Conductor:
    """Runs one study's trials, whoever carries them out.

    Args:
        study_file: The study.
        search: Proposes and judges.
        ledger: Where everything that happens is written.
        lanes: How many trials may be in hand at a time.
        code_digest: Digest of the code that runs, for the trials' rows.
        listeners: Told of each event after it is in the ledger.
        unfinished: Trials of an earlier run, to go on with before new ones are asked for.
    """

    def __init__(
        self,
        study_file: StudyFile,
        search: Search,
        ledger: Ledger,
        lanes: int,
        code_digest: str = "",
        listeners: Sequence[Listener] = (),
        unfinished: Sequence[Unfinished] = (),
    ) -> None:
        self._file = study_file
        self._search = search
        self._ledger = ledger
        self._lanes = lanes
        self._code_digest = code_digest
        self._listeners = listeners
        self._rows: dict[int, TrialRow] = {}  # trials in hand
        self._last: dict[int, Report] = {}
        self._busy: set[int] = set()  # trials whose lanes are not free yet
        self._unfinished = [*unfinished]
        self._exhausted = False
        self.interrupted = False
        self.best: tuple[float, int] | None = None

    @property
    def planned(self) -> int:
        """How many trials the study has in all."""
        return self._search.planned

    @property
    def finished(self) -> bool:
        """Whether no more trials will be handed out."""
        return self._exhausted or self.interrupted

    def next_trial(self) -> Assignment | None:
        """The next trial for a lane, or None if there is none now (see `finished`)."""
        if self.finished or len(self._busy) >= self._lanes:
            return None
        if self._unfinished:
            return self._continue(self._unfinished.pop(0))
        while (suggestion := self._search.ask()) is not None:
            assignment = self._assign(suggestion)
            if assignment is not None:
                return assignment
        self._exhausted = True
        return None

    def _assign(self, suggestion: Suggestion) -> Assignment | None:
        number, picks = suggestion.number, suggestion.picks
        try:
            spec = self._file.spec(picks)
        except UserError as error:
            # Two holes that each check had found good can still be wrong together.
            self._begin(suggestion.seed, number, {}, "", {}, picks)
            self._search.fail(number)
            self._end(number, "failed", f"invalid: {error}")
            return None
        config = leaves(spec.trial_config(), picks)
        dump = spec.model_dump(mode="json")
        self._begin(suggestion.seed, number, dump, spec.digest(), config, picks)
        self._busy.add(number)
        return Assignment(spec.name, number, suggestion.seed, dump)

    def _continue(self, trial: Unfinished) -> Assignment:
        number = trial.assignment.number
        self._busy.add(number)
        self._rows[number] = replace(trial.row, state="running", reason="")
        self._ledger.append(self._rows[number])
        self._tell(TrialStarted(number, json.loads(trial.row.picks)))
        return trial.assignment

    def report(self, report: Report) -> bool:
        """Take in a trial's report; answers whether the trial is to go on."""
        number = report.number
        if number not in self._rows:
            return False
        self._last[number] = report
        self._write_report(report)
        value = None if report.score is None else report.score.value
        leads = (
            value is not None
            and math.isfinite(value)
            and (self.best is None or value < self.best[0])
        )
        if leads and value is not None:
            self.best = (value, number)
        self._tell(TrialReported(report, leads))
        if report.outcome == "interrupted" or (self.interrupted and report.outcome == "running"):
            self._end(number, "running", "interrupted")
            return False
        if report.outcome == "failed":
            self._search.fail(number)
            self._end(number, "failed", report.reason)
            return False
        if value is None or not math.isfinite(value):
            self._search.fail(number)
            self._end(number, "failed", f"the score is {value}")
            return False
        prune = self._search.report(number, report.epoch, value)
        if report.outcome == "done":
            self._search.complete(number, self._objectives(report, value))
            self._end(number, "complete", report.reason)
            return False
        if prune:
            self._search.prune(number)
            pruner = self._file.study.search.pruner.kind
            self._end(number, "pruned", f"{pruner} at epoch {report.epoch}")
            return False
        return True

    def release(self, number: int) -> None:
        """A trial's lane is free for the next one.

        This comes a little after the trial's end. A trial handed out in between would find no lane
        free, and get a new one started, which takes longer than many a trial.
        """
        self._busy.discard(number)

    def lose(self, number: int, reason: str) -> None:
        """A trial's lane is gone for good, and so is the trial."""
        if number in self._rows:
            self._search.fail(number)
            self._end(number, "failed", reason)

    def _objectives(self, report: Report, value: float) -> list[float]:
        measured = {
            "score": value,
            "parameters": float(report.parameters),
            "train_seconds": report.seconds,
        }
        return [measured[name] for name in self._file.study.search.objectives]

    def _begin(
        self,
        seed: int,
        number: int,
        spec: dict[str, object],
        digest: str,
        config: dict[str, str | int | float | bool | None],
        picks: dict[str, str | int | float | bool | None],
    ) -> None:
        row = TrialRow(
            trial=number,
            state="running",
            spec=json.dumps(spec),
            spec_hash=digest,
            picks=json.dumps(picks),
            seed=seed,
            started=datetime.now(UTC),
            config=config,
            code_digest=self._code_digest,
        )
        self._rows[number] = row
        self._ledger.append(row)
        self._tell(TrialStarted(number, picks))

    def _write_report(self, report: Report) -> None:
        score = report.score
        for epoch in report.epochs:
            self._ledger.append(
                ReportRow(
                    trial=report.number,
                    epoch=epoch.epoch,
                    images_seen=epoch.images_seen,
                    seconds=epoch.seconds,
                    loss=epoch.loss,
                    discriminator_loss=epoch.discriminator_loss,
                    validation_loss=epoch.validation_loss,
                    learning_rate=epoch.learning_rate,
                    value=score.value if score and score.epoch == epoch.epoch else None,
                    lane=report.lane,
                )
            )
        if score is not None:
            self._ledger.append(
                ScoreRow(
                    trial=report.number,
                    epoch=score.epoch,
                    stage="search",
                    metric=score.metric,
                    value=score.value,
                    samples=score.samples,
                    sampler=score.sampler,
                    steps=score.steps,
                    seed=score.seed,
                    embedder=score.embedder,
                    reference=score.reference,
                    seconds=score.seconds,
                )
            )
        if report.samples is not None:
            self._ledger.append(
                ArtifactRow(
                    trial=report.number,
                    epoch=report.epoch,
                    kind="samples",
                    path=report.samples.name,
                    bytes=report.samples.bytes,
                )
            )
        row = self._rows[report.number]
        self._rows[report.number] = replace(
            row,
            value=row.value if score is None else score.value,
            epoch=report.epoch,
            images_seen=report.images_seen,
            train_seconds=report.seconds,
            score_seconds=report.score_seconds,
            parameters=report.parameters,
            data_digest=report.data_digest,
            skipped_pictures=len(report.skipped),
            checkpoint=row.checkpoint if report.checkpoint is None else report.checkpoint.name,
            lane=report.lane,
            host=report.host,
        )
        if report.outcome == "running":
            self._ledger.append(self._rows[report.number])

    def _end(self, number: int, state: State, reason: str) -> None:
        row = self._rows.pop(number)
        ended = None if state == "running" else datetime.now(UTC)
        value = row.value
        row = replace(row, state=state, reason=reason, ended=ended)
        last = self._last.pop(number, None)
        if last is not None and last.checkpoint is not None:
            self._ledger.append(
                ArtifactRow(
                    trial=number,
                    epoch=last.epoch,
                    kind="checkpoint",
                    path=last.checkpoint.name,
                    bytes=last.checkpoint.bytes,
                )
            )
        self._ledger.append(row)
        self._ledger.flush()
        self._tell(TrialEnded(number, state, reason, value, row.epoch or 0))

    def _tell(self, event: Event) -> None:
        for listener in self._listeners:
            listener(event)
