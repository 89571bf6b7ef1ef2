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
from study.scoring.embedders import make_embedder
from study.scoring.image_input import Images, first, streamed
from study.scoring.kernel_distance import SUBSET_SIZE
from study.scoring.measures import Comparison, measure, note
from study.scoring.neighbours import Neighbours, nearest
from study.scoring.score_table import score_table
from study.scoring.scorer import Measured, check_measures
from study.scoring.statistics_cache import check_memory, embedded, real_statistics
from study.spec.embedder_info import EMBEDDERS, embedder_info
from study.spec.errors import UserError
from study.spec.measure_info import MEASURES
from study.spec.names import metric_name

_DEFAULT = ("fd", "kid", "precision", "recall", "density", "coverage")
_FEWEST = 50
"""Fewer images than these, and hardly any number says much."""

_MOST_PAIRS = 2 * 10**8  # of images, whose distances are computed unless one says which measures


@dataclass(frozen=True, repr=False)
class Scores:
    """The scores of a set of images. `scores["fid"]` or `scores["fd"]` is a value.

    Attributes:
        measured: By measure, in the order of the request.
        generated: The number of generated images.
        reference: The number of real ones.
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
    reference: int
    embedder: str
    embedder_digest: str
    dim: int
    reference_digest: str
    kid_subset_size: int | None
    notes: tuple[str, ...]
    seconds: float
    nearest: Neighbours | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        """The values, and of how many images they are."""
        values = ", ".join(f"{each.metric}={each.value:.5g}" for each in self.measured.values())
        return f"Scores({values}; {self.generated} images against {self.reference})"

    def _repr_html_(self) -> str:
        """A table, for notebooks."""
        table = to_html(score_table(self))
        head = f"{self.generated} images against {self.reference}, embedder {self.embedder}"
        return to_html(head) + table + "".join(to_html(f"note: {note}") for note in self.notes)

    def __getitem__(self, name: str) -> float:
        """The value of a measure (`fd`) or metric (`fid`)."""
        for measure_name, measured in self.measured.items():
            if name in (measure_name, measured.metric):
                return measured.value
        raise KeyError(name)


def score_images(
    generated: Images,
    reference: Images,
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
        reference: The real images, alike. With `inception` the two may differ in size and channels.
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
    real = streamed("reference", reference, labels)
    info = embedder_info(embedder)
    chosen = chosen_measures(embedder, metrics, samples, real)
    subset_size = _subset_size("kid" in chosen, kid_subset_size, len(samples), len(real))
    for side, images in (("generated", samples), ("reference", real)):
        if len(images) < 2:
            raise UserError(
                f"There is {len(images)} {side} image in `{images.name}`, but it takes 2 or more"
            )
    if neighbours > len(real):
        raise UserError(
            f"The value of `neighbours` is {neighbours}, but must be <= {len(real)}, "
            "the number of reference images"
        )
    if not info.any_size and samples.shape != real.shape:
        raise UserError(
            f"The generated images are {list(samples.shape)} and the reference {list(real.shape)}, "
            f"but with the embedder {embedder!r} they must be alike; "
            "--size and --channels make them so"
        )
    folder = cache_folder or user_cache_folder()
    made = make_embedder(
        embedder,
        real.in_memory() if info.learns else first(real),
        cache_folder=folder,
        device=device or ("cuda" if torch.cuda.is_available() else "cpu"),
        seed=seed,
        weights=weights,
    )
    check_memory(len(samples), made.dim, moments=False, features=True)
    statistics = real_statistics(
        real,
        made,
        folder,
        moments=any(MEASURES[name].needs_moments for name in chosen),
        features=neighbours > 0
        or any(MEASURES[name].needs_features or MEASURES[name].needs_training for name in chosen),
        watch=_counter(watch, "reference", len(real)),
    )
    features = torch.cat([*embedded(samples, made, _counter(watch, "generated", len(samples)))])
    comparison = Comparison(
        features,
        statistics.reference,
        real=statistics.features,
        labels=None if real.labels is None else torch.tensor(real.labels),
        seed=seed,
        kid_subset_size=subset_size,
    )
    neighbourhood = None
    if neighbours:
        assert statistics.features is not None
        neighbourhood = nearest(features, statistics.features, neighbours)
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
        reference=len(real),
        embedder=made.name,
        embedder_digest=made.digest,
        dim=features.shape[1],
        reference_digest=statistics.digest,
        kid_subset_size=subset_size,
        notes=_notes(chosen, metrics, subset_size, len(samples), len(real), features.shape[1]),
        seconds=time.perf_counter() - clock,
        nearest=neighbourhood,
    )


def chosen_measures(
    embedder: str, metrics: Sequence[str] | None, generated: ImageStream, real: ImageStream
) -> tuple[str, ...]:
    """The measures that metrics name, or the useful ones by default.

    Raises:
        UserError: If one is not known, is of another embedder, or needs labels that are missing.
    """
    if metrics is None:
        many = max(len(generated), len(real)) ** 2 > _MOST_PAIRS
        few = min(len(generated), len(real)) <= 5  # their balls reach to a fifth neighbour
        if many or few:
            return _DEFAULT[:2]
        of_labels = [name for name, info in MEASURES.items() if info.needs_labels]
        return (*_DEFAULT, *(() if real.labels is None else of_labels))
    by_metric = {metric_name(name, embedder): name for name in MEASURES}
    chosen = [by_metric.get(name, name) for name in metrics]
    of_others = {
        metric_name(name, other): (name, other) for name in MEASURES for other in EMBEDDERS
    }
    for metric in chosen:
        if metric not in MEASURES and metric in of_others:
            name, other = of_others[metric]
            raise UserError(
                f"The metric {metric!r} is of the embedder {other!r}, but the embedder is "
                f"{embedder!r}; with it, {name} is {metric_name(name, embedder)}"
            )
    check_measures(chosen, labels=real.labels is not None)
    return tuple(dict.fromkeys(chosen))


def _subset_size(kid: bool, requested: int | None, generated: int, real: int) -> int | None:
    """How many images KID's subsets have; none for the whole sets."""
    fewest = min(generated, real)
    if requested is None:
        return SUBSET_SIZE if fewest >= SUBSET_SIZE else None
    if not kid:
        raise UserError("The value of `kid_subset_size` was given, but kid is not measured")
    if not 2 <= requested <= fewest:
        raise UserError(
            f"The value of `kid_subset_size` is {requested}, but must be 2 to {fewest}, "
            f"there being {generated} generated and {real} reference images"
        )
    return requested


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
    requested: Sequence[str] | None,
    subset_size: int | None,
    generated: int,
    real: int,
    dim: int,
) -> tuple[str, ...]:
    notes = []
    if any(MEASURES[name].needs_moments for name in chosen):
        biased = "A Fréchet distance falls as N grows: compare it with others of the same N only."
        notes.append(note(min(generated, real), dim) or biased)
    if "kid" in chosen and subset_size is None:
        notes.append(
            f"kid is over the whole sets: there are fewer than {SUBSET_SIZE} images for subsets."
        )
    copied = [name for name, info in MEASURES.items() if info.needs_training and name in chosen]
    if copied:
        notes.append(f"{' and '.join(copied)}: the reference is taken for what was trained on.")
    if min(generated, real) < _FEWEST:
        notes.append(f"With {min(generated, real)} images no number here says much.")
    left_out = [name for name in _DEFAULT if name not in chosen]
    if requested is None and left_out:
        notes.append(f"Not measured with as many or few images: {', '.join(left_out)}; name them.")
    return tuple(notes)
