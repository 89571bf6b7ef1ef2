"""Assesses metrics on real images, which are corrupted at rising levels and scored.

A metric that can rank generators scores corrupted images as worse, the more so the higher the
level. One half of a data set is the reference, and what embedders learn from; from the other half
come sets of N images, which are corrupted and compared with it as generated images would be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from study.data import Fraction, ImageSet, split
from study.data import user_cache_folder as default_cache_folder
from study.scoring.embedders import Embedder, make_embedder
from study.scoring.frechet import Moments, Reference
from study.scoring.measures import Comparison, measure, note
from study.scoring.statistics_cache import check_memory
from study.spec.embedder_info import embedder_info
from study.spec.errors import UserError
from study.spec.measure_info import MEASURES
from study.spec.names import is_import_path, metric_name
from study.trust.corruptions import LEVELS, Corruption, corruptions
from study.trust.dose_response import LevelScores, Response, smallest_difference
from study.trust.foreign_images import choose_foreign_images, shape_of
from study.trust.repeated_sets import draw_sets, sample_size

ASSESSED = ("fd", "kid")
"""The measures that can be assessed."""
REPEATS = 5
"""How many sets are scored at each level by default."""

_DEFAULT_EMBEDDERS = ("vae", "pixels", "lenet", "inception")
# A covariance of d x d doubles: in more dimensions than these only on request.
_MOST_PIXELS = 4096
_MUCH_BLACK = 0.1
_EXAMPLES = 16


@dataclass(frozen=True)
class MetricAssessment:
    """How one metric responds to the corruptions.

    Attributes:
        metric: Its name, as score rows have it.
        embedder: The embedder's name or import path.
        embedder_digest: SHA-256 (hex) over all that decides its features.
        smallest_difference: How far two scores of N images must be apart before chance is ruled
            out (95 %).
        responses: One for each corruption, in the order of `Assessment.corruptions`.
    """

    metric: str
    embedder: str
    embedder_digest: str
    smallest_difference: float
    responses: tuple[Response, ...]


@dataclass(frozen=True, eq=False)
class Assessment:
    """How some metrics respond to corrupted images. All scores are of equally many images.

    Attributes:
        dataset: The data set's name.
        foreign: The name of the set whose images replace others.
        shape: (C, H, W) of all images.
        measure: `fd` or `kid`.
        samples: N, the images in every set that was scored.
        repeats: How many sets were scored at each level.
        overlapping: Whether these sets share images; their spread is widened for it.
        reference: The number of images compared with.
        seed: Decides everything random.
        corruptions: The kinds of corruption, with their levels.
        metrics: One for each embedder.
        notes: Sentences for people.
        examples: By corruption, corrupted images, uint8 [levels, 16 or fewer, C, H, W].
    """

    dataset: str
    foreign: str
    shape: tuple[int, int, int]
    measure: str
    samples: int
    repeats: int
    overlapping: bool
    reference: int
    seed: int
    corruptions: tuple[Corruption, ...]
    metrics: tuple[MetricAssessment, ...]
    notes: tuple[str, ...]
    examples: Mapping[str, NDArray[np.uint8]]


def assess_metrics(
    images: ImageSet,
    *,
    foreign: ImageSet | None = None,
    embedders: Sequence[str | Embedder] | None = None,
    metric: str = "fd",
    samples: int | None = None,
    repeats: int = REPEATS,
    seed: int = 0,
    levels: Mapping[str, Sequence[float]] | None = None,
    cache_folder: Path | None = None,
    device: torch.device | str = "cpu",
    weights: Path | None = None,
    watch: Callable[[str], None] = lambda what: None,
) -> Assessment:
    """Score real images, corrupted at rising levels, against others of their set.

    Args:
        images: The real images.
        foreign: The images that replace others, brought to their shape; by default those of
            `default_foreign_set`.
        embedders: By name, by import path, or made already; the `default_embedders` if none.
        metric: `fd` (Fréchet distance) or `kid` (kernel distance, unbiased, over whole sets).
        samples: N; by default as many as disjoint sets can have, 1000 at most. More overlap.
        repeats: R, the sets scored at each level, at least 2.
        seed: Decides the halves, the sets, the corruption, and what embedders learn.
        levels: Other levels, by the keys of `study.trust.corruptions.LEVELS`: 0, and rising.
        cache_folder: Where embedders are kept; the user's own by default.
        device: Where embedders live.
        weights: A file of weights, for embedders that take one.
        watch: Called with what is being scored.

    Raises:
        UserError: If there are too few images, an embedder or metric is unknown or does not fit
            them, the foreign images cannot be brought to their shape, or a value is out of range.
    """
    if metric not in ASSESSED:
        raise UserError(f"The value of `metric` is {metric!r}, but must be {' or '.join(ASSESSED)}")
    halves = split(images, Fraction(0.5), seed=seed)
    reference, rest = halves.train, halves.held_out
    count = sample_size(images, len(rest), samples, repeats)
    shape = shape_of(images)
    replacing = choose_foreign_images(images, foreign, shape)
    kinds = corruptions(
        shape[1] * shape[2],
        count,
        replacing.images,
        {name: tuple(each) for name, each in (levels or {}).items()},
    )
    asked = tuple(embedders or default_embedders(images, device))
    made = [
        make_embedder(
            each,
            reference,
            cache_folder=cache_folder or default_cache_folder(),
            device=device,
            seed=seed,
            weights=weights if embedder_info(each).weights_file else None,
        )
        if isinstance(each, str)
        else each
        for each in asked
    ]
    sets, overlapping = draw_sets(rest.images, count, repeats, seed)
    widening = (1 - count / len(rest)) ** -0.5 if overlapping else 1.0
    metrics, notes = [], _notes(images, rest.images, widening if overlapping else None)
    if not embedders and "pixels" not in asked:
        notes.append(f"pixels is left out: {shape} makes more than {_MOST_PIXELS} dimensions.")
    if not embedders and "inception" not in asked:
        notes.append("inception is left out: without a GPU it takes hours (--embedder inception).")
    for embedder in made:
        score = _scorer(embedder, reference.tensor(), metric, seed)
        metrics.append(_assess(embedder, metric, score, sets, kinds, widening, seed, watch))
        if is_import_path(embedder.name):
            notes.append(f"{metrics[-1].metric} is in the features of {embedder.name}.")
        caution = note(count, embedder.dim) if MEASURES[metric].needs_moments else None
        notes += [f"{embedder.name}: {caution}"] if caution else []
    return Assessment(
        dataset=images.name,
        foreign=replacing.name,
        shape=shape,
        measure=metric,
        samples=count,
        repeats=repeats,
        overlapping=overlapping,
        reference=len(reference),
        seed=seed,
        corruptions=kinds,
        metrics=tuple(metrics),
        notes=tuple(notes),
        examples={kind.name: _examples(sets[0], kind, _seed(seed, kind, 0)) for kind in kinds},
    )


def default_embedders(images: ImageSet, device: torch.device | str = "cpu") -> tuple[str, ...]:
    """All that fit: `vae`, `pixels` unless they are too many, `lenet` if the images have labels.

    `inception` joins them on a GPU: on a CPU it would take hours over so many sets.
    """
    on_cpu = torch.device(device).type == "cpu"
    too_many_pixels = np.prod(images.images.shape[1:]) > _MOST_PIXELS
    fitting = []
    for name in _DEFAULT_EMBEDDERS:
        info = embedder_info(name)
        if info.needs_labels and images.labels is None:
            continue
        if (info.slow_on_cpu and on_cpu) or (name == "pixels" and too_many_pixels):
            continue
        fitting.append(name)
    return tuple(fitting)


def _scorer(
    embedder: Embedder, reference: Tensor, metric: str, seed: int
) -> Callable[[NDArray[np.uint8]], float]:
    """The score of a set of images."""
    info = MEASURES[metric]
    check_memory(len(reference), embedder.dim, moments=info.needs_moments, features=True)
    real = embedder(reference).cpu()
    moments = Reference.of(Moments.of(real)) if info.needs_moments else None
    features = real if info.needs_features else None

    def score(images: NDArray[np.uint8]) -> float:
        generated = embedder(torch.tensor(images)).cpu()
        comparison = Comparison(generated, moments, features, seed=seed, kid_subset_size=None)
        return measure(comparison, [metric])[metric].value

    return score


def _assess(
    embedder: Embedder,
    metric: str,
    score: Callable[[NDArray[np.uint8]], float],
    sets: Sequence[NDArray[np.uint8]],
    kinds: Sequence[Corruption],
    widening: float,
    seed: int,
    watch: Callable[[str], None],
) -> MetricAssessment:
    watch(f"{embedder.name}: clean images")
    clean = LevelScores(0.0, tuple(map(score, sets)), widening)
    responses = []
    for kind in kinds:
        watch(f"{embedder.name}: {kind.title}")
        corrupted = [
            LevelScores(
                level,
                tuple(
                    score(kind.apply(images, level, _seed(seed, kind, repeat)))
                    for repeat, images in enumerate(sets)
                ),
                widening,
            )
            for level in kind.levels[1:]
        ]
        responses.append(Response(kind.name, (clean, *corrupted)))
    return MetricAssessment(
        metric=metric_name(metric, embedder.name),
        embedder=embedder.name,
        embedder_digest=embedder.digest,
        smallest_difference=smallest_difference(clean),
        responses=tuple(responses),
    )


def _examples(images: NDArray[np.uint8], kind: Corruption, seed: int) -> NDArray[np.uint8]:
    return np.stack([kind.apply(images, level, seed)[:_EXAMPLES] for level in kind.levels])


def _seed(seed: int, kind: Corruption, repeat: int) -> int:
    """The seed of a set's corruption, the same at every level."""
    entropy = [seed, 2, [*LEVELS].index(kind.name), repeat]
    return int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0])


def _notes(images: ImageSet, pool: NDArray[np.uint8], widening: float | None) -> list[str]:
    notes = []
    if widening is not None:
        notes.append(
            f"The sets are drawn from {len(pool)} images and overlap: their spread is widened by "
            f"{widening:.2f}, which is 1 / sqrt(1 - N/{len(pool)})."
        )
    black = float((pool == 0).all(axis=1).mean())
    if black > _MUCH_BLACK:
        notes.append(
            f"{black:.0%} of the pixels of {images.name} are 0 already: a dead pixel "
            "changes nothing there."
        )
    return notes
