"""The sliced Wasserstein distance: cheap, for the early rungs of a search.

The Wasserstein-2 distance of distributions on a line is that of their quantiles; averaged over
random directions it sets distributions in d dimensions beside each other (Rabin et al. 2012,
"Wasserstein Barycenter and Its Application to Texture Mixing", eq. 8; Bonneel et al. 2015, "Sliced
and Radon Wasserstein Barycenters of Measures"). It costs a matrix product and sorting.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from study.spec.errors import UserError

PROJECTIONS = 256


@dataclass(frozen=True)
class SlicedWasserstein:
    """A sliced Wasserstein-2 distance, squared.

    Attributes:
        value: The mean over the directions, >= 0.
        error: Its standard error over the choice of the directions; 0 in one dimension.
    """

    value: float
    error: float


def sliced_wasserstein(
    a: Tensor, b: Tensor, *, projections: int = PROJECTIONS, seed: int = 0
) -> SlicedWasserstein:
    """The squared sliced Wasserstein-2 distance between two sets of features.

    Where a and b differ by a shift alone it is |shift|^2 / d. Like a Fréchet distance it is biased
    by the number of images. Sets of unequal size are compared at the quantiles of the larger,
    linear between those of the smaller.

    Args:
        a: Features, [N >= 1, d].
        b: Features, [M >= 1, d]. Which is which makes no difference.
        projections: How many random directions, at least 2.
        seed: Decides the directions.

    Raises:
        UserError: If there are no images, a feature is not finite, d differs, or there are fewer
            than 2 directions.
    """
    for features in (a, b):
        if features.ndim != 2 or len(features) == 0:
            raise UserError(
                f"The features are of shape {list(features.shape)}, but must be [N >= 1, d]"
            )
        if not features.isfinite().all():
            raise UserError("The features hold NaN or infinity, but must be finite")
    if a.shape[1] != b.shape[1]:
        raise UserError(
            f"The features have {a.shape[1]} and {b.shape[1]} dimensions, "
            "but must have the same number"
        )
    if projections < 2:
        raise UserError(f"The value of `projections` is {projections}, but must be >= 2")
    generator = torch.Generator().manual_seed(seed)
    directions = torch.randn(a.shape[1], projections, generator=generator, dtype=torch.float64)
    directions /= directions.norm(dim=0)  # [d, P], uniform on the sphere
    quantiles = max(len(a), len(b))
    on_a, on_b = (_quantiles(x.detach().cpu().double() @ directions, quantiles) for x in (a, b))
    squares = (on_a - on_b).square().mean(0)  # [P]
    return SlicedWasserstein(float(squares.mean()), float(squares.std()) / projections**0.5)


def _quantiles(values: Tensor, count: int) -> Tensor:
    """The quantiles (i + 1/2) / count of each column of [n, P], n <= count: [count, P]."""
    ordered = values.sort(dim=0).values
    if len(values) == count:
        return ordered
    place = (torch.arange(count, dtype=torch.float64) + 0.5) * len(values) / count - 0.5
    place = place.clamp(0, len(values) - 1)
    below = place.floor().long()
    above = (below + 1).clamp(max=len(values) - 1)
    return torch.lerp(ordered[below], ordered[above], (place - below)[:, None])
