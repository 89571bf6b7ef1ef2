"""Ray Tune runs the trials of a study on its lanes, until the conductor hands out no more."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable

import ray
from ray import tune

from study.driver.conductor import Conductor
from study.driver.display import Display
from study.driver.events import Event, TrialEnded, TrialReported
from study.driver.lease import HeldLease
from study.driver.messages import Progress
from study.driver.placement import Placement
from study.driver.retry import RetryPolicy
from study.lanes.interrupt import on_interrupt
from study.lanes.lane import Lane
from study.lanes.mailbox import Mailbox
from study.lanes.ray_private import leave_ray, lost_part, started_here
from study.lanes.settings import LaneSettings
from study.lanes.tune_faces import ConductorScheduler, ConductorSearcher, Halt, TrialErrors
from study.results.storage import Storage
from study.spec.errors import MachineFault

OUTAGE_SECONDS = 40.0
"""How long a cluster may take no connections: its head may be started again. After 60 s Ray ends
this process."""

LEAVE_SECONDS = 10.0
"""How long Tune may take to stop where Ray is lost: it may wait for an answer that never comes."""

ANSWER_SECONDS = 10.0
"""How long the mailbox may take to answer."""

POLL_SECONDS = 1.0
"""How often the display asks what the lanes are doing."""

TRAINABLE_BYTES = 2**20
"""Memory that Tune's placement group books for a lane's trainable."""


def run_trials(
    name: str,
    conductor: Conductor,
    storage: Storage,
    placement: Placement,
    display: Display,
    retry: RetryPolicy,
    lease: HeldLease | None = None,
) -> None:
    """Run all trials that a conductor hands out, or until Ctrl-C.

    A fault of the machine ends the run, and no trial: those in hand stay open.

    Args:
        name: The study's.
        conductor: Decides and records.
        storage: Where workers write checkpoints and pictures.
        placement: How many lanes there are, and what each worker asks of Ray.
        display: Shows what the lanes are doing.
        retry: How often what dies is started again.
        lease: Says if the study is lost to another driver.

    Raises:
        MachineFault: Ray has failed, or the study's mailbox in it.
        UserError: Another driver has taken the study over, or its folder is gone.
        StorageUnavailable: What has happened could not be written until the run was to end.
    """
    _quiet_tune()
    mailbox = (
        ray.remote(Mailbox)
        .options(name=f"{name} mailbox {uuid.uuid4().hex[:8]}", num_cpus=0, max_concurrency=10_000)
        .remote(retry)
    )
    settings = LaneSettings(
        study=name,
        mailbox=mailbox,
        storage=storage.uri,
        workers=placement.workers,
        cpus=placement.cpus,
        gpus=placement.gpus,
        folder=os.getcwd(),
    )
    # The worker group asks Ray for its own CPU and GPU; the trainable in front of it holds none.
    # Tune wants something to be asked for, so it is a little of the node's memory.
    trainable = tune.with_resources(
        tune.with_parameters(Lane, settings=settings), {"memory": TRAINABLE_BYTES}
    )

    # Lanes are started side by side; by itself Tune would start one, wait for it, start the next.
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(placement.lanes)

    def tell_mailbox(event: Event) -> None:
        match event:
            case TrialReported(report):
                mailbox.heard.options(enable_task_events=False).remote(report)
            case TrialEnded():
                mailbox.ended.options(enable_task_events=False).remote(conductor.ended)

    conductor.listen(tell_mailbox)

    def interrupt() -> None:
        conductor.interrupt()
        display.message("stopping: trials stop at their next batch (Ctrl-C again to stop at once)")
        mailbox.interrupt.remote()

    def stop_workers(error: Exception) -> None:
        conductor.interrupt()
        mailbox.interrupt.remote()

    halt = Halt(stop_workers)
    if lease is not None:
        lease.lost = halt.halt
    folder = tempfile.TemporaryDirectory(prefix="fidtune-tune-")

    def abandon() -> None:
        display.close()
        if lease is not None:
            lease.release()
        folder.cleanup()

    watch = _Watch(name, mailbox, display, halt, conductor, abandon)
    tuner = tune.Tuner(
        trainable,
        tune_config=tune.TuneConfig(
            search_alg=ConductorSearcher(conductor, halt),
            scheduler=ConductorScheduler(conductor, halt),
            num_samples=-1,
            reuse_actors=True,
            trial_name_creator=lambda trial: f"{name}-{trial.config['assignment'].label}",
            trial_dirname_creator=lambda trial: trial.config["assignment"].label,
        ),
        run_config=tune.RunConfig(
            name=name,
            storage_path=folder.name,  # Tune's own files: all that matters is in the ledger
            verbose=0,
            stop=halt,
            failure_config=tune.FailureConfig(max_failures=retry.lane_losses),
            # Tune's own last checkpoint would hold up each trial's end, for an empty folder.
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            callbacks=[TrialErrors(conductor, halt, watch.fault)],
        ),
    )
    try:
        with folder, watch, on_interrupt(interrupt):
            tuner.fit()
    except Exception:
        if halt.error is None and (fault := watch.fault()) is not None:
            halt.halt(fault)
        if halt.error is None:
            raise
    finally:
        ray.kill(mailbox)
    if halt.error is not None:
        raise halt.error


class _Watch:
    """Shows what the lanes are doing, and sees what Ray has lost, on a thread."""

    def __init__(
        self,
        study: str,
        mailbox: ray.actor.ActorHandle,
        display: Display,
        halt: Halt,
        conductor: Conductor,
        abandon: Callable[[], None],
    ) -> None:
        self.study = study
        self.mailbox = mailbox
        self.display = display
        self.halt = halt
        self.conductor = conductor
        self.abandon = abandon
        self.patience = 0.0 if started_here() else OUTAGE_SECONDS
        self.lost_since: float | None = None
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._run, name="progress", daemon=True)

    def __enter__(self) -> None:
        self.thread.start()

    def __exit__(self, *exception: object) -> None:
        self.over.set()
        self.thread.join()

    def fault(self) -> MachineFault | None:
        """What of Ray's has failed, that every trial needs; None if nothing has."""
        if (part := lost_part()) is not None:
            return self._lost(part)
        try:
            self._snapshot()
        except ray.exceptions.GetTimeoutError:
            return None  # it is slow, and not lost
        except ray.exceptions.RayError as error:
            return self._lost("the study's mailbox", error)
        return None

    def _run(self) -> None:
        while not self.over.wait(POLL_SECONDS):
            if (part := lost_part()) is not None:
                now = time.monotonic()
                self.lost_since = self.lost_since or now
                if now - self.lost_since >= self.patience:
                    self._leave(self._lost(part))
                    return
                continue
            self.lost_since = None
            try:
                self.display.lanes(self._snapshot())
            except ray.exceptions.GetTimeoutError:
                continue
            except ray.exceptions.RayError as error:
                self.halt.halt(self._lost("the study's mailbox", error))
                return

    def _leave(self, fault: MachineFault) -> None:
        """End the run, and this process if Tune does not come back from the Ray that is gone.

        Ray would end it too, a little later, and without a word of ours.
        """
        self.conductor.record()
        threading.Thread(target=self.halt.halt, args=[fault], daemon=True).start()
        if self.over.wait(LEAVE_SECONDS):
            return
        self.abandon()
        leave_ray()
        print(f"study: {fault}", file=sys.stderr, flush=True)
        os._exit(1)

    def _snapshot(self) -> list[Progress]:
        # Not among the tasks of the Ray dashboard: there would be little else to see.
        snapshot = self.mailbox.snapshot.options(enable_task_events=False)
        lanes: list[Progress] = ray.get(snapshot.remote(), timeout=ANSWER_SECONDS)
        return lanes

    def _lost(self, part: str, error: Exception | None = None) -> MachineFault:
        # Ray's errors go on with advice and ids; a network's may be empty.
        first = str(error).strip().partition("\n")[0].rstrip(".") if error is not None else ""
        why = f" ({first[:200]})" if first else ""
        return MachineFault(
            f"Ray has lost {part}{why}: no trial has failed, and all that was reported is kept; "
            f"`study resume {self.study}` goes on"
        )


def _quiet_tune() -> None:
    """Switch off what the ledger and our display replace."""
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # a lost lane is a trial's reason
    os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
    os.environ.setdefault("TUNE_GLOBAL_CHECKPOINT_S", "1000000")
    os.environ.setdefault("TUNE_DISABLE_SIGINT_HANDLER", "1")
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
