"""How much of the real images a generator covers, and how many of its own lie among them.

Both sets are taken as unions of balls about their features, each as wide as its centre's k-th
nearest neighbour in the same set is far. Fidelity and variety, which a Fréchet distance mixes, come
apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from study.scoring.neighbours import nearest, squared_distances
from study.spec.errors import UserError

# Distances that differ by rounding alone are the same distance.
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class PrecisionRecall:
    """Kynkäänniemi et al. 2019, "Improved Precision and Recall Metric", eq. 2.

    Attributes:
        precision: Share of the generated images within the real ones' balls, 0..1: fidelity.
        recall: Share of the real images within the generated ones' balls, 0..1: variety.
    """

    precision: float
    recall: float


@dataclass(frozen=True)
class DensityCoverage:
    """Naeem et al. 2020, "Reliable Fidelity and Diversity Metrics for Generative Models", eq. 3, 4.

    Attributes:
        density: How many of the real images' balls hold a generated image, over k, on average:
            >= 0, about 1 for real images. An outlier among the real ones counts for little here.
        coverage: Share of the real images with a generated one in their ball, 0..1.
        density_error: Standard error of the density over the choice of the generated images.
    """

    density: float
    coverage: float
    density_error: float


def precision_recall(real: Tensor, generated: Tensor, k: int = 3) -> PrecisionRecall:
    """Precision and recall of generated images.

    Args:
        real: Features of real images, [N, d], N > k.
        generated: Features of generated images, [M, d], M > k.
        k: Which neighbour bounds a ball; the paper's is 3.

    Raises:
        UserError: If there are too few images, a feature is not finite, or d differs.
    """
    for side, features in (("real", real), ("generated", generated)):
        _check_count("precision and recall take", k, side, features)
    precise = _balls_that_hold(generated, real, _radii(real, k)) > 0
    recalled = _balls_that_hold(real, generated, _radii(generated, k)) > 0
    return PrecisionRecall(float(precise.double().mean()), float(recalled.double().mean()))


def density_coverage(real: Tensor, generated: Tensor, k: int = 5) -> DensityCoverage:
    """Density and coverage of generated images.

    Args:
        real: Features of real images, [N, d], N > k.
        generated: Features of generated images, [M, d].
        k: Which neighbour bounds a ball; the paper's is 5.

    Raises:
        UserError: If there are too few images, a feature is not finite, or d differs.
    """
    _check_count("density and coverage take", k, "real", real)
    radii = _radii(real, k)
    balls = _balls_that_hold(generated, real, radii).double() / k  # [M]
    error = float(balls.std(correction=0)) / len(balls) ** 0.5
    closest = nearest(real, generated).distances[:, 0]  # [N]
    covered = closest <= radii * (1 + _TOLERANCE)
    return DensityCoverage(float(balls.mean()), float(covered.double().mean()), error)


def _check_count(what: str, k: int, side: str, features: Tensor) -> None:
    if len(features) <= k:
        raise UserError(f"{what} {k + 1} or more {side} images, but there are {len(features)}")


def _radii(features: Tensor, k: int) -> Tensor:
    """The distance of each image to its k-th nearest neighbour, float64 [N]."""
    return nearest(features, features, k, apart_from_self=True).distances[:, -1]


def _balls_that_hold(points: Tensor, centres: Tensor, radii: Tensor) -> Tensor:
    """How many of the (closed) balls each point lies in, int64 [N]."""
    limits = (radii * (1 + _TOLERANCE)).square()  # [M]
    blocks = [(block <= limits).sum(1) for _, block in squared_distances(points, centres)]
    return torch.cat(blocks)
