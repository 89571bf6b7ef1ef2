"""The loop that a lane's Ray Train workers run, from the lane's start to its end."""

from __future__ import annotations

import contextlib
import gc
import socket
import sys
import threading
import time
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import ray
import ray.train
import torch

from models.training import Step
from study.driver.messages import Assignment, Progress, Report, failed, left_open
from study.lanes.commands import Advance, Assign, Quit
from study.lanes.deaths import TrialFailedError
from study.lanes.mailbox import LaneBroken
from study.lanes.settings import LaneSettings
from study.results.outage import StorageUnavailable
from study.results.patience import Patience
from study.results.storage import Storage, join
from study.worker.begin import begin
from study.worker.team import Team
from study.worker.trial import TrialRun
from study.worker.weights_trial import WeightsRun
from study.worker.workbench import Workbench

PROGRESS_SECONDS = 1.0
"""How often, at most, a worker says what it is doing."""


def work(settings: LaneSettings, lane: str) -> None:
    """Run trial after trial until the command to quit, or until the lane is given up.

    Every rank runs this.

    Raises:
        TrialFailedError: A trial has failed on this worker, of several.
        StorageUnavailable: This worker, of several, could not read what the others did.
    """
    context = ray.train.get_context()
    rank, world = context.get_world_rank(), context.get_world_size()
    torch.set_num_threads(max(1, int(settings.cpus)))
    if settings.folder and settings.folder not in sys.path:
        sys.path.append(settings.folder)
    storage = Storage.from_uri(settings.storage)
    if not storage.exists(join(settings.study, "study.yaml")):
        message = (
            f"the storage {settings.storage} is not the same folder on node "
            f"{socket.gethostname()}: use a shared folder or s3://"
        )
        # No error, after which Ray Train would start the group again, to see no more.
        ray.get(settings.mailbox.fail.remote(lane, message))
        return
    device = torch.device("cuda" if settings.gpus > 0 and torch.cuda.is_available() else "cpu")
    with contextlib.suppress(LaneBroken):
        _Worker(settings, lane, Workbench(storage, device), Team(rank, world, device)).run()


class _Worker:
    def __init__(self, settings: LaneSettings, lane: str, bench: Workbench, team: Team) -> None:
        self.settings = settings
        self.lane = lane
        self.bench = bench
        self.team = team
        self.trial: TrialRun | WeightsRun | None = None
        self.interrupted = threading.Event()
        bench.patience = Patience(say=self._note_waiting)
        self.last_note = 0.0
        threading.Thread(target=self._listen, daemon=True).start()

    def run(self) -> None:
        lane, rank = self.lane, self.team.rank
        position = self._ask("join", lane, rank, self.team.world)
        sequence, assignment, last = position.sequence, position.assignment, position.last
        while True:
            sequence, command = self._ask("next", lane, sequence)
            match command:
                case Quit():
                    self._drop_trial()
                    return
                case Assign():
                    self._drop_trial()
                    assignment, last = command.assignment, None
                case Advance():
                    assert assignment is not None  # `Assign` comes before any `Advance`
                    last = self._advance(sequence, assignment, last)
            sequence += 1

    def _drop_trial(self) -> None:
        """Let go of the trial in hand: its weights go before the next one's come."""
        if self.trial is not None:
            self.trial.close()
        self.trial = None
        gc.collect()
        # What is left lives as long as the worker. Out of the collector's sight, the next full
        # collection takes milliseconds; with all of torch in it, a third of a second.
        gc.freeze()

    def _advance(self, sequence: int, assignment: Assignment, last: Report | None) -> Report:
        try:
            train = partial(self._train, assignment, last)
            # Of several ranks none can begin anew alone: Ray Train starts the group again.
            alone = self.team.world == 1
            report = self.bench.patience.keep("a trial", train) if alone else train()
        except StorageUnavailable as error:
            report = left_open(assignment.number, str(error), last)
            if self.team.rank == 0 and self.interrupted.is_set():
                self._answer(sequence, report)  # away until all were asked to stop: no failure
            if self.team.world > 1:
                raise
            return report
        except Exception as error:
            # A trial that cannot be built or run fails alone; its lane goes on. The cause
            # is one line, as a reason for the ledger.
            reason = f"{type(error).__name__}: {' '.join(str(error).split())}"[:5000]
            report = failed(assignment.number, reason, last)
            self._answer(sequence, report)
            self.trial = None
            if self.team.world > 1:
                # The others may wait for this rank: Ray Train starts the group again.
                raise TrialFailedError(reason) from error
            return report
        if self.team.rank == 0:
            self._answer(sequence, report)
        return report

    def _train(self, assignment: Assignment, last: Report | None) -> Report:
        """Train to the next report; where the storage fails, begin anew from the last one."""
        try:
            if self.trial is None:
                if last is not None and last.checkpoint is not None:
                    assignment = replace(assignment, checkpoint=last.checkpoint.name)
                self.trial = begin(assignment, self.bench, self.team)
                if isinstance(self.trial, WeightsRun) and self.team.rank == 0:
                    self._note("scoring", self.trial.epoch, self.trial.epoch)
            return self.trial.advance(self.interrupted.is_set, self._watch)
        except StorageUnavailable:
            self.trial = None
            raise

    def _answer(self, sequence: int, report: Report) -> None:
        signed = report.signed(self.lane, socket.gethostname())
        self._ask("answer", self.lane, sequence, signed)

    def _watch(self, step: Step) -> None:
        now = time.monotonic()
        if self.team.rank != 0 or not (step.last or now - self.last_note >= PROGRESS_SECONDS):
            return
        assert self.trial is not None
        self.last_note = now
        self._note(
            "scoring" if step.last else "training",
            step.epoch + 1,
            self.trial.spec.train.epochs,
            batch=step.batch + 1,
            batches=step.batches,
            loss=float(step.loss),
        )

    def _note(
        self, state: Literal["training", "scoring"], epoch: int, epochs: int, **details: Any
    ) -> None:
        assert self.trial is not None
        trial = self.trial.assignment.number
        # Not among the tasks of the Ray dashboard: there would be little else to see.
        self.settings.mailbox.note.options(enable_task_events=False).remote(
            Progress(self.lane, state, trial=trial, epoch=epoch, epochs=epochs, **details)
        )

    def _note_waiting(self, line: str) -> None:
        progress = Progress(self.lane, "waiting", problem=line)
        if self.bench.patience.problem is None:
            progress = Progress(self.lane, "idle")
        self.settings.mailbox.note.options(enable_task_events=False).remote(progress)

    def _ask(self, method: str, *args: Any) -> Any:
        # The task's name is what the Ray dashboard shows.
        trial = "" if self.trial is None else f" trial {self.trial.assignment.number}"
        name = f"{self.settings.study}{trial} {self.lane} {method}"
        return ray.get(getattr(self.settings.mailbox, method).options(name=name).remote(*args))

    def _listen(self) -> None:
        try:
            ray.get(self.settings.mailbox.interrupted.remote())
        except ray.exceptions.RayError:
            return  # the study has ended, and its mailbox with it
        self.interrupted.set()
        self.bench.patience.hurry()
