"""Seconds and memory of a network's batches, of sampling steps and of scores, by trying a few.

Each function tries little first and more only where that is known to end soon and to fit: a batch
of 10,000 images, or a million samples, are reckoned from small ones.
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from models.family import Family
from models.precision import in_precision
from models.sampling import generate
from models.training import train_epoch
from models.training_options import TrainingOptions
from models.training_state import TrainingState
from study.check.as_worker import AsWorker, or_none
from study.check.costs import (
    Limits,
    Line,
    SamplingCost,
    ScoringCost,
    TrainingCost,
    real_images,
)
from study.data import ImageSet, user_cache_folder
from study.scoring.embedders import LEARNERS, Embedder, make_embedder
from study.scoring.frechet import Moments, Reference
from study.scoring.measures import Comparison, measure
from study.spec import Study
from study.spec.embedder_info import embedder_info
from study.spec.measure_info import MEASURES
from study.spec.score import Score
from study.worker.build import build_model, placeholder_morph_images, training_options

BATCHES = 4
"""Timed batches of a size, where they are quick."""
LEAP = 4
"""A batch is no more than so many times as large as the one tried before."""
STEPS = 4
"""Most sampling steps of a try."""
CHUNK = 128
"""Most images of a try of sampling, as many as workers make at a time."""
MOST_DIMENSIONS = 1024
"""Measures of features of more dimensions are reckoned from so many."""
MOST_IMAGES = 1024
"""Measures of more images are reckoned from so many."""
LEARNING_STEPS = 4
"""Steps of an embedder's training that are timed."""


def device_of(limits: Limits) -> torch.device:
    """Where to compute."""
    return torch.device("cuda" if limits.gpu and torch.cuda.is_available() else "cpu")


def measure_training(
    spec: Study, batches: tuple[int, int], limits: Limits
) -> Iterator[TrainingCost]:
    """Time batches of a network in training, of a small and a large size.

    Args:
        spec: The filled study.
        batches: The smallest and the largest batch that a worker takes.
        limits: A batch that is foreseen to take more is not tried.

    Yields:
        What is known after each size.

    Raises:
        UserError: The model cannot be built or trained on this machine.
        MemoryError: Not even two images fit.
    """
    with AsWorker(limits):
        family = _family(spec, limits)
        period = getattr(family, "critic_steps", 1)  # batches until all players had a turn
        options = training_options(spec.train, 0, spec.data.training_images)
        # Weights that hardly move: noise for images must not make them diverge.
        options = dataclasses.replace(options, learning_rate=1e-9)
        first = min(2, batches[0])
        activations = _activation_bytes(family, options, first)
        cost = TrainingCost(
            _parameters(family), Line(0.0, 0.0), activations, validates=family.validates
        )
        points: dict[int, float] = {}
        for size in _ladder(first, batches):
            # One point says at most how much: a larger batch takes no longer for an image.
            newest = {tried: points[tried] for tried in sorted(points)[-2:]}
            expected = Line.through(newest).at(size) if points else 0.0
            if expected * period > limits.seconds or cost.memory(size) > limits.memory:
                break
            repeats = max(1, min(BATCHES, int(limits.seconds / (period * expected or 1e-3)) - 1))
            seconds = or_none(_batch_seconds, family, options, size, period, repeats)
            if seconds is None:
                break
            points[size] = seconds
            yield _with_points(cost, points, batches)
        if not points:
            raise MemoryError(f"a batch of {first} images takes too much")


def _with_points(
    cost: TrainingCost, points: Mapping[int, float], wanted: tuple[int, int]
) -> TrainingCost:
    """The cost with the line through the two largest batches, or those that are wanted."""
    kept = sorted(points)[-2:]
    if {*wanted} <= points.keys():
        kept = [*wanted]
    line = Line.through({size: points[size] for size in kept})
    return dataclasses.replace(cost, batch=line, batches_tried=tuple(sorted({*kept})))


def measure_sampling(spec: Study, limits: Limits) -> Iterator[SamplingCost]:
    """Time sampling in a few steps.

    Yields:
        What is known after each try.

    Raises:
        UserError: The model cannot be built or sampled on this machine.
        MemoryError: Not even two images fit.
    """
    sampling = spec.sampling
    with AsWorker(limits):
        family = _family(spec, limits).eval()

        def seconds(images: int, steps: int) -> float:
            def once() -> None:
                with in_precision(spec.train.precision, family.device):
                    generate(
                        family,
                        images,
                        sampler=sampling.sampler,
                        steps=steps,
                        seed=0,
                        options=sampling.options,
                    ).cpu()  # waits for the device

            once()  # warms up
            return _seconds(once)

        few = 2
        start = seconds(few, 1) / few
        yield SamplingCost(0.0, start)
        images = int(min(CHUNK, spec.score.samples, limits.seconds / (4 * start)))
        if images > few:
            longer = or_none(seconds, images, 1)
            if longer is None:
                return
            start = longer / images
            yield SamplingCost(0.0, start)
        images = max(few, images)
        steps = int(min(STEPS, sampling.steps, limits.seconds / (2 * start * images)))
        if steps > 1:
            step = (seconds(images, steps) / images - start) / (steps - 1)
            if step > 0.0:  # else noise
                yield SamplingCost(max(0.0, start - step), step)


def measure_scoring(spec: Study, score: Score, limits: Limits) -> Iterator[ScoringCost]:
    """Time embedder, reference and measures of a score on noise.

    Yields:
        What is known after each part.

    Raises:
        UserError: The embedder cannot be made.
    """
    real, samples = real_images(spec, score), score.samples
    with AsWorker(limits):
        learning, embedder = _embedder(score.embedder_name, spec, limits)
        embedding = _embedding_seconds(embedder, spec, limits)
        yield ScoringCost(embedding, learning, real * embedding)
        dim = min(embedder.dim, MOST_DIMENSIONS)
        generated, compared = min(samples, MOST_IMAGES), min(real, MOST_IMAGES)
        generator = torch.Generator().manual_seed(0)
        features = torch.randn(generated, dim, generator=generator)
        reals = torch.randn(compared, dim, generator=generator)
        wanted = [MEASURES[name] for name in score.measures]
        wider = embedder.dim / dim
        reference, root = real * embedding, None
        if any(each.needs_moments for each in wanted):
            clock = time.perf_counter()
            root = Reference.of(Moments.of(reals))
            reference += (time.perf_counter() - clock) * wider**3  # of an eigendecomposition
        labels = torch.randint(0, 10, (compared,), generator=generator)
        comparison = Comparison(
            features, root, real=reals, labels=labels, train=reals, kid_subset_size=None
        )
        measures = 0.0
        for name, info in zip(score.measures, wanted, strict=True):
            clock = time.perf_counter()
            measure(comparison, [name])
            # Moments are compared once for all images; others image by image.
            others = 1.0 if info.needs_moments else real / compared
            scale = wider**2 if info.needs_moments else wider
            measures += (time.perf_counter() - clock) * scale * others * samples / generated
            yield ScoringCost(embedding, learning, reference, measures)


def _family(spec: Study, limits: Limits) -> Family:
    return build_model(spec, 0, placeholder_morph_images(spec)).to(device_of(limits))


def _parameters(family: Family) -> int:
    return sum(parameter.numel() for parameter in family.parameters())


def _ladder(first: int, batches: tuple[int, int]) -> Iterable[int]:
    """Rising batch sizes: the first, the two that are wanted, and between them no great leap."""
    size = first
    for wanted in sorted({first, *batches}):
        while wanted > size * LEAP:
            size *= LEAP
            yield size
        size = wanted
        yield size


def _activation_bytes(family: Family, options: TrainingOptions, images: int) -> float:
    """Bytes that an image of a batch has kept until its gradient is known, weights not counted."""
    weights = {parameter.data_ptr() for parameter in family.parameters()}
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        if tensor.data_ptr() not in weights:
            kept[tensor.data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        _train(TrainingState(family, dataclasses.replace(options, batch_size=images)), images)
    return sum(kept.values()) / images


def _batch_seconds(
    family: Family, options: TrainingOptions, size: int, period: int, repeats: int
) -> float:
    """Seconds of a batch after a warm-up of one: the median over rounds of all players' turns."""
    state = TrainingState(family, dataclasses.replace(options, batch_size=size))
    _train(state, size)
    times = _train(state, size * period * repeats)
    rounds = [end - begin for begin, end in pairwise(times[::period])]
    return statistics.median(rounds) / period


def _train(state: TrainingState, images: int) -> list[float]:
    """An epoch on so many images of noise; answers when it began, and when each batch ended."""
    shape = (images, *state.family.image_shape)
    noise = torch.randint(0, 256, shape, dtype=torch.uint8, device=state.family.device)
    times = [time.perf_counter()]
    for step in train_epoch(state, noise):
        step.loss.item()  # waits for the device
        times.append(time.perf_counter())
    return times


def _embedder(name: str, spec: Study, limits: Limits) -> tuple[float, Embedder]:
    """Seconds of an embedder's training, and an embedder of the kind that has hardly learned."""
    shape = (CHUNK, *spec.data.image_shape)
    generator = np.random.default_rng(0)
    noise = ImageSet(
        "noise",
        generator.integers(0, 256, shape, dtype=np.uint8),
        labels=generator.integers(0, 10, CHUNK),
    )
    if not embedder_info(name).learns:
        made = make_embedder(
            name, noise, cache_folder=user_cache_folder(), device=device_of(limits), seed=0
        )
        return 0.0, made
    learner = LEARNERS[name]
    learner.learn(noise, 1, device_of(limits))  # warms up
    clock = time.perf_counter()
    embedder = learner.learn(noise, LEARNING_STEPS, device_of(limits))
    return (time.perf_counter() - clock) * learner.steps / LEARNING_STEPS, embedder


def _embedding_seconds(embedder: Embedder, spec: Study, limits: Limits) -> float:
    def seconds(images: int) -> float:
        noise = torch.randint(0, 256, (images, *spec.data.image_shape), dtype=torch.uint8)
        noise = noise.to(device_of(limits))
        return _seconds(lambda: embedder(noise)) / images

    seconds(2)  # warms up
    few = seconds(8)
    return min(few, seconds(CHUNK)) if few * CHUNK < limits.seconds else few


def _seconds(act: Callable[[], object]) -> float:
    clock = time.perf_counter()
    act()
    return time.perf_counter() - clock
