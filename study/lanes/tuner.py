"""Ray Tune runs the trials of a study on its lanes, until the conductor hands out no more."""

from __future__ import annotations

import logging
import os
import tempfile
import threading
import uuid

import ray
from ray import tune

from study.driver.conductor import Conductor
from study.driver.display import Display
from study.driver.events import Event, TrialEnded
from study.driver.placement import Placement
from study.driver.retry import RetryPolicy
from study.lanes.interrupt import on_interrupt
from study.lanes.lane import Lane
from study.lanes.mailbox import Mailbox
from study.lanes.settings import LaneSettings
from study.lanes.tune_faces import ConductorScheduler, ConductorSearcher, TrialErrors
from study.results.storage import Storage

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
) -> None:
    """Run all trials that a conductor hands out, or until Ctrl-C.

    Args:
        name: The study's.
        conductor: Decides and records.
        storage: Where workers write checkpoints and pictures.
        placement: How many lanes there are, and what each worker asks of Ray.
        display: Shows what the lanes are doing.
        retry: How often what dies is started again.
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

    def wake_resting(event: Event) -> None:
        if isinstance(event, TrialEnded):
            mailbox.ended.options(enable_task_events=False).remote(conductor.ended)

    conductor.listen(wake_resting)

    def interrupt() -> None:
        conductor.interrupt()
        display.message("stopping: trials stop at their next batch (Ctrl-C again to stop at once)")
        ray.get(mailbox.interrupt.remote())

    with (
        tempfile.TemporaryDirectory(prefix="fidtune-tune-") as folder,
        _Poll(mailbox, display),
        on_interrupt(interrupt),
    ):
        tune.Tuner(
            trainable,
            tune_config=tune.TuneConfig(
                search_alg=ConductorSearcher(conductor),
                scheduler=ConductorScheduler(conductor),
                num_samples=-1,
                reuse_actors=True,
                trial_name_creator=lambda trial: f"{name}-{trial.config['assignment'].label}",
                trial_dirname_creator=lambda trial: trial.config["assignment"].label,
            ),
            run_config=tune.RunConfig(
                name=name,
                storage_path=folder,  # Tune's own files: all that matters is in the ledger
                verbose=0,
                failure_config=tune.FailureConfig(max_failures=retry.lane_losses),
                # Tune's own last checkpoint would hold up each trial's end, for an empty folder.
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
                callbacks=[TrialErrors(conductor)],
            ),
        ).fit()
    ray.kill(mailbox)


class _Poll:
    """Updates the display with what the lanes are doing, on a thread."""

    def __init__(self, mailbox: ray.actor.ActorHandle, display: Display) -> None:
        self.mailbox = mailbox
        self.display = display
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._run, name="progress", daemon=True)

    def __enter__(self) -> None:
        self.thread.start()

    def __exit__(self, *exception: object) -> None:
        self.over.set()
        self.thread.join()

    def _run(self) -> None:
        while not self.over.wait(POLL_SECONDS):
            # Not among the tasks of the Ray dashboard: there would be little else to see.
            snapshot = self.mailbox.snapshot.options(enable_task_events=False)
            self.display.lanes(ray.get(snapshot.remote()))


def _quiet_tune() -> None:
    """Switch off what the ledger and our display replace."""
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # a lost lane is a trial's reason
    os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
    os.environ.setdefault("TUNE_GLOBAL_CHECKPOINT_S", "1000000")
    os.environ.setdefault("TUNE_DISABLE_SIGINT_HANDLER", "1")
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
