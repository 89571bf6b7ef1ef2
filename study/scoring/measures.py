"""The measures: what is computed from features, whatever the embedder, each under its name.

A study minimises one of them and writes others beside it; `study score` prints any of them. What
two measures have in common, such as neighbours, is computed once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from study.scoring.comparison import Comparison, Shared, Value
from study.scoring.extrapolation import extrapolate
from study.scoring.frechet import distance_and_error
from study.scoring.kernel_distance import kid, mmd
from study.scoring.modes import divergence, divergence_error, modes_found
from study.scoring.novelty import authenticity, memorisation_ratio
from study.scoring.sliced_wasserstein import sliced_wasserstein
from study.spec.errors import UserError
from study.spec.measure_info import MEASURES

__all__ = ["TAKERS", "Comparison", "Value", "measure", "note"]


def _fd(shared: Shared) -> Value:
    return Value(*distance_and_error(shared.reference, shared.comparison.generated))


def _fd_infinity(shared: Shared) -> Value:
    line = extrapolate(shared.reference, shared.comparison.generated, seed=shared.comparison.seed)
    return Value(line.distance, line.error)


def _kid(shared: Shared) -> Value:
    comparison = shared.comparison
    if comparison.kid_subset_size is None:
        distance = mmd(comparison.generated, shared.real)
    else:
        distance = kid(
            comparison.generated,
            shared.real,
            subsets=comparison.kid_subsets,
            subset_size=comparison.kid_subset_size,
        )
    return Value(distance.value, distance.error)


def _share(share: float, count: int) -> Value:
    """A share of `count` independent images, with the binomial's standard error."""
    return Value(share, (share * (1 - share) / count) ** 0.5)


def _memorisation(shared: Shared) -> Value:
    _check_training(shared, "memorisation")
    return _share(memorisation_ratio(shared.comparison.generated, shared.train), shared.count)


def _authenticity(shared: Shared) -> Value:
    _check_training(shared, "authenticity")
    return _share(authenticity(shared.comparison.generated, shared.train), shared.count)


def _check_training(shared: Shared, name: str) -> None:
    if len(shared.train) < 2:
        raise UserError(
            f"{name} takes 2 or more training images, but there are {len(shared.train)}"
        )


def _sliced_wasserstein(shared: Shared) -> Value:
    distance = sliced_wasserstein(
        shared.comparison.generated, shared.real, seed=shared.comparison.seed
    )
    return Value(distance.value, distance.error)


def _mode_divergence(shared: Shared) -> Value:
    generated, real = shared.modes
    return Value(divergence(generated, real), divergence_error(generated, real))


TAKERS: Mapping[str, Callable[[Shared], Value]] = MappingProxyType(
    {
        "fd": _fd,
        "fd_infinity": _fd_infinity,
        "kid": _kid,
        "precision": lambda shared: _share(shared.precision_recall.precision, shared.count),
        "recall": lambda shared: Value(shared.precision_recall.recall),
        "density": lambda shared: Value(
            shared.density_coverage.density, shared.density_coverage.density_error
        ),
        "coverage": lambda shared: Value(shared.density_coverage.coverage),
        "memorisation": _memorisation,
        "authenticity": _authenticity,
        "sliced_wasserstein": _sliced_wasserstein,
        "modes": lambda shared: Value(float(modes_found(shared.modes[0]))),
        "mode_divergence": _mode_divergence,
    }
)
"""How each measure is taken; what each is and needs is in `study.spec.measure_info`."""


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
    return {name: TAKERS[name](shared) for name in wanted}


def _check(comparison: Comparison, name: str) -> None:
    if name not in MEASURES:
        known = ", ".join(MEASURES)
        raise UserError(f"There is no measure {name!r}, but only {known}")
    info = MEASURES[name]
    # Without images of its training, a generator is taken to have learned from the real ones.
    takes_real = info.needs_features or (info.needs_training and comparison.train is None)
    if comparison.real is None and (takes_real or comparison.reference is None):
        raise UserError(
            f"The measure `{name}` needs the features of the real images, but there are none"
        )
    if not info.needs_labels:
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
