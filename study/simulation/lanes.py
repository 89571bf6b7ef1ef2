"""Simulated lanes: they carry out trials in simulated time, as `study.lanes` does on Ray.

One event loop moves everything on. Like Tune's faces it knows four calls of the driver's: the next
trial, a report, a lane that is free again, a trial that is lost.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from study.driver.conductor import Conductor
from study.driver.events import Event, TrialEnded, TrialStarted
from study.driver.messages import Assignment, Report, Rest, failed
from study.driver.retry import RetryPolicy
from study.results.ledger import Ledger
from study.results.outage import StorageUnavailable
from study.results.patience import LONGEST_PAUSE
from study.results.storage import Storage
from study.simulation.clock import SimulatedClock
from study.simulation.faults import (
    Fault,
    Interrupt,
    Kill,
    LaneLoss,
    Preemption,
    StorageOutage,
    WorkerDeath,
)
from study.simulation.learning_curves import Curve, Curves
from study.simulation.trial import checkpoint, first_report, interrupted_report, next_report
from study.spec import Picks

HOST = "simulated"


@dataclass(frozen=True)
class Timing:
    """Seconds that lanes take beside trials; the defaults were measured on Ray.

    Attributes:
        start: To start a lane.
        between: From a trial's end until its lane is free for the next one.
        restart: Until a lane's workers that died are up again.
    """

    start: float = 25.0
    between: float = 0.2
    restart: float = 9.0


@dataclass
class _Trial:
    """A trial that has begun, wherever it runs."""

    assignment: Assignment
    curve: Curve
    last: Report
    deaths: int = 0
    losses: int = 0


@dataclass
class _Lane:
    """A place for a lane; if the lane is lost, another one takes it."""

    name: str
    assignment: Assignment | Rest | None = None
    phase: Literal["free", "training", "resting", "ending"] = "free"
    started: bool = False
    since: float = 0.0  # when its workers began with the assignment, or will once they are up
    event: int = -1  # number of the one event that the lane waits for
    busy: float = 0.0  # seconds spent on trials, those lost by faults too


class SimulatedLanes:
    """Runs a conductor's trials to the end, in simulated time.

    Args:
        conductor: Decides; it has the same clock, and as many lanes.
        ledger: The conductor's.
        curves: Gives each trial's learning curve.
        lanes: How many trials are run at a time.
        storage: The ledger's, where checkpoints are.
        clock: Moved on with each event.
        faults: What goes wrong.
        timing: What takes time beside trials.
        retry: What a trial survives.
    """

    def __init__(
        self,
        conductor: Conductor,
        ledger: Ledger,
        curves: Curves,
        lanes: int,
        *,
        storage: Storage,
        clock: SimulatedClock,
        faults: Sequence[Fault] = (),
        timing: Timing = Timing(),
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008 (frozen)
    ) -> None:
        self.images = 0  # trained, as far as reports say
        self.killed = False
        self._conductor = conductor
        self._ledger = ledger
        self._curves = curves
        self._storage = storage
        self._clock = clock
        self._timing = timing
        self._retry = retry
        self._lane_names = map("lane-{}".format, itertools.count())
        self._lanes = [_Lane(next(self._lane_names)) for _ in range(lanes)]
        self._trials: dict[int, _Trial] = {}  # not ended
        self._picks: dict[int, Picks] = {}
        self._event_numbers = itertools.count()
        self._events: list[tuple[float, int, _Lane | None, Callable[[], None]]] = []
        for fault in faults:
            if isinstance(fault, StorageOutage):
                continue  # the storage's, and no event here
            self._schedule(fault.seconds, None, partial(self._apply_fault, fault))
        conductor.listen(self._on_event)

    @property
    def busy(self) -> tuple[float, ...]:
        """Seconds that each lane has spent on trials, what faults undid included."""
        return tuple(lane.busy for lane in self._lanes)

    @property
    def open_trials(self) -> Collection[int]:
        """Numbers of the trials that have begun and not ended."""
        return self._trials.keys()

    def run(self) -> None:
        """Run until no lane has an assignment, or the driver is killed.

        Raises:
            UserError: A trial has no learning curve, or too short a one.
        """
        self._hand_out()
        while not self.killed and any(lane.assignment is not None for lane in self._lanes):
            seconds, number, lane, action = heapq.heappop(self._events)
            if lane is not None and lane.event != number:
                continue  # a fault has put another event in its place
            self._write_rows_due(seconds)
            # It is later where the driver has waited for the storage.
            self._clock.move_to(max(seconds, self._clock.seconds()))
            action()
            self._end_pointless_rests()
        for lane in self._lanes:
            if lane.phase == "training":
                self._stop(lane)  # the driver was killed

    def _write_rows_due(self, seconds: float) -> None:
        """Write the rows that the ledger's own thread would have written before a moment."""
        due = self._ledger.due
        if due is not None and due <= seconds:
            self._clock.move_to(max(due, self._clock.seconds()))
            self._ledger.flush()

    def _schedule(self, seconds: float, lane: _Lane | None, action: Callable[[], None]) -> None:
        """Have an action happen later; one of a lane replaces what the lane waits for."""
        number = next(self._event_numbers)
        if lane is not None:
            lane.event = number
        heapq.heappush(self._events, (seconds, number, lane, action))

    # The course of a trial.

    def _hand_out(self) -> None:
        """Give the next trials to lanes that have none."""
        for lane in self._lanes:
            if lane.assignment is None and (assignment := self._conductor.next_trial()) is not None:
                lane.assignment = assignment
                self._start_lane(lane)
                if isinstance(assignment, Assignment):
                    self._begin_trial(lane, assignment)
                else:
                    lane.phase = "resting"

    def _start_lane(self, lane: _Lane) -> None:
        if not lane.started:
            lane.started = True
            lane.since = self._clock.seconds() + self._timing.start

    def _begin_trial(self, lane: _Lane, assignment: Assignment) -> None:
        number = assignment.number
        curve = self._curves(assignment, self._picks.pop(number))
        begin = partial(first_report, assignment, self._storage)
        try:
            last = self._ledger.patience.keep("a checkpoint", begin)
        except FileNotFoundError as error:  # of its checkpoint: another driver has deleted it
            self._trials[number] = _Trial(assignment, curve, failed(number, str(error)))
            self._report(lane, self._trials[number].last)
        else:
            self._trials[number] = _Trial(assignment, curve, last)
            self._train(lane)

    def _train(self, lane: _Lane) -> None:
        """Train the lane's trial from its last report to the next one."""
        trial = self._trial(lane)
        report = next_report(trial.assignment, trial.curve, trial.last)
        lane.phase = "training"
        lane.since = max(self._clock.seconds(), lane.since)
        seconds = lane.since + _seconds_so_far(report) - _seconds_so_far(trial.last)
        self._schedule(seconds, lane, partial(self._report, lane, report))

    def _report(self, lane: _Lane, report: Report) -> None:
        trial = self._trial(lane)
        try:
            if report.checkpoint is not None:
                self._storage.write_atomic(report.checkpoint.name, checkpoint(report))
        except StorageUnavailable:  # the workers try again
            seconds = self._clock.seconds() + LONGEST_PAUSE
            self._schedule(seconds, lane, partial(self._report, lane, report))
            return
        self._stop(lane)
        self.images += report.images_seen - trial.last.images_seen
        trial.last = report.signed(lane.name, HOST)
        if self._conductor.report(trial.last):
            self._train(lane)
        else:
            self._end(lane)

    def _stop(self, lane: _Lane) -> None:
        """Training has come to a report, or a fault: what the lane waited for does not come."""
        lane.busy += max(0.0, self._clock.seconds() - lane.since)
        lane.phase, lane.event = "ending", -1

    def _end(self, lane: _Lane) -> None:
        """The assignment is over; a little later the lane is free."""
        lane.phase = "ending"
        seconds = self._clock.seconds() + self._timing.between
        self._schedule(seconds, lane, partial(self._free, lane))

    def _free(self, lane: _Lane) -> None:
        assert lane.assignment is not None
        self._conductor.release(lane.assignment.number)
        lane.assignment, lane.phase = None, "free"
        self._hand_out()

    def _end_pointless_rests(self) -> None:
        """End the rests that have become pointless: a trial has ended, or all are to stop."""
        for lane in self._lanes:
            if lane.phase != "resting" or not isinstance(lane.assignment, Rest):
                continue
            if self._conductor.ended > lane.assignment.ended or self._conductor.interrupted:
                self._conductor.report(Report(lane.assignment.number, "done", 0, 0, 0.0, 0.0))
                self._end(lane)

    def _trial(self, lane: _Lane) -> _Trial:
        assert lane.assignment is not None
        return self._trials[lane.assignment.number]

    def _on_event(self, event: Event) -> None:
        match event:
            case TrialStarted():
                self._picks[event.number] = event.picks
            case TrialEnded() if event.state != "running":
                self._trials.pop(event.number, None)

    # Faults.

    def _apply_fault(self, fault: Fault) -> None:
        match fault:
            case WorkerDeath() | Preemption():
                self._kill_workers(self._lanes[fault.lane], counts=isinstance(fault, WorkerDeath))
            case LaneLoss():
                self._lose_lane(self._lanes[fault.lane])
            case Interrupt():
                self._interrupt()
            case Kill():
                self.killed = True

    def _kill_workers(self, lane: _Lane, *, counts: bool) -> None:
        now = self._clock.seconds()
        if lane.phase != "training" or now < lane.since:
            return  # nothing is being trained there
        trial = self._trial(lane)
        trial.deaths += counts
        self._stop(lane)
        lane.since = now + self._timing.restart
        if self._retry.gives_up(trial.deaths):
            reason = f"its workers died {trial.deaths} times"
            self._report(lane, failed(trial.assignment.number, reason, trial.last))
        else:
            self._train(lane)

    def _lose_lane(self, lane: _Lane) -> None:
        was_training = lane.phase == "training"
        if was_training:
            self._stop(lane)
        lane.name, lane.started = next(self._lane_names), False
        if not was_training:
            return  # the new lane is started when there is something for it
        trial = self._trial(lane)
        trial.losses += 1
        if trial.losses > self._retry.lane_losses:
            self._conductor.lose(trial.assignment.number, f"lane lost: {trial.losses} times")
            self._free(lane)
        else:
            self._start_lane(lane)
            self._train(lane)

    def _interrupt(self) -> None:
        self._conductor.interrupt()
        now = self._clock.seconds()
        for lane in self._lanes:
            if lane.phase == "training":
                trial = self._trial(lane)
                elapsed = max(0.0, now - lane.since)
                report = interrupted_report(trial.assignment, trial.curve, trial.last, elapsed)
                if report is not None:
                    self._schedule(now, lane, partial(self._report, lane, report))


def _seconds_so_far(report: Report) -> float:
    """Seconds that a trial has taken so far."""
    return report.seconds + report.score_seconds
