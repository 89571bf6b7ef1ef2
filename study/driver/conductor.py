"""The one place where search, ledger and lanes meet.

Whoever carries trials out calls four methods: `next_trial`, `report`, `release` and `lose`, and
`interrupt` at Ctrl-C; `finished` and `ended` are there to be read. Lanes on Ray do so through the
two faces that Tune sees (`study.lanes.tune_faces`), simulated lanes directly. What happens is
written to the ledger before any listener hears of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from study.driver.events import (
    Event,
    Listener,
    SearchStopped,
    TrialEnded,
    TrialReported,
    TrialStarted,
)
from study.driver.finals import Race, sampling_seeds
from study.driver.messages import Assignment, Report, Rest
from study.driver.retention import Retention
from study.driver.rows import file_row, first_row, objective_values, report_rows, row_after
from study.results.clock import SYSTEM_CLOCK, Clock
from study.results.ledger import Ledger
from study.results.tables import Row, State, TrialRow
from study.search import Search, Suggestion, trial_seed
from study.spec import Picks, Study, StudyFile, UserError


@dataclass(frozen=True)
class Unfinished:
    """A trial that an earlier run left.

    Attributes:
        row: Its last row.
        assignment: Where it goes on.
        checkpoints: Those that it has up to there, by rising epoch, each with its score if that may
            be compared with the trial's others.
    """

    row: TrialRow
    assignment: Assignment
    checkpoints: tuple[tuple[str, float | None], ...] = ()


class Conductor:
    """Runs one study's trials, whoever carries them out.

    Args:
        study_file: The study.
        search: Proposes and judges.
        ledger: Where everything that happens is written.
        lanes: How many trials may be in hand at a time.
        code_digest: Digest of the code that runs, for the trials' rows.
        listeners: Called with each event after it is in the ledger.
        unfinished: Trials of an earlier run, to go on with before new ones are asked for.
        finals: What follows the search; None if nothing does.
        clock: Says when trials start and end.
        best: The best score of an earlier run, and its trial.
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
        finals: Race | None = None,
        clock: Clock = SYSTEM_CLOCK,
        best: tuple[float, int] | None = None,
    ) -> None:
        self._file = study_file
        self._search = search
        self._ledger = ledger
        self._retention = Retention(ledger)
        self._lanes = lanes
        self._code_digest = code_digest
        self._listeners = [*listeners]
        self._rows: dict[int, TrialRow] = {}  # trials in hand
        self._last: dict[int, Report] = {}
        self._busy: set[int] = set()  # trials whose lanes are not free yet
        self._unfinished = [*unfinished]
        self._finals = finals
        self._clock = clock
        self._exhausted = False
        self._stopped = False
        self._rests = 0
        self.ended = 0
        self.interrupted = False
        self.best = best

    def interrupt(self) -> None:
        """Hand out no more trials; those in hand end as `running` at their next report.

        A storage that is away is not waited for much longer.
        """
        self.interrupted = True
        self._ledger.patience.hurry()

    def record(self) -> None:
        """Write what has happened, now: this process may end at any time."""
        self._ledger.flush()

    def listen(self, listener: Listener) -> None:
        """Add a listener to events."""
        self._listeners.append(listener)

    @property
    def planned(self) -> int:
        """How many trials the study has in all."""
        return self._search.planned

    @property
    def finished(self) -> bool:
        """Whether no more trials will be handed out."""
        return self._exhausted or self.interrupted

    def next_trial(self) -> Assignment | Rest | None:
        """The next trial for a lane, or None if no lane is free or all is done (see `finished`).

        A `Rest` where what comes next depends on trials in hand.
        """
        if self.finished or len(self._busy) >= self._lanes:
            return None
        if self._unfinished:
            return self._continue(self._unfinished.pop(0))
        while (suggestion := self._search.ask()) is not None:
            assignment = self._assign(suggestion)
            if assignment is not None:
                return assignment
        if self._search.stopped and not self._stopped:
            self._stopped = True
            search = self._search
            self._tell(SearchStopped(search.asked, search.planned, search.stopped))
        return self._next_final()

    def _next_final(self) -> Assignment | Rest | None:
        """All of the search has been handed out: the next final run, if there is one."""
        if self._finals is None:
            self._exhausted = True
            return None
        searching = any(row.stage == "search" for row in self._rows.values())
        chosen = None if searching else self._finals.next()
        if chosen is None and self._rows:
            # What comes next depends on how those in hand end.
            self._rests += 1
            self._busy.add(-self._rests)
            return Rest(-self._rests, self.ended)
        if chosen is None:
            self._exhausted = True
            return None
        number, candidate = chosen
        spec, settings = candidate.spec.final(), self._file.study.finalists
        assert settings is not None  # there are no finals without
        seed = trial_seed(self._file.study.search.seed, number)
        picks = {n: v for n, v in candidate.picks.items() if not settings.overrides(n)}
        self._begin(seed, number, spec, picks, repeats=candidate.number)
        self._busy.add(number)
        seeds = sampling_seeds(settings, seed)
        return Assignment(spec.name, number, seed, spec, sampling_seeds=seeds)

    def _assign(self, suggestion: Suggestion) -> Assignment | None:
        number, picks = suggestion.number, suggestion.picks
        try:
            spec = self._file.spec(picks)
        except UserError as error:
            # Two values that are valid with all others can still be wrong together.
            self._begin(suggestion.seed, number, None, picks)
            self._fail(number, f"invalid: {error}")
            return None
        self._begin(suggestion.seed, number, spec, picks)
        self._busy.add(number)
        return Assignment(spec.name, number, suggestion.seed, spec)

    def _continue(self, trial: Unfinished) -> Assignment:
        number = trial.assignment.number
        self._busy.add(number)
        self._rows[number] = replace(trial.row, state="running", reason="")
        written = self._ledger.append(self._rows[number])
        for name, value in trial.checkpoints:
            self._retention.note(number, name, value, written)
        self._tell(TrialStarted(number, dict(trial.row.picks), trial.row.repeats))
        return trial.assignment

    def report(self, report: Report) -> bool:
        """Take in a trial's report; answers whether the trial is to go on."""
        number = report.number
        if number not in self._rows:
            return False
        if report == self._last.get(number):
            return True  # its lane was lost with the answer, and another one hands it in again
        if report.outcome != "interrupted" or report.epochs or report.checkpoint:
            self._last[number] = report
            self._write_report(report)
        # Else it was answered for before its workers were up, and its row is right as it is.
        value = None if report.score is None else report.score.value
        final = self._rows[number].stage == "final"
        over = report.outcome == "done"
        ranked = not final and self._ranked_value(report) is not None
        leads = ranked and value is not None and (self.best is None or value < self.best[0])
        if leads and value is not None:
            self.best = (value, number)
        self._tell(TrialReported(report, leads, ranked))
        if report.outcome == "interrupted" or (self.interrupted and report.outcome == "running"):
            self.interrupted = True  # if nobody asked it to: what stays open is to be resumed
            self._end(number, "running", report.reason or "interrupted")
            return False
        if report.outcome == "failed":
            self._fail(number, report.reason)
            return False
        if final and not over:
            return True  # it is scored at its end
        unsound = [v for v in report.values if not math.isfinite(v)]
        if value is None or unsound:
            self._fail(number, f"the score is {unsound[0] if unsound else None}")
            return False
        if final:
            assert self._finals is not None
            self._finals.end(number, report.values)
            self._end(number, "complete", report.reason)
            return False
        prune = self._search.report(number, report.epoch, value, last=over)
        if (over or prune) and report.collapsed and self._file.study.search.fail_collapsed:
            self._fail(number, "collapsed")
            return False
        if over:
            names = self._file.study.search.objectives
            self._search.complete(number, objective_values(report, value, names))
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
            self._fail(number, reason)

    def _fail(self, number: int, reason: str) -> None:
        """A trial ends without a score."""
        if self._rows[number].stage == "search":
            self._search.fail(number)
        elif self._finals is not None:
            self._finals.end(number, ())
        self._end(number, "failed", reason)

    def _begin(
        self,
        seed: int,
        number: int,
        spec: Study | None,
        picks: Picks,
        repeats: int | None = None,
    ) -> None:
        """A trial begins; `spec` is None if its picks make no valid study."""
        row = first_row(seed, number, spec, picks, repeats, self._code_digest, self._clock.now())
        self._rows[number] = row
        self._ledger.append(row)
        self._tell(TrialStarted(number, picks, repeats))

    def _write_report(self, report: Report) -> None:
        row = self._rows[report.number]
        self._rows[report.number] = row_after(row, report)
        rows = report_rows(report, row.stage)
        if report.outcome == "running":
            written = self._ledger.append(*rows, self._rows[report.number])
            self._note_checkpoint(report, written)
        else:  # the trial's row comes with its end
            self._ledger.append(*rows)

    def _note_checkpoint(self, report: Report, row: int) -> None:
        if report.checkpoint is not None:
            value = self._ranked_value(report)
            self._retention.note(report.number, report.checkpoint.name, value, row)

    def _ranked_value(self, report: Report) -> float | None:
        """A report's score, if it may be compared with others; an early rung's has fewer images."""
        full = report.outcome == "done" or self._file.study.score.is_full(report.epoch)
        if report.score is None or not full or not math.isfinite(report.score.value):
            return None
        return report.score.value

    def _end(self, number: int, state: State, reason: str) -> None:
        row = self._rows.pop(number)
        ended = None if state == "running" else self._clock.now()
        value = row.value
        row = replace(row, state=state, reason=reason, ended=ended)
        last = self._last.pop(number, None)
        score = None if last is None else last.score
        metric = self._file.study.score.metric_name if score is None else score.metric
        files: list[Row] = []
        if last is not None and last.checkpoint is not None:
            files.append(file_row(last, "checkpoint", last.checkpoint))
        written = self._ledger.append(*files, row)
        self._ledger.flush()
        if last is not None and last.outcome != "running":
            self._note_checkpoint(last, written)
        self._retention.end(number, over=state != "running")
        self.ended += 1
        self._tell(TrialEnded(number, state, reason, value, row.epoch or 0, metric))

    def _tell(self, event: Event) -> None:
        for listener in self._listeners:
            listener(event)
