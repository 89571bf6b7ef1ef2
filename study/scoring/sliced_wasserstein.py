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

from study.scoring.feature_checks import check_features
from study.spec.errors import UserError

PROJECTIONS = 256


@dataclass(frozen=True)
class SlicedWasserstein:
    """A sliced Wasserstein-2 distance, squared.

    Attributes:
        value: The mean over the directions, >= 0.
        error: Its standard error over the choice of the generated images, the directions and the
            real images being what they are; None for a single image.
        directions_error: Its standard error over the choice of the directions; 0 in one dimension.
            Equal directions make it an error that two sets of generated images have in common.
    """

    value: float
    error: float | None
    directions_error: float


def sliced_wasserstein(
    generated: Tensor, real: Tensor, *, projections: int = PROJECTIONS, seed: int = 0
) -> SlicedWasserstein:
    """The squared sliced Wasserstein-2 distance between two sets of features.

    Where they differ by a shift alone it is |shift|^2 / d. Like a Fréchet distance it is biased by
    the number of images. Sets of unequal size are compared at the quantiles of the larger, linear
    between those of the smaller. Exchanging the sets changes the error alone.

    The error is that of the delta method, see `_influence`. Simulated with Gaussians in 8
    dimensions and pictures of digits, 10 to 500 generated ones, it is within 20 % of the deviation
    over draws where the distance is a few times what two draws of one distribution have. Nearer
    than that, the first-order term that it rests on is no longer the largest, and it is too large,
    by up to 40 %: it then tells too few trials apart, not too many.

    Args:
        generated: Features, [N >= 1, d].
        real: Features, [M >= 1, d].
        projections: How many random directions, at least 2.
        seed: Decides the directions.

    Raises:
        UserError: If there are no images, a feature is not finite, d differs, or there are fewer
            than 2 directions.
    """
    check_features(generated, real)
    if projections < 2:
        raise UserError(f"The value of `projections` is {projections}, but must be >= 2")
    generator = torch.Generator().manual_seed(seed)
    directions = torch.randn(real.shape[1], projections, generator=generator, dtype=torch.float64)
    directions /= directions.norm(dim=0)  # [d, P], uniform on the sphere
    projected, real_projected = (
        (features.detach().cpu().double() @ directions).sort(dim=0)  # [N, P] and [M, P]
        for features in (generated, real)
    )
    most = max(len(generated), len(real))
    differences = _quantiles(projected.values, most) - _quantiles(real_projected.values, most)
    squares = differences.square().mean(0)  # [P]
    error = None
    if len(generated) > 1:
        images = _influence(
            projected.values, projected.indices, _quantiles(real_projected.values, len(generated))
        )
        error = float(images.std()) / len(generated) ** 0.5
    return SlicedWasserstein(
        value=float(squares.mean()),
        error=error,
        directions_error=float(squares.std()) / projections**0.5,
    )


def _influence(ordered: Tensor, image: Tensor, quantiles: Tensor) -> Tensor:
    """How much each generated image adds to the distance, to first order: float64 [N].

    On a line, that is Kantorovich's potential of the image's place x, whose derivative is
    2 (x - T(x)) with T the map to the real images' quantiles (del Barrio & Loubes 2019, "Central
    limit theorems for empirical transportation cost in general dimension", its
    variance is that of the distance, times N). The mean over the directions is taken image by
    image, as all directions see the same images.

    Args:
        ordered: Projections of the generated images, each column sorted, [N, P].
        image: Which image each of them is of, int64 [N, P].
        quantiles: Those of the real images, as many, [N, P].
    """
    # The integral of 2 (x - T) from one image's place to the next, T being the mean of theirs.
    steps = ordered.square().diff(dim=0) - (quantiles[1:] + quantiles[:-1]) * ordered.diff(dim=0)
    potential = torch.zeros_like(ordered)
    potential[1:] = steps.cumsum(0)
    potential -= potential.mean(0)
    return torch.zeros_like(ordered).scatter_(0, image, potential).mean(1)


def _quantiles(ordered: Tensor, count: int) -> Tensor:
    """The quantiles (i + 1/2) / count of each column of [n, P], sorted: [count, P]."""
    if len(ordered) == count:
        return ordered
    place = (torch.arange(count, dtype=torch.float64) + 0.5) * len(ordered) / count - 0.5
    place = place.clamp(0, len(ordered) - 1)
    below = place.floor().long()
    above = (below + 1).clamp(max=len(ordered) - 1)
    return torch.lerp(ordered[below], ordered[above], (place - below)[:, None])
