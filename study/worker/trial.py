"""One trial on one worker: train to the next report, score, write a checkpoint."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from models.divergence import Diverged
from models.precision import in_precision
from models.training import Step, train_epoch
from models.training_state import TrainingState
from models.validation import EarlyStopping, validation_loss
from study.driver.messages import (
    Assignment,
    EpochResult,
    Outcome,
    Report,
    ScoreResult,
    StoredFile,
)
from study.spec import Study
from study.worker.build import build_model, training_options
from study.worker.checkpoints import read_checkpoint, write_checkpoint
from study.worker.evaluate import GRID_IMAGES, evaluate, keep_picture
from study.worker.team import Team
from study.worker.trial_report import make_report
from study.worker.workbench import Workbench


class TrialRun:
    """A trial in hand.

    Its result is a function of the assignment alone: everything random in it is seeded, and the
    workbench holds nothing that a trial changes.

    Args:
        assignment: What to train; with a checkpoint, where to go on from.
        bench: The worker's warm state.
        team: The workers that share the trial.
    """

    def __init__(self, assignment: Assignment, bench: Workbench, team: Team) -> None:
        self.assignment = assignment
        self.spec = assignment.spec
        self.bench = bench
        self.team = team
        self.images = bench.images(self.spec.data)
        self.family = build_model(self.spec, assignment.seed, bench.towards(self.spec))
        self.family.to(team.device)
        images = self.images.on_device
        self.state = TrainingState(
            self.family, training_options(self.spec.train, assignment.seed, len(images))
        )
        self.stopping = _early_stopping(self.spec)
        self.seconds = 0.0
        self.score_seconds = 0.0
        self._sums: dict[str, Tensor] = {}  # of losses over the epoch's images, by phase
        self._counts: dict[str, int] = {}
        if assignment.checkpoint is not None:
            self._restore(assignment.checkpoint)

    def advance(self, stop: Callable[[], bool], watch: Callable[[Step], None]) -> Report:
        """Train to the next report.

        Args:
            stop: Asked after each batch; true on any worker stops all of them there.
            watch: Shown each step.
        """
        last = self.spec.train.epochs
        epochs: list[EpochResult] = []
        reason = ""
        try:
            while self.state.epoch < last and not reason:
                if self.team.any(stop()) or not self._train_epoch(stop, watch):
                    return self._report("interrupted", epochs, checkpoint=self._save())
                epochs.append(self._epoch_result())
                reason = self._stops_early(epochs[-1])
                if self.spec.score.scores_at(self.state.epoch):
                    break
        except Diverged:
            return self._report("failed", epochs, reason="diverged")
        over = bool(reason) or self.state.epoch == last
        scores, images = self._score(over)
        checkpoint = self._save()
        return self._report(
            "done" if over else "running",
            epochs,
            reason=reason,
            checkpoint=checkpoint,
            scores=scores,
            samples=None if images is None else self._keep_picture(images),
        )

    def close(self) -> None:
        """The trial is over here."""
        if self.spec.train.compile:
            # torch limits how often a process compiles a function; the next trial starts anew.
            torch.compiler.reset()

    def _train_epoch(self, stop: Callable[[], bool], watch: Callable[[Step], None]) -> bool:
        """Train to the epoch's end; false if stopped before it."""
        clock = time.perf_counter()
        if self.state.batch == 0:
            self._sums, self._counts = {}, {}
        seen = self.state.images_seen
        try:
            for step in train_epoch(
                self.state,
                self.images.on_device,
                average=self.team.average,
                rank=self.team.rank,
                world=self.team.world,
            ):
                count, seen = step.images_seen - seen, step.images_seen
                for phase, loss in step.losses.items():
                    # Summed on the device: reading a loss would wait for it.
                    self._sums[phase] = self._sums.get(phase, 0) + loss.float() * count
                    self._counts[phase] = self._counts.get(phase, 0) + count
                watch(step)
                if not step.last and self.team.any(stop()):
                    return False
            return True
        finally:
            self.seconds += time.perf_counter() - clock

    def _epoch_result(self) -> EpochResult:
        losses = {
            phase: float(self.team.mean(total / self._counts[phase]))
            for phase, total in self._sums.items()
        }
        discriminator = losses.pop("discriminator", None)
        return EpochResult(
            epoch=self.state.epoch,
            images_seen=self.state.images_seen,
            seconds=self.seconds,
            # An epoch may be too short for the generator's turn to come.
            loss=next(iter(losses.values()), math.nan),
            discriminator_loss=discriminator,
            validation_loss=self._validate(),
            learning_rate=self.state.learning_rate,
        )

    def _validate(self) -> float | None:
        count = self.spec.train.validation_images
        if not count or not self.family.validates:
            return None
        images = self.images.held_out[:count]
        seed = self.assignment.seed
        with in_precision(self.spec.train.precision, self.team.device):
            loss = validation_loss(
                self.state.ema, images, seed, rank=self.team.rank, world=self.team.world
            )
        return float(self.team.mean(loss))

    def _stops_early(self, epoch: EpochResult) -> str:
        """Why the trial is to stop after this epoch; empty if it is to go on."""
        if self.stopping is None or epoch.validation_loss is None:
            return ""
        if not self.stopping.stops(epoch.validation_loss):
            return ""
        return (
            f"stopped early at epoch {epoch.epoch}: no lower validation loss "
            f"for {self.stopping.patience} epochs"
        )

    def _score(self, over: bool) -> tuple[list[ScoreResult], Tensor | None]:
        """What is measured now; a final run is measured at its end alone, with each of its seeds.

        Scores and the images to be shown on rank 0, nothing on the others. They are written once
        the workers need each other no more: a storage that is away holds up one of them alone.
        """
        settings = self.spec.score.at(self.state.epoch, last=over)
        seeds = self.assignment.sampling_seeds
        if seeds and not over:
            return [], None
        clock = time.perf_counter()
        results: list[ScoreResult] = []
        shown: Tensor | None = None
        for seed in seeds or (settings.seed,):
            scores, images = evaluate(
                self.state.ema,
                self.spec,
                self.bench,
                self.team,
                score=settings,
                seed=seed,
                epoch=self.state.epoch,
            )
            results += scores
            if self.team.rank == 0 and shown is None:
                shown = images[:GRID_IMAGES].cpu().clone()
            del images  # before the next seed's are made
        self.score_seconds += time.perf_counter() - clock
        return results, shown

    def _keep_picture(self, images: Tensor) -> StoredFile:
        study, number = self.assignment.study, self.assignment.number
        return keep_picture(self.bench, study, number, self.state.epoch, images)

    def _save(self) -> StoredFile | None:
        # Every worker restores what rank 0 writes: sums that are the same for all.
        sums = {phase: self.team.mean(total) for phase, total in self._sums.items()}
        if self.team.rank != 0:
            return None
        state: dict[str, Any] = {
            "training": self.state.state_dict(),
            "seconds": self.seconds,
            "score_seconds": self.score_seconds,
            "sums": sums,
            "counts": self._counts,
            "stopping": None if self.stopping is None else asdict(self.stopping),
        }
        study, number = self.assignment.study, self.assignment.number
        return write_checkpoint(self.bench, study, number, self.state.epoch, state)

    def _restore(self, name: str) -> None:
        saved = read_checkpoint(self.bench.storage, name, self.team.device)
        self.state.load_state_dict(saved["training"])
        self.seconds, self.score_seconds = saved["seconds"], saved["score_seconds"]
        self._sums, self._counts = saved["sums"], saved["counts"]
        if self.stopping is not None:
            self.stopping = EarlyStopping(**saved["stopping"])

    def _report(
        self,
        outcome: Outcome,
        epochs: list[EpochResult],
        *,
        reason: str = "",
        checkpoint: StoredFile | None = None,
        scores: Sequence[ScoreResult] = (),
        samples: StoredFile | None = None,
    ) -> Report:
        return make_report(
            self.assignment,
            self.family,
            self.images,
            outcome,
            epoch=self.state.epoch,
            images_seen=self.state.images_seen,
            seconds=self.seconds,
            score_seconds=self.score_seconds,
            reason=reason,
            epochs=epochs,
            scores=scores,
            checkpoint=checkpoint,
            samples=samples,
        )


def _early_stopping(spec: Study) -> EarlyStopping | None:
    settings = spec.train.early_stopping
    if settings is None:
        return None
    return EarlyStopping(settings.patience, settings.min_delta)
