"""The measures: what is computed from features, whatever the embedder, each under its name.

A study minimises one of them and writes others beside it; `study score` prints any of them. What
two measures have in common, such as neighbours, is computed once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from study.scoring.comparison import Comparison, Shared, Value
from study.scoring.extrapolation import extrapolate
from study.scoring.frechet import distance_and_error
from study.scoring.kernel_distance import kid, mmd
from study.scoring.modes import divergence, divergence_error, modes_found
from study.scoring.novelty import authenticity, memorisation_ratio
from study.scoring.sliced_wasserstein import sliced_wasserstein
from study.spec.errors import UserError

__all__ = ["MEASURES", "Comparison", "Measure", "Value", "measure", "note"]


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
    _take: Callable[[Shared], Value]
    needs_features: bool = True
    needs_labels: bool = False

    def __call__(self, comparison: Comparison) -> Value:
        """Take the measure.

        Raises:
            UserError: If the comparison lacks what the measure needs, there are too few images, a
                feature is not finite, or d differs.
        """
        return measure(comparison, [self.name])[self.name]


def _fd(shared: Shared) -> Value:
    return Value(*distance_and_error(shared.reference, shared.given.generated))


def _fd_infinity(shared: Shared) -> Value:
    found = extrapolate(shared.reference, shared.given.generated, seed=shared.given.seed)
    return Value(found.distance, found.error)


def _kid(shared: Shared) -> Value:
    given = shared.given
    if given.kid_subset_size is None:
        found = mmd(given.generated, shared.real)
    else:
        found = kid(
            given.generated,
            shared.real,
            subsets=given.kid_subsets,
            subset_size=given.kid_subset_size,
        )
    return Value(found.value, found.error)


def _share(share: float, count: int) -> Value:
    """A share of `count` independent images, with the binomial's standard error."""
    return Value(share, (share * (1 - share) / count) ** 0.5)


def _memorisation(shared: Shared) -> Value:
    _check_training(shared, "memorisation")
    return _share(memorisation_ratio(shared.given.generated, shared.train), shared.count)


def _authenticity(shared: Shared) -> Value:
    _check_training(shared, "authenticity")
    return _share(authenticity(shared.given.generated, shared.train), shared.count)


def _check_training(shared: Shared, name: str) -> None:
    if len(shared.train) < 2:
        raise UserError(
            f"{name} takes 2 or more training images, but there are {len(shared.train)}"
        )


def _sliced_wasserstein(shared: Shared) -> Value:
    found = sliced_wasserstein(shared.given.generated, shared.real, seed=shared.given.seed)
    return Value(found.value, found.error)


def _mode_divergence(shared: Shared) -> Value:
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
        "sliced Wasserstein-2 distance, squared",
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
    shared = Shared(comparison)
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
