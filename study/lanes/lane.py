"""A lane: one long-lived Ray Train worker group behind a Tune trainable, for trial after trial.

This process only passes messages, so it imports no torch.
"""

from __future__ import annotations

import os
import tempfile
import threading
from typing import Any

import ray
from ray import tune
from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

from study.driver.messages import Assignment, Report, Rest
from study.lanes.deaths import DeathReporter, in_a_line
from study.lanes.process_group import ProcessGroup
from study.lanes.settings import LaneSettings

GROUP_POLL_SECONDS = "0.25"
"""How often Ray Train's controller looks at its workers. Its own 2 s are most of the time that a
lane takes to notice that its workers have returned."""


class Lane(tune.Trainable):  # type: ignore[misc]  # ray has no types
    """Tune's handle on a lane. A step is one report of the trial in hand."""

    lane = "lane"  # until it has a name: Ray asks for its own, also where `setup` fails

    def setup(self, config: dict[str, Any], settings: LaneSettings) -> None:
        """Open the lane, start its worker group on a thread, and hand it its first trial."""
        self.settings = settings
        self.mailbox = settings.mailbox
        self.lane = ray.get(self.mailbox.open.remote())
        self.group = threading.Thread(target=self._run_group, name=self.lane, daemon=True)
        self.group.start()
        self._assign(config["assignment"])

    def __repr__(self) -> str:
        """What the Ray dashboard calls this actor."""
        return f"{self.settings.study} {self.lane}"

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Hand the lane its next trial."""
        self._assign(new_config["assignment"])
        return True

    def step(self) -> dict[str, Any]:
        """Train to the next report and return it; or rest until a trial has ended elsewhere.

        Raises:
            LaneBroken: The worker group has ended for good.
        """
        if isinstance(self.assignment, Rest):
            ray.get(self.mailbox.rest.remote(self.assignment.ended))
            return {"report": Report(self.assignment.number, "done", 0, 0, 0.0, 0.0)}
        # The Ray dashboard shows the task by this name for as long as the trial trains.
        name = f"{self.settings.study} trial {self.assignment.number} on {self.lane}"
        return {"report": ray.get(self.mailbox.advance.options(name=name).remote(self.lane))}

    def cleanup(self) -> None:
        """Let the workers return, so that the group gives back what it held."""
        ray.get(self.mailbox.close.remote(self.lane))
        self.group.join(30)

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Nothing to keep: checkpoints are the workers', in the study's storage."""

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Nothing was kept."""

    def _assign(self, assignment: Assignment | Rest) -> None:
        self.assignment = assignment
        if isinstance(assignment, Assignment):
            ray.get(self.mailbox.assign.remote(self.lane, assignment))

    def _run_group(self) -> None:
        os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", GROUP_POLL_SECONDS)
        try:
            # Ray Train's own files, which hold nothing that the ledger does not.
            with tempfile.TemporaryDirectory(
                prefix="fidtune-lane-", ignore_cleanup_errors=True
            ) as folder:
                make_group(self.settings, self.lane, folder).fit()
        except Exception as error:
            cause = error.__cause__ or error
            message = f"{type(cause).__name__}: {in_a_line(str(cause), 450)}"
            ray.get(self.mailbox.fail.remote(self.lane, message))


def make_group(settings: LaneSettings, lane: str, folder: str) -> DataParallelTrainer:
    """The Ray Train trainer whose workers serve a lane."""

    def loop(config: dict[str, Any]) -> None:
        from study.lanes.worker_loop import work  # imports torch, on the worker alone

        work(config["settings"], config["lane"])

    return DataParallelTrainer(
        loop,
        train_loop_config={"settings": settings, "lane": lane},
        backend_config=ProcessGroup(gpus_per_worker=settings.gpus),
        scaling_config=ScalingConfig(
            num_workers=settings.workers,
            use_gpu=settings.gpus > 0,
            resources_per_worker=settings.resources,
        ),
        run_config=RunConfig(
            name=f"{settings.study}-{lane}",
            storage_path=folder,
            # Without limit: the mailbox counts the deaths, for each trial (see `RetryPolicy`).
            failure_config=FailureConfig(max_failures=-1),
            callbacks=[DeathReporter(settings.mailbox, lane)],
        ),
    )
