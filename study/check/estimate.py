"""What a study would cost on this machine, by a few batches of each branch."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from models.sampling import generate
from models.training import train_epoch
from models.training_state import TrainingState
from study.data import ImageSet, user_cache_folder
from study.driver.placement import Placement
from study.scoring.embedders import make_embedder
from study.spec import Picks, Sampling, Study, StudyFile, UserError
from study.spec.embedder_info import embedder_info
from study.spec.score import Score
from study.worker.build import build_model, placeholder_morph_images, training_options

MEASURED_BATCHES = 4
MEASURED_BRANCHES = 8
MEASURED_IMAGES = 32
MEASURED_EMBEDDINGS = 8


@dataclass(frozen=True)
class BranchCost:
    """One branch's longest trial (never pruned), with the most steps, in one lane of this machine.

    Attributes:
        evaluation_seconds: Of the network in sampling, for one image and step, by one worker.
        final_score_seconds: All scores of one final run; 0 without finals.
    """

    picks: Picks
    parameters: int
    train_seconds: float
    score_seconds: float
    evaluation_seconds: float
    final_score_seconds: float

    @property
    def seconds(self) -> float:
        """Training and scoring together."""
        return self.train_seconds + self.score_seconds

    @property
    def final_seconds(self) -> float:
        """A final run: trained as in the search, and scored once."""
        return self.train_seconds + self.final_score_seconds


@dataclass(frozen=True)
class Estimate:
    """A study's cost.

    Attributes:
        unpruned: Wall-clock seconds if every trial runs to its end, for as many epochs and in as
            many steps as any can ask for.
        pruned: With the pruner, if it has rungs that say how many go on; else None.
        images: Training images seen, and network evaluations in sampling, if nothing is pruned.
        final_runs: Trainings of finalists, at most, which all of these include.
        at_most: Whether trials can ask for fewer epochs or steps than were reckoned with.
    """

    branches: tuple[BranchCost, ...]
    unpruned: float
    pruned: float | None
    images: int
    evaluations: int
    final_runs: int = 0
    at_most: bool = False


def estimate(study_file: StudyFile, placement: Placement, trials: int) -> Estimate:
    """Measure some branches and extrapolate to the whole study, finals and all.

    Raises:
        UserError: A branch cannot be trained on this machine.
    """
    longest = _spread(_longest(study_file), MEASURED_BRANCHES)
    scorings = [score for _, spec in longest for score in spec.scorings.values()]
    embedders = {name for score in scorings for name in score.embedder_names}
    device = _device(placement)
    embedding = {name: _embedding_seconds(name, study_file.study, device) for name in embedders}
    branches = tuple(_measure(picks, spec, placement, embedding) for picks, spec in longest)
    mean = sum(branch.seconds for branch in branches) / len(branches)
    waves = trials / placement.lanes
    spec = study_file.study
    corners = [corner.study for corner in study_file.corners]
    share = _asha_share(longest[0][1])
    epochs = study_file.most_epochs
    most_evaluations = max(each.generated_images * each.sampling.steps for each in corners)
    finalists = spec.finalists
    final_runs, final_images, final_seconds = 0, 0, 0.0
    if finalists is not None:
        score, final_runs = spec.final().score, finalists.runs
        final_images = final_runs * finalists.sampling_seeds * score.samples
        per_run = sum(branch.final_seconds for branch in branches) / len(branches)
        final_seconds = final_runs * per_run / placement.lanes
    return Estimate(
        branches=branches,
        unpruned=mean * waves + final_seconds,
        pruned=None if share is None else mean * waves * share + final_seconds,
        images=0 if spec.weights else (trials + final_runs) * epochs * spec.data.training_images,
        evaluations=trials * most_evaluations
        + final_images * max(each.final_sampling.steps for each in corners),
        final_runs=final_runs,
        at_most=len({each.train.epochs for each in corners}) > 1
        or len({each.sampling.steps for each in corners}) > 1,
    )


def _longest(study_file: StudyFile) -> list[tuple[Picks, Study]]:
    """The branches, each with the longest training and the most steps that it can ask for."""
    space = study_file.space
    most: dict[object, tuple[int, int]] = {}
    for corner in study_file.corners:
        way, study = space.way(corner.picks), corner.study
        epochs, steps = most.get(way, (0, 0))
        most[way] = max(epochs, study.train.epochs), max(steps, study.score.steps)
    branches = []
    for corner in study_file.branches():
        picks, study = corner.picks, corner.study
        epochs, steps = most[space.way(picks)]
        train = study.train.model_copy(update={"epochs": epochs})
        score = study.score.model_copy(update={"steps": steps})
        branches.append((picks, study.model_copy(update={"train": train, "score": score})))
    return branches


def _device(placement: Placement) -> torch.device:
    """Where workers compute: on a GPU only if the placement gives them one."""
    return torch.device("cuda" if placement.gpus > 0 and torch.cuda.is_available() else "cpu")


def _embedding_seconds(name: str, spec: Study, device: torch.device) -> float:
    """What it takes a slow embedder to embed an image on a device; others take next to nothing."""
    if not embedder_info(name).slow_on_cpu:
        return 0.0
    shape = (MEASURED_EMBEDDINGS, *spec.data.image_shape)
    noise = ImageSet("noise", np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))
    embedder = make_embedder(
        name,
        noise,
        cache_folder=user_cache_folder(),
        device=device,
        seed=0,
    )
    images = noise.tensor()
    embedder(images)  # warms up
    clock = time.perf_counter()
    embedder(images).cpu()
    return (time.perf_counter() - clock) / MEASURED_EMBEDDINGS


def _spread(items: list[tuple[Picks, Study]], most: int) -> list[tuple[Picks, Study]]:
    step = max(1, math.ceil(len(items) / most))
    return items[::step]


def _measure(
    picks: Picks, spec: Study, placement: Placement, embedding: Mapping[str, float]
) -> BranchCost:
    device = _device(placement)
    threads = torch.get_num_threads()
    torch.set_num_threads(max(1, int(placement.cpus)))
    try:
        family = build_model(spec, 0, placeholder_morph_images(spec)).to(device)
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
        sampling = spec.sampling
        steps = min(3, sampling.steps)
        settings = {"sampler": sampling.sampler, "seed": 0, "options": sampling.options}
        generate(family, MEASURED_IMAGES, steps=1, **settings)  # type: ignore[arg-type]
        clock = time.perf_counter()
        generate(family, MEASURED_IMAGES, steps=steps, **settings).cpu()  # type: ignore[arg-type]
        evaluation_seconds = (time.perf_counter() - clock) / (MEASURED_IMAGES * steps)
    except ValueError as error:  # a precision that the device does not have, say
        raise UserError(str(error)) from error
    finally:
        torch.set_num_threads(threads)
    batches = math.ceil(spec.data.training_images / spec.train.batch_size) * spec.train.epochs

    def seconds(score: Score, sampling: Sampling) -> float:
        image = sampling.steps * evaluation_seconds + embedding[score.embedder_name]
        return score.samples * image / placement.workers

    final = 0.0
    if spec.finalists is not None:
        last = spec.final()
        final = spec.finalists.sampling_seeds * seconds(last.score, last.sampling)
    return BranchCost(
        picks=picks,
        parameters=sum(p.numel() for p in family.parameters()),
        train_seconds=0.0 if spec.weights else batches * batch_seconds / placement.workers,
        score_seconds=sum(seconds(score, sampling) for score in spec.scores),
        evaluation_seconds=evaluation_seconds,
        final_score_seconds=final,
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
