"""Scoring a trial: how far generated images are from real ones, and by which measures exactly."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from study.data import ImageSet
from study.data.streams import stream_of
from study.scoring.collapse import Variety, total_variance, variety
from study.scoring.embedders import Embedder, make_embedder
from study.scoring.measures import Comparison, measure
from study.scoring.statistics_cache import RealStatistics, real_statistics
from study.spec.errors import UserError
from study.spec.measure_info import MEASURES
from study.spec.names import METRICS, metric_name, nearest


@dataclass(frozen=True)
class ScoreIdentity:
    """What a score measures. Scores may be compared only if theirs are equal.

    Attributes:
        metric: Its name, as rows have it: `fid`, `fd_vae`, `kid`, ...
        embedder: The embedder's name.
        embedder_digest: SHA-256 (hex) over the embedder's architecture and weights.
        reference_digest: SHA-256 (hex) over image set, split, size, preprocessing and embedder,
            and over what else the measure depends on.
    """

    metric: str
    embedder: str
    embedder_digest: str
    reference_digest: str


@dataclass(frozen=True)
class Measured:
    """One measure of generated images.

    Attributes:
        metric: Measure and embedder in one name, as rows have it.
        value: The number.
        spread: Its standard error over the choice of images; none where it is not known.
        reference: Digest of what it compares with, as `ScoreIdentity.reference_digest`. The
            measures beside a trial's objective may have others than that.
    """

    metric: str
    value: float
    spread: float | None
    reference: str


@dataclass(frozen=True, eq=False)
class Scorer:
    """Scores sets of generated images against one reference.

    Several workers may share the work: each turns its images into features, the features are
    gathered in one place, and measured there, once. It makes no difference which worker embedded
    which images.
    """

    identity: ScoreIdentity
    embedder: Embedder
    real: RealStatistics
    measure: str
    also_measures: tuple[str, ...] = ()
    labels: Tensor | None = field(default=None, repr=False)
    train: Tensor | None = field(default=None, repr=False)
    references: Mapping[str, str] = field(default_factory=dict, repr=False)
    seed: int = 0

    def features(self, images: Tensor) -> Tensor:
        """Features, float32 [N, d] on the CPU, of images, uint8 [N, C, H, W] on any device.

        Raises:
            UserError: If the images are not of the reference's type and shape.
        """
        return self.embedder(images).cpu()

    def score(self, features: Tensor) -> Measured:
        """The objective, lower being better.

        A Fréchet distance is biased by the number of images: compare only scores of equally many.

        Args:
            features: The features of all generated images, [N, d].

        Raises:
            UserError: If there are fewer than 2 images, a feature is not finite, or d differs.
        """
        return self._measured(features, (self.measure,))[0]

    def also(self, features: Tensor) -> tuple[Measured, ...]:
        """What is measured beside the objective, in the order of `score.also`.

        Raises:
            UserError: As `score`, or if there are too few images for one of the measures.
        """
        return self._measured(features, self.also_measures) if self.also_measures else ()

    def variety(self, features: Tensor, also: Sequence[Measured] = ()) -> Variety:
        """How much the images vary, and whether they have collapsed.

        Args:
            features: The features of all generated images, [N, d].
            also: What `also` returned for them, of which it takes the recall.
        """
        recall = [
            one.value
            for name, one in zip(self.also_measures, also, strict=False)
            if name == "recall"
        ]
        return variety(
            features,
            self._real_variance[0],
            real_images=self._real_variance[1],
            recall=recall[0] if recall else None,
        )

    @cached_property
    def _real_variance(self) -> tuple[float, int]:
        """Total variance of the real images' features, and how many there are."""
        if self.real.reference is not None:
            moments = self.real.reference.moments
            return float(moments.covariance.trace()), moments.count
        assert self.real.features is not None  # every objective needs one of the two
        return total_variance(self.real.features), len(self.real.features)

    def distance(self, features: Tensor) -> float:
        """The value of `score`."""
        return self.score(features).value

    def _measured(self, features: Tensor, names: Sequence[str]) -> tuple[Measured, ...]:
        comparison = Comparison(
            features,
            self.real.reference,
            real=self.real.features,
            labels=self.labels,
            train=self.train,
            seed=self.seed,
            # Without bias whatever their size, subsets would only add their own chance.
            kid_subset_size=None,
        )
        values = measure(comparison, names)
        return tuple(
            Measured(
                metric_name(name, self.embedder.name),
                values[name].value,
                values[name].spread,
                self.references[name],
            )
            for name in names
        )


def prepare_scorer(
    *,
    metric: str,
    embedder: str | None = None,
    also: Sequence[str] = (),
    train: ImageSet,
    held_out: ImageSet,
    learned: ImageSet | None = None,
    cache_folder: Path,
    device: torch.device | str,
    seed: int,
) -> Scorer:
    """Make the scorer of a metric, with embedder and statistics from the cache if they are there.

    Any number of workers may call this at once. Those that share the cache folder get the same
    scorer; a VAE trained twice, on processors of two kinds, differs in the last bits, and with it
    the identity of the scores.

    Args:
        metric: A name in `METRICS`.
        embedder: For the metric `fd`, a name in `study.spec.embedder_info.EMBEDDERS` or an import
            path.
        also: Measures to take beside the metric's own.
        train: What the embedder learns from, if it learns.
        held_out: The real images to compare with, of the same shape, at least 2.
        learned: The images that the generators learn from and may copy, for measures that need
            training images; by default `train`.
        cache_folder: Where embedder and reference are kept; created if missing.
        device: Where the embedder lives.
        seed: The seed of the embedder's training, of random projections, and of the subsets that
            `fd_infinity` takes.

    Raises:
        UserError: If there is no such metric or measure, the image sets do not fit it or each
            other, or the cache folder can not be used.
    """
    objective, embedder_name = _measure_and_embedder(metric, embedder)
    measures = (objective, *also)
    check_measures(measures, labels=held_out.labels is not None)
    if held_out.images.shape[1:] != train.images.shape[1:]:
        raise UserError(
            f"The held-out images are {list(held_out.images.shape[1:])}, "
            f"but must be {list(train.images.shape[1:])}, as the training images"
        )
    made = make_embedder(embedder_name, train, cache_folder=cache_folder, device=device, seed=seed)
    real = real_statistics(
        stream_of(held_out),
        made,
        cache_folder,
        moments=any(MEASURES[one].needs_moments for one in measures),
        features=any(MEASURES[one].needs_features for one in measures),
    )
    training: RealStatistics | None = None
    if any(MEASURES[one].needs_training for one in measures):
        training = real_statistics(
            stream_of(learned or train), made, cache_folder, moments=False, features=True
        )
    references = {name: _reference_digest(name, real, training, seed) for name in measures}
    labels = held_out.labels
    return Scorer(
        identity=ScoreIdentity(metric, made.name, made.digest, references[objective]),
        embedder=made,
        real=real,
        measure=objective,
        also_measures=tuple(also),
        labels=None if labels is None else torch.tensor(labels),
        train=None if training is None else training.features,
        references=references,
        seed=seed,
    )


def check_measures(measures: Collection[str], *, labels: bool) -> None:
    """Refuse measures that are not known, or need labels where there are none.

    Raises:
        UserError: Naming the measure.
    """
    for name in measures:
        if name not in MEASURES:
            raise UserError(
                f"The measure {name!r} is not known, but must be one of {', '.join(MEASURES)}"
                f"{nearest(name, MEASURES)}"
            )
        if MEASURES[name].needs_labels and not labels:
            raise UserError(
                f"The measure `{name}` needs labels of the real images, but they have none"
            )


def _measure_and_embedder(metric: str, embedder: str | None) -> tuple[str, str]:
    """Measure and embedder of a metric."""
    if metric not in METRICS:
        raise UserError(
            f"The value of `metric` is {metric!r}, but must be one of {', '.join(METRICS)}"
            f"{nearest(metric, METRICS)}"
        )
    name, fixed = METRICS[metric]
    embedder_name = fixed or embedder
    if embedder_name is None:
        raise UserError(f"The value of `embedder` is none, but must be given for {metric}")
    if embedder not in (None, embedder_name):
        raise UserError(
            f"The value of `embedder` is {embedder!r}, but must be {embedder_name!r}, which "
            f"{metric} means"
        )
    return name, embedder_name


def _reference_digest(
    name: str, real: RealStatistics, training: RealStatistics | None, seed: int
) -> str:
    """The digest of what a measure compares with, and of its recipe where it has a choice."""
    if MEASURES[name].needs_training:
        assert training is not None
        return training.digest
    recipe = {
        "fd_infinity": f"fd_infinity/1 seed={seed}",
        "kid": "kid/1 whole sets",
        "sliced_wasserstein": f"sliced_wasserstein/1 seed={seed}",
    }.get(name)
    if recipe is None:
        return real.digest
    return hashlib.sha256(f"{real.digest} {recipe}".encode()).hexdigest()
