"""The measures: what is computed from features, whatever the embedder, each under its name.

A study minimises one of them and writes others beside it; `study score` prints any of them. What
two measures have in common, such as neighbours, is computed once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Literal

from torch import Tensor

from study.scoring.coverage import (
    DensityCoverage,
    PrecisionRecall,
    density_coverage,
    precision_recall,
)
from study.scoring.extrapolation import extrapolate
from study.scoring.frechet import Moments, Reference, distance_and_error
from study.scoring.kernel import SUBSET_SIZE, SUBSETS, kid, mmd
from study.scoring.modes import (
    classify,
    count_modes,
    divergence,
    divergence_error,
    modes_found,
)
from study.scoring.novelty import authenticity, memorisation_ratio
from study.scoring.sliced import sliced_wasserstein
from study.spec.errors import UserError


@dataclass(frozen=True)
class Value:
    """What a measure found.

    Attributes:
        value: The number.
        spread: Its standard error, over the choice of the generated images unless the measure says
            otherwise; none where no simple form is known.
    """

    value: float
    spread: float | None = None


@dataclass(frozen=True, eq=False)
class Comparison:
    """Generated images beside real ones, as features of one embedder.

    Attributes:
        generated: Features of generated images, [N, d].
        reference: The moments of real images; if none, they are taken of `real`.
        real: Features of real images, [M, d], for the measures with `needs_features`.
        labels: Labels of the images in `real`, int64 [M], >= 0, for those with `needs_labels`.
        train: Features of the images that the generator learned from, [K, d], for memorisation and
            authenticity; `real` if none.
        seed: Decides every random choice.
        kid_subsets: How many random subsets KID takes.
        kid_subset_size: How many images each has; none for the whole sets, once.
    """

    generated: Tensor
    reference: Reference | None = None
    real: Tensor | None = None
    labels: Tensor | None = None
    train: Tensor | None = None
    seed: int = 0
    kid_subsets: int = SUBSETS
    kid_subset_size: int | None = SUBSET_SIZE


@dataclass(frozen=True)
class Measure:
    """A measure of generated images.

    Attributes:
        name: Its name in `MEASURES`.
        about: One line for people.
        better: Which way is better.
        needs_features: Whether it needs the real images' features, not only their moments.
        needs_labels: Whether it needs their labels.
    """

    name: str
    about: str
    better: Literal["lower", "higher", "neither"]
    _take: Callable[[_Shared], Value]
    needs_features: bool = True
    needs_labels: bool = False

    def __call__(self, comparison: Comparison) -> Value:
        """Take the measure.

        Raises:
            UserError: If the comparison lacks what the measure needs, there are too few images, a
                feature is not finite, or d differs.
        """
        return measure(comparison, [self.name])[self.name]


_VOTES = 5  # of real images, for a generated one's label


class _Shared:
    """A comparison, with what several measures need of it."""

    def __init__(self, given: Comparison) -> None:
        self.given = given

    @property
    def real(self) -> Tensor:
        assert self.given.real is not None  # `measure` has seen to it
        return self.given.real

    @cached_property
    def reference(self) -> Reference:
        return self.given.reference or Reference.of(Moments.of(self.real))

    @property
    def train(self) -> Tensor:
        return self.real if self.given.train is None else self.given.train

    @property
    def count(self) -> int:
        return len(self.given.generated)

    @cached_property
    def precision_recall(self) -> PrecisionRecall:
        return precision_recall(self.real, self.given.generated)

    @cached_property
    def density_coverage(self) -> DensityCoverage:
        return density_coverage(self.real, self.given.generated)

    @cached_property
    def modes(self) -> tuple[Tensor, Tensor]:
        """How many generated and how many real images are of each label, int64 [labels] each."""
        labels = self.given.labels
        assert labels is not None  # `measure` has seen to it
        labels = labels.to(self.real.device)
        kinds = int(labels.max()) + 1
        votes = min(_VOTES, len(labels))
        found = classify(self.given.generated.to(self.real.device), self.real, labels, votes)
        return count_modes(found, kinds), count_modes(labels, kinds)


def _fd(shared: _Shared) -> Value:
    return Value(*distance_and_error(shared.reference, shared.given.generated))


def _fd_infinity(shared: _Shared) -> Value:
    found = extrapolate(shared.reference, shared.given.generated, seed=shared.given.seed)
    return Value(found.distance, found.error)


def _kid(shared: _Shared) -> Value:
    given = shared.given
    if given.kid_subset_size is None:
        found = mmd(given.generated, shared.real)
    else:
        found = kid(
            given.generated,
            shared.real,
            subsets=given.kid_subsets,
            subset_size=given.kid_subset_size,
            seed=given.seed,
        )
    return Value(found.value, found.error)


def _share(share: float, count: int) -> Value:
    """A share of `count` independent images, with the binomial's standard error."""
    return Value(share, (share * (1 - share) / count) ** 0.5)


def _memorisation(shared: _Shared) -> Value:
    return _share(memorisation_ratio(shared.given.generated, shared.train), shared.count)


def _authenticity(shared: _Shared) -> Value:
    return _share(authenticity(shared.given.generated, shared.train), shared.count)


def _sliced_wasserstein(shared: _Shared) -> Value:
    found = sliced_wasserstein(shared.given.generated, shared.real, seed=shared.given.seed)
    return Value(found.value, found.error)


def _mode_divergence(shared: _Shared) -> Value:
    generated, real = shared.modes
    return Value(divergence(generated, real), divergence_error(generated, real))


_ALL = (
    Measure("fd", "Fréchet distance", "lower", _fd, needs_features=False),
    Measure(
        "fd_infinity",
        "Fréchet distance extrapolated to infinitely many generated images",
        "lower",
        _fd_infinity,
        needs_features=False,
    ),
    Measure("kid", "kernel distance (unbiased squared MMD)", "lower", _kid),
    Measure(
        "precision",
        "share of the generated images among the real ones: fidelity",
        "higher",
        lambda shared: _share(shared.precision_recall.precision, shared.count),
    ),
    Measure(
        "recall",
        "share of the real images among the generated ones: variety",
        "higher",
        lambda shared: Value(shared.precision_recall.recall),
    ),
    Measure(
        "density",
        "how densely real images surround the generated ones: about 1 for real ones",
        "higher",
        lambda shared: Value(
            shared.density_coverage.density, shared.density_coverage.density_error
        ),
    ),
    Measure(
        "coverage",
        "share of the real images with a generated one nearby",
        "higher",
        lambda shared: Value(shared.density_coverage.coverage),
    ),
    Measure(
        "memorisation",
        "share of the generated images that copy a training image",
        "lower",
        _memorisation,
    ),
    Measure(
        "authenticity",
        "share of the generated images no nearer to a training image than another real one is",
        "higher",
        _authenticity,
    ),
    Measure(
        "sliced_wasserstein",
        "sliced Wasserstein-2 distance, squared; its spread is over the directions",
        "lower",
        _sliced_wasserstein,
    ),
    Measure(
        "modes",
        "labels with at least one generated image, by its nearest real images",
        "higher",
        lambda shared: Value(float(modes_found(shared.modes[0]))),
        needs_labels=True,
    ),
    Measure(
        "mode_divergence",
        "Kullback-Leibler divergence of the generated images' labels from the real ones', in nats",
        "lower",
        _mode_divergence,
        needs_labels=True,
    ),
)

MEASURES: Mapping[str, Measure] = MappingProxyType({each.name: each for each in _ALL})
"""All measures, under the names that a study file uses."""


def measure(comparison: Comparison, names: Iterable[str]) -> dict[str, Value]:
    """Take several measures, sharing the work that they have in common.

    Raises:
        UserError: If a name is not in `MEASURES`, the comparison lacks what a measure needs, there
            are too few images, a feature is not finite, or d differs.
    """
    wanted = list(names)
    for name in wanted:
        _check(comparison, name)
    shared = _Shared(comparison)
    return {name: MEASURES[name]._take(shared) for name in wanted}


def _check(comparison: Comparison, name: str) -> None:
    if name not in MEASURES:
        known = ", ".join(MEASURES)
        raise UserError(f"There is no measure {name!r}, but only {known}")
    needs = MEASURES[name]
    if comparison.real is None and (needs.needs_features or comparison.reference is None):
        raise UserError(
            f"The measure `{name}` needs the features of the real images, but there are none"
        )
    if not needs.needs_labels:
        return
    if comparison.labels is None:
        raise UserError(f"The measure `{name}` needs labels, but the real images have none")
    if comparison.real is not None and len(comparison.labels) != len(comparison.real):
        raise UserError(
            f"There are {len(comparison.labels)} labels of {len(comparison.real)} real images, "
            "but there must be one each"
        )


def note(generated: int, dim: int) -> str | None:
    """A sentence for people where a Fréchet distance rests on fewer images than dimensions.

    Args:
        generated: The number of generated images.
        dim: The embedder's.

    Returns:
        None where there are more images than dimensions.
    """
    if generated > dim:
        return None
    return (
        f"N = {generated} images are no more than the embedder's {dim} dimensions: the covariance "
        "is singular, and the Fréchet distance too large by much; compare equal N only."
    )
