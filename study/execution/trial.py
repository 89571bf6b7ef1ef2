"""One trial on one worker: train to the next report, score, keep a checkpoint. Knows no Ray."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from models.build import build_family
from models.divergence import Diverged
from models.sampling import generate
from models.training import Step, TrainingOptions, TrainingState, train_epoch
from study.execution.checkpoints import read_checkpoint, write_checkpoint
from study.execution.messages import (
    Assignment,
    EpochResult,
    Report,
    ScoreResult,
    StoredFile,
)
from study.execution.names import checkpoint_name, drop_older, samples_name
from study.execution.team import Team
from study.execution.workbench import Workbench
from study.results.grids import image_grid
from study.spec import Study

GRID_IMAGES = 64
"""Samples shown in a trial's picture."""


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
        self.spec = Study.model_validate(assignment.spec)
        self.bench = bench
        self.team = team
        self.images = bench.images(self.spec.data)
        train = self.spec.train
        shape = self.spec.data.image_shape
        # Given as plain values: `models` knows nothing of study files.
        model = self.spec.model.model_dump(mode="json")
        self.family = build_family(model, shape, assignment.seed).to(team.device)
        self.state = TrainingState(
            self.family,
            TrainingOptions(
                batch_size=train.batch_size,
                learning_rate=train.learning_rate,
                seed=assignment.seed,
                optimizer=train.optimizer,
                weight_decay=train.weight_decay,
                clip_norm=train.clip_norm,
                ema_half_life=train.ema_half_life,
            ),
        )
        self.seconds = 0.0
        self.score_seconds = 0.0
        self.checkpoint: StoredFile | None = None
        self._loss_sum: Tensor | float = 0.0
        if assignment.checkpoint is not None:
            self._restore(assignment.checkpoint)
        self.losses = team.wrap(self.family)

    def advance(self, stop: Callable[[], bool], watch: Callable[[Step], None]) -> Report:
        """Train to the next report.

        Args:
            stop: Asked after each batch; true on any worker stops all of them there.
            watch: Shown each step.
        """
        every, last = self.spec.score.every, self.spec.train.epochs
        epochs: list[EpochResult] = []
        try:
            while self.state.epoch < last:
                if self.team.any(stop()) or not self._train_epoch(stop, watch):
                    return self._report("interrupted", epochs, checkpoint=self._save())
                epochs.append(self._epoch_result())
                if self.state.epoch % every == 0 or self.state.epoch == last:
                    break
        except Diverged:
            return self._report("failed", epochs, reason="diverged")
        score, samples = self._score()
        outcome = "done" if self.state.epoch == last else "running"
        return self._report(outcome, epochs, checkpoint=self._save(), score=score, samples=samples)

    def close(self) -> None:
        """The trial is over here: of its checkpoints only the last is kept."""
        if self.checkpoint is not None and self.team.rank == 0:
            drop_older(self.bench.storage, self.checkpoint.name)

    def _train_epoch(self, stop: Callable[[], bool], watch: Callable[[Step], None]) -> bool:
        """Train to the epoch's end; false if stopped before it."""
        clock = time.perf_counter()
        if self.state.batch == 0:
            self._loss_sum = 0.0
        try:
            for step in train_epoch(
                self.state,
                self.images.on_device,
                losses=self.losses,
                rank=self.team.rank,
                world=self.team.world,
            ):
                # Summed on the device: reading a loss would wait for it.
                self._loss_sum = self._loss_sum + step.loss * (
                    step.images_seen - self._seen_before(step)
                )
                watch(step)
                if not step.last and self.team.any(stop()):
                    return False
            return True
        finally:
            self.seconds += time.perf_counter() - clock

    def _seen_before(self, step: Step) -> int:
        return step.epoch * len(self.images.on_device) + step.batch * self.spec.train.batch_size

    def _epoch_result(self) -> EpochResult:
        total = torch.as_tensor(self._loss_sum, dtype=torch.float32, device=self.team.device)
        loss = self.team.mean(total / len(self.images.on_device))
        return EpochResult(
            self.state.epoch, self.state.images_seen, self.seconds, float(loss.item())
        )

    def _score(self) -> tuple[ScoreResult | None, StoredFile | None]:
        settings = self.spec.score
        clock = time.perf_counter()
        scorer = self.bench.scorer(self.spec.data, settings)
        images = generate(
            self.state.ema,
            settings.samples,
            sampler=settings.sampler,
            steps=settings.steps,
            seed=settings.seed,
            rank=self.team.rank,
            world=self.team.world,
        )
        features = self.team.gather(scorer.features(images))
        if self.team.rank != 0:
            self.score_seconds += time.perf_counter() - clock
            return None, None
        value = scorer.distance(features)
        seconds = time.perf_counter() - clock
        self.score_seconds += seconds
        identity = scorer.identity
        result = ScoreResult(
            epoch=self.state.epoch,
            metric=identity.metric,
            value=value,
            samples=settings.samples,
            sampler=settings.sampler,
            steps=settings.steps,
            seed=settings.seed,
            embedder=identity.embedder_digest,
            reference=identity.reference_digest,
            seconds=seconds,
        )
        return result, self._picture(images[:GRID_IMAGES])

    def _picture(self, images: Tensor) -> StoredFile:
        name = samples_name(self.assignment.study, self.assignment.number, self.state.epoch)
        buffer = io.BytesIO()
        side = images.shape[-1]
        picture = image_grid(images.cpu().numpy(), scale=max(1, 48 // side))
        picture.save(buffer, format="PNG")
        data = buffer.getvalue()
        self.bench.storage.write_atomic(name, data)
        return StoredFile(name, len(data))

    def _save(self) -> StoredFile | None:
        if self.team.rank != 0:
            return None
        name = checkpoint_name(self.assignment.study, self.assignment.number, self.state.epoch)
        state: dict[str, Any] = {
            "training": self.state.state_dict(),
            "seconds": self.seconds,
            "score_seconds": self.score_seconds,
            "loss_sum": torch.as_tensor(self._loss_sum),
        }
        previous, self.checkpoint = (
            self.checkpoint,
            write_checkpoint(self.bench.storage, name, state),
        )
        # The one before stays until the next report: only then is this one known to the ledger.
        if previous is not None:
            drop_older(self.bench.storage, previous.name)
        return self.checkpoint

    def _restore(self, name: str) -> None:
        saved = read_checkpoint(self.bench.storage, name, self.team.device)
        self.state.load_state_dict(saved["training"])
        self.seconds, self.score_seconds = saved["seconds"], saved["score_seconds"]
        self._loss_sum = saved["loss_sum"]
        self.checkpoint = StoredFile(name, 0)

    def _report(
        self,
        outcome: Any,
        epochs: list[EpochResult],
        *,
        reason: str = "",
        checkpoint: StoredFile | None = None,
        score: ScoreResult | None = None,
        samples: StoredFile | None = None,
    ) -> Report:
        return Report(
            number=self.assignment.number,
            outcome=outcome,
            reason=reason,
            epoch=self.state.epoch,
            images_seen=self.state.images_seen,
            seconds=self.seconds,
            score_seconds=self.score_seconds,
            parameters=sum(p.numel() for p in self.family.parameters()),
            data_digest=self.images.digest,
            epochs=tuple(epochs),
            score=score,
            checkpoint=checkpoint,
            samples=samples,
        )
