"""Scores of any set of images against any other, without a study."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from study.data import user_cache_folder
from study.data.streams import ImageStream
from study.results.html import to_html
from study.scoring.chosen_measures import DEFAULT_MEASURES, chosen_measures
from study.scoring.embedders import make_embedder
from study.scoring.image_input import Images, alike, first, streamed
from study.scoring.kernel_distance import SUBSET_SIZE
from study.scoring.measures import Comparison, measure, note
from study.scoring.novelty import Closeness, closeness
from study.scoring.score_table import score_table
from study.scoring.scorer import Measured
from study.scoring.statistics_cache import (
    check_memory,
    embedded,
    real_statistics,
    stored_statistics,
)
from study.scoring.stored_moments import StoredMoments, check_moments
from study.spec.embedder_info import embedder_info
from study.spec.errors import UserError
from study.spec.measure_info import MEASURES
from study.spec.names import metric_name

_FEWEST = 50
"""Fewer images than these, and hardly any number says much."""


@dataclass(frozen=True, repr=False)
class Scores:
    """The scores of a set of images. `scores["fid"]` or `scores["fd"]` is a value.

    Attributes:
        measured: By measure, in the order of the request.
        generated: The number of generated images.
        reference: The number of real ones; none if a file of moments does not say it.
        embedder: The embedder's name.
        embedder_digest: SHA-256 (hex) over its architecture and weights.
        dim: The dimension of its features.
        reference_digest: SHA-256 (hex) over image set, split, size, preprocessing and embedder.
        kid_subset_size: How many images KID's subsets had; none if it took the whole sets.
        notes: Sentences for people.
        seconds: How long it took.
        nearest: The real images nearest to each generated one, if requested.
    """

    measured: Mapping[str, Measured]
    generated: int
    reference: int | None
    embedder: str
    embedder_digest: str
    dim: int
    reference_digest: str
    kid_subset_size: int | None
    notes: tuple[str, ...]
    seconds: float
    nearest: Closeness | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        """The values, and of how many images they are."""
        values = ", ".join(f"{each.metric}={each.value:.5g}" for each in self.measured.values())
        return f"Scores({values}; {self._sizes})"

    def _repr_html_(self) -> str:
        """A table, for notebooks."""
        table = to_html(score_table(self))
        return (
            to_html(f"{self._sizes}, embedder {self.embedder}")
            + table
            + "".join(to_html(f"note: {note}") for note in self.notes)
        )

    @property
    def _sizes(self) -> str:
        against = "the moments in a file" if self.reference is None else self.reference
        return f"{self.generated} images against {against}"

    def __getitem__(self, name: str) -> float:
        """The value of a measure (`fd`) or metric (`fid`)."""
        for measure_name, measured in self.measured.items():
            if name in (measure_name, measured.metric):
                return measured.value
        raise KeyError(name)


def score_images(
    generated: Images,
    reference: Images | StoredMoments,
    *,
    embedder: str = "inception",
    metrics: Sequence[str] | None = None,
    labels: Tensor | NDArray[np.int64] | None = None,
    seed: int = 0,
    kid_subset_size: int | None = None,
    neighbours: int = 0,
    weights: Path | None = None,
    cache_folder: Path | None = None,
    device: torch.device | str | None = None,
    watch: Callable[[str, int, int], None] | None = None,
) -> Scores:
    """Measure how generated images differ from real ones.

    Every statistic of the reference is kept in the cache folder, and taken from there the next
    time. The embedders `vae` and `lenet` learn from the reference, once.

    Args:
        generated: uint8 in 0..255, [N, C, H, W], C being 1 or 3, N >= 2; or an image set or stream.
        reference: The real images, alike; or moments of their features, for Fréchet distances.
            With `inception` the two may differ in size. Grey is made colour where it has to be.
        embedder: A name in `EMBEDDERS`, or an import path, `package.module:Name`.
        metrics: Names in `MEASURES`, or of metrics with this embedder, such as `fid`. By default fd
            and kid; precision, recall, density and coverage unless there are too many images for
            them; and, if the reference has labels, modes and mode_divergence.
        labels: Of the reference, whole numbers [M] >= 0, if it is a tensor or an array.
        seed: Of the embedder's training and of what is random in measures, at least 0. KID's
            subsets have a fixed seed of their own, torch-fidelity's.
        kid_subset_size: How many images KID's 100 random subsets have, at most the number on either
            side; by default 1000, and the whole sets once where there are fewer.
        neighbours: How many of the nearest real images to find for each generated one.
        weights: A file of weights for `inception` and its like.
        cache_folder: Where embedder and statistics are kept; by default the user's.
        device: Where the embedder lives; by default a GPU, if there is one.
        watch: Called with the side that is being embedded, the images done, and their total.

    Raises:
        UserError: If the images or an option are not of these, or too few.
    """
    clock = time.perf_counter()
    samples = streamed("generated", generated)
    if isinstance(reference, StoredMoments):
        real = None
        check_moments(reference, embedder, neighbours=neighbours, labels=labels is not None)
    else:
        real = streamed("reference", reference, labels)
    chosen = chosen_measures(embedder, metrics, samples, real)
    fewest = len(samples) if real is None else min(len(samples), len(real))
    subset_size = _subset_size("kid" in chosen, kid_subset_size, len(samples), real)
    for side, images in (("generated", samples), ("reference", real)):
        if images is not None and len(images) < 2:
            raise UserError(
                f"There is {len(images)} {side} image in `{images.name}`, but it takes 2 or more"
            )
    if real is not None and neighbours > len(real):
        raise UserError(
            f"The value of `neighbours` is {neighbours}, but must be <= {len(real)}, "
            "the number of reference images"
        )
    remarks = _remarks(samples, *([] if real is None else [real]))
    samples, real, changes = alike(samples, real, embedder)
    folder = cache_folder or user_cache_folder()
    like = samples if real is None else real
    made = make_embedder(
        embedder,
        like.in_memory() if embedder_info(embedder).learns else first(like),
        cache_folder=folder,
        device=device or ("cuda" if torch.cuda.is_available() else "cpu"),
        seed=seed,
        weights=weights,
    )
    check_memory(len(samples), made.dim, moments=False, features=True)
    if isinstance(reference, StoredMoments):
        statistics = stored_statistics(reference, made, folder)
    else:
        assert real is not None
        wanted = [MEASURES[name] for name in chosen]
        statistics = real_statistics(
            real,
            made,
            folder,
            moments=any(info.needs_moments for info in wanted),
            features=neighbours > 0
            or any(info.needs_features or info.needs_training for info in wanted),
            watch=_counter(watch, "reference", len(real)),
        )
    features = torch.cat([*embedded(samples, made, _counter(watch, "generated", len(samples)))])
    comparison = Comparison(
        features,
        statistics.reference,
        real=statistics.features,
        labels=None if real is None or real.labels is None else torch.tensor(real.labels),
        seed=seed,
        kid_subset_size=subset_size,
    )
    neighbourhood = None
    if neighbours:
        assert statistics.features is not None
        neighbourhood = closeness(features, statistics.features, neighbours)
    notes = _notes(
        chosen, metrics is None and real is not None, subset_size, fewest, features.shape[1]
    )
    if isinstance(reference, StoredMoments):
        notes += reference.notes(made.name)
    return Scores(
        measured={
            name: Measured(
                metric_name(name, made.name),
                value.value,
                value.spread,
                statistics.digest,
            )
            for name, value in measure(comparison, chosen).items()
        },
        generated=len(samples),
        reference=reference.count if isinstance(reference, StoredMoments) else len(like),
        embedder=made.name,
        embedder_digest=made.digest,
        dim=features.shape[1],
        reference_digest=statistics.digest,
        kid_subset_size=subset_size,
        notes=(*remarks, *changes, *notes),
        seconds=time.perf_counter() - clock,
        nearest=neighbourhood,
    )


def _subset_size(
    kid: bool, requested: int | None, generated: int, real: ImageStream | None
) -> int | None:
    """How many images KID's subsets have; none for the whole sets."""
    if requested is not None and not kid:
        raise UserError("The value of `kid_subset_size` was given, but kid is not measured")
    if real is None:
        return None
    fewest = min(generated, len(real))
    if requested is None:
        return SUBSET_SIZE if fewest >= SUBSET_SIZE else None
    if not 2 <= requested <= fewest:
        raise UserError(
            f"The value of `kid_subset_size` is {requested}, but must be 2 to {fewest}, "
            f"there being {generated} generated and {len(real)} reference images"
        )
    return requested


def _remarks(*sides: ImageStream) -> tuple[str, ...]:
    """What is to be said of the images of each side, each sentence once."""
    lines = [f"{side.name}: {remark}" for side in sides for remark in side.remarks]
    return tuple(dict.fromkeys(lines))


def _counter(
    watch: Callable[[str, int, int], None] | None, side: str, total: int
) -> Callable[[int], None] | None:
    if watch is None:
        return None
    done = 0

    def more(count: int) -> None:
        nonlocal done
        done += count
        watch(side, done, total)

    return more


def _notes(
    chosen: Sequence[str],
    by_default: bool,
    subset_size: int | None,
    fewest: int,
    dim: int,
) -> tuple[str, ...]:
    notes = []
    if any(MEASURES[name].needs_moments for name in chosen):
        biased = "A Fréchet distance falls as N grows: compare it with others of the same N only."
        notes.append(note(fewest, dim) or biased)
    if "kid" in chosen and subset_size is None:
        notes.append(
            f"kid is over the whole sets: there are fewer than {SUBSET_SIZE} images for subsets."
        )
    copied = [name for name, info in MEASURES.items() if info.needs_training and name in chosen]
    if copied:
        notes.append(f"{' and '.join(copied)}: the reference is taken for what was trained on.")
    if fewest < _FEWEST:
        notes.append(f"With {fewest} images no number here says much.")
    left_out = [name for name in DEFAULT_MEASURES if name not in chosen]
    if by_default and left_out:
        notes.append(f"Not measured with as many or few images: {', '.join(left_out)}; name them.")
    return tuple(notes)
