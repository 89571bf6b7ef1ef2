"""What a study would cost on this machine, by a few batches of each branch. Without Ray."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import torch

from models.sampling import generate
from models.training import train_epoch
from models.training_state import TrainingState
from study.execution.building import build_model, stand_in, training_options
from study.execution.placement import Placement
from study.spec import Picks, Study, StudyFile, UserError

MEASURED_BATCHES = 4
MEASURED_BRANCHES = 8
MEASURED_IMAGES = 32


@dataclass(frozen=True)
class BranchCost:
    """One branch's full trial (never pruned) on one worker of this machine."""

    picks: Picks
    parameters: int
    train_seconds: float
    score_seconds: float

    @property
    def seconds(self) -> float:
        """Training and scoring together."""
        return self.train_seconds + self.score_seconds


@dataclass(frozen=True)
class Estimate:
    """A study's cost.

    Attributes:
        unpruned: Wall-clock seconds if every trial runs to its end.
        pruned: With the pruner, if it has rungs that say how many go on; else None.
        images: Training images seen, and network evaluations in sampling, if nothing is pruned.
    """

    branches: tuple[BranchCost, ...]
    unpruned: float
    pruned: float | None
    images: int
    evaluations: int


def estimate(study_file: StudyFile, placement: Placement, trials: int) -> Estimate:
    """Measure some branches and extrapolate to the whole study.

    Raises:
        UserError: A branch cannot be trained on this machine.
    """
    branches = tuple(
        _measure(picks, spec, placement)
        for picks, spec in _spread([*study_file.branches()], MEASURED_BRANCHES)
    )
    mean = sum(branch.seconds for branch in branches) / len(branches)
    waves = trials / placement.lanes
    spec = study_file.study
    share = _asha_share(spec)
    epochs = study_file.most_epochs
    most = max(each.generated_images * each.sampling.steps for each in study_file.corners())
    return Estimate(
        branches=branches,
        unpruned=mean * waves,
        pruned=None if share is None else mean * waves * share,
        images=0 if spec.weights else trials * epochs * spec.data.training_images,
        evaluations=trials * most,
    )


def _spread(items: list[tuple[Picks, Study]], most: int) -> list[tuple[Picks, Study]]:
    step = max(1, math.ceil(len(items) / most))
    return items[::step]


def _measure(picks: Picks, spec: Study, placement: Placement) -> BranchCost:
    device = torch.device("cuda" if placement.gpus > 0 and torch.cuda.is_available() else "cpu")
    threads = torch.get_num_threads()
    torch.set_num_threads(max(1, int(placement.cpus)))
    try:
        family = build_model(spec, 0, stand_in(spec)).to(device)
        shape = family.image_shape
        options = training_options(spec.train, 0, spec.data.training_images)
        state = TrainingState(family, options)
        count = spec.train.batch_size * (MEASURED_BATCHES + 1)
        images = torch.randint(0, 256, (count, *shape), dtype=torch.uint8, device=device)
        times = [time.perf_counter()]
        for step in train_epoch(state, images):
            step.loss.item()  # waits for the device
            times.append(time.perf_counter())
        batch_seconds = (times[-1] - times[1]) / MEASURED_BATCHES  # the first warms up
        how = spec.sampling
        steps = min(3, how.steps)
        settings = {"sampler": how.sampler, "seed": 0, "options": how.options}
        generate(family, MEASURED_IMAGES, steps=1, **settings)  # type: ignore[arg-type]
        clock = time.perf_counter()
        generate(family, MEASURED_IMAGES, steps=steps, **settings).cpu()  # type: ignore[arg-type]
        evaluation_seconds = (time.perf_counter() - clock) / (MEASURED_IMAGES * steps)
    except ValueError as error:  # a precision that the device does not have, say
        raise UserError(str(error)) from error
    finally:
        torch.set_num_threads(threads)
    batches = math.ceil(spec.data.training_images / spec.train.batch_size) * spec.train.epochs
    return BranchCost(
        picks=picks,
        parameters=sum(p.numel() for p in family.parameters()),
        train_seconds=0.0 if spec.weights else batches * batch_seconds / placement.workers,
        score_seconds=spec.generated_images
        * spec.sampling.steps
        * evaluation_seconds
        / placement.workers,
    )


def _asha_share(spec: Study) -> float | None:
    """The share of epochs that successive halving is expected to run, None for other pruners."""
    pruner = spec.search.pruner
    if pruner.kind != "asha":
        return None
    epochs, rung = (
        spec.train.epochs,
        pruner.min_epochs * pruner.reduction_factor**pruner.early_stopping_rate,
    )
    spent, reached, alive = 0.0, 0, 1.0
    while rung < epochs:
        spent += alive * (rung - reached)
        reached, alive, rung = rung, alive / pruner.reduction_factor, rung * pruner.reduction_factor
    return (spent + alive * (epochs - reached)) / epochs
