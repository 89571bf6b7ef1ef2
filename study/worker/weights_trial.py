"""A trial that trains nothing: it scores the weights of one that did."""

from __future__ import annotations

import time
from collections.abc import Callable

from models.training import Step
from study.driver.files import checkpoint_epoch
from study.driver.messages import Assignment, Outcome, Report, ScoreResult, StoredFile
from study.driver.trial_weights import read_weights_file
from study.worker.build import build_model
from study.worker.checkpoints import parse_checkpoint
from study.worker.evaluate import evaluate, keep_picture
from study.worker.team import Team
from study.worker.trial_report import make_report
from study.worker.workbench import Workbench


class WeightsRun:
    """A trial in hand of a study with `weights`: one report, and it is done.

    It has the interface of `TrialRun`. The checkpoint is another trial's: it is read, and neither
    kept nor deleted.

    Args:
        assignment: What to score.
        bench: The worker's warm state.
        team: The workers that share the trial.

    Raises:
        UserError: The checkpoint is gone, or has changed.
    """

    def __init__(self, assignment: Assignment, bench: Workbench, team: Team) -> None:
        self.assignment = assignment
        self.spec = assignment.spec
        self.bench = bench
        self.team = team
        weights = self.spec.weights
        assert weights is not None
        assert weights.checkpoint is not None
        self.images = bench.images(self.spec.data)
        data = read_weights_file(bench.storage, weights)
        saved = parse_checkpoint(data, weights.checkpoint, team.device)["training"]
        family = build_model(self.spec, 0, bench.towards(self.spec)).to(team.device)
        family.load_state_dict(saved["ema"])
        self.family = family.eval().requires_grad_(False)
        self.epoch = checkpoint_epoch(weights.checkpoint)
        self.images_seen = int(saved["images_seen"])

    def advance(self, stop: Callable[[], bool], watch: Callable[[Step], None]) -> Report:
        """Score the weights.

        Args:
            stop: Asked before it begins; true on any worker stops all of them there.
            watch: Would be shown each step of a training.
        """
        if self.team.any(stop()):
            return self._report("interrupted")
        clock = time.perf_counter()
        score = self.spec.score
        scores, images = evaluate(
            self.family,
            self.spec,
            self.bench,
            self.team,
            score=score,
            seed=score.seed,
            epoch=self.epoch,
        )
        samples = None
        if self.team.rank == 0:
            study, number = self.assignment.study, self.assignment.number
            samples = keep_picture(self.bench, study, number, self.epoch, images)
        return self._report("done", time.perf_counter() - clock, scores, samples)

    def close(self) -> None:
        """There is nothing to clear away."""

    def _report(
        self,
        outcome: Outcome,
        seconds: float = 0.0,
        scores: tuple[ScoreResult, ...] = (),
        samples: StoredFile | None = None,
    ) -> Report:
        return make_report(
            self.assignment,
            self.family,
            self.images,
            outcome,
            epoch=self.epoch,
            images_seen=self.images_seen,
            seconds=0.0,
            score_seconds=seconds,
            scores=scores,
            samples=samples,
        )
