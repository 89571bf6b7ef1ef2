"""What a study would cost on this machine, by a few batches of each branch. Without Ray."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import torch

from models.sampling import generate
from models.training import train_epoch
from models.training_state import TrainingState
from study.data import user_cache_folder
from study.execution.building import build_model, stand_in, training_options
from study.execution.placement import Placement
from study.scoring.embedders import make_embedder
from study.spec import Picks, Study, StudyFile, UserError

MEASURED_BATCHES = 4
MEASURED_BRANCHES = 8
MEASURED_IMAGES = 32
MEASURED_EMBEDDINGS = 8


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
        final_runs: Trainings of finalists, at most, which all of these include.
    """

    branches: tuple[BranchCost, ...]
    unpruned: float
    pruned: float | None
    images: int
    evaluations: int
    final_runs: int = 0


def estimate(study_file: StudyFile, placement: Placement, trials: int) -> Estimate:
    """Measure some branches and extrapolate to the whole study, finals and all.

    Raises:
        UserError: A branch cannot be trained on this machine.
    """
    embedding = _embedding_seconds(study_file.study)
    branches = tuple(
        _measure(picks, spec, placement, embedding)
        for picks, spec in _spread([*study_file.branches()], MEASURED_BRANCHES)
    )
    mean = sum(branch.seconds for branch in branches) / len(branches)
    waves = trials / placement.lanes
    spec = study_file.study
    share = _asha_share(spec)
    epochs = study_file.most_epochs
    most = max(each.generated_images * each.sampling.steps for each in study_file.corners())
    again = spec.finalists
    final_runs, final_images, final_seconds = 0, 0, 0.0
    if again is not None:
        score, final_runs = spec.final().score, again.runs
        final_images = final_runs * again.sampling_seeds * score.samples
        # Trained as in the search, and scored once; an image as dear as there.
        scorings = again.sampling_seeds * score.samples / spec.generated_images
        per_run = sum(b.train_seconds + scorings * b.score_seconds for b in branches)
        final_seconds = final_runs * per_run / len(branches) / placement.lanes
    return Estimate(
        branches=branches,
        unpruned=mean * waves + final_seconds,
        pruned=None if share is None else mean * waves * share + final_seconds,
        images=0 if spec.weights else (trials + final_runs) * epochs * spec.data.training_images,
        evaluations=trials * most
        + final_images * max(each.final_sampling.steps for each in study_file.corners()),
        final_runs=final_runs,
    )


def _embedding_seconds(spec: Study) -> float:
    """What it takes Inception to look at an image on this machine; of others next to nothing."""
    if not spec.score.embedder_name.startswith("inception"):
        return 0.0
    embedder = make_embedder(
        spec.score.embedder_name,
        None,
        cache_folder=user_cache_folder(),
        device="cuda" if torch.cuda.is_available() else "cpu",
        seed=0,
    )
    images = torch.zeros(MEASURED_EMBEDDINGS, *spec.data.image_shape, dtype=torch.uint8)
    embedder(images)  # warms up
    clock = time.perf_counter()
    embedder(images).cpu()
    return (time.perf_counter() - clock) / MEASURED_EMBEDDINGS


def _spread(items: list[tuple[Picks, Study]], most: int) -> list[tuple[Picks, Study]]:
    step = max(1, math.ceil(len(items) / most))
    return items[::step]


def _measure(
    picks: Picks, spec: Study, placement: Placement, embedding_seconds: float
) -> BranchCost:
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
        * (spec.sampling.steps * evaluation_seconds + embedding_seconds)
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
