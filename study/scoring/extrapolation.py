"""The Fréchet distance of infinitely many images, extrapolated from finitely many.

FD_N is about FD_inf + c / N, with a c that differs between models (Chong & Forsyth 2020,
"Effectively Unbiased FID and Inception Score and where to find them", section 3): a line through
distances at several N, against 1/N, meets the axis at FD_inf.

The paper takes 15 values of N, from a tenth to all of the images, and one random subset at each.
Here N is all of the images, a half and a third, and at each of them the images are dealt out among
that many subsets, whose distances are averaged. So every image weighs the same in the result: that
has less noise than subsets that some images fall into more often than others, its standard error is
known, and small N, where the line bends, are left alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from study.scoring.frechet import Reference, distance_and_error, distance_to
from study.spec.errors import UserError

SHARES = (1, 2, 3)
"""Into how many subsets the images are dealt out, in turn."""


@dataclass(frozen=True)
class Extrapolation:
    """A Fréchet distance at infinite N.

    Attributes:
        distance: The extrapolated distance; below 0 by chance where the true one is small.
        error: Its standard error over the choice of the generated images.
        slope: c, by which FD_N exceeds it: FD_N = distance + slope / N.
        sizes: The N of the line's points, on average of the subsets.
        distances: Their distances.
    """

    distance: float
    error: float
    slope: float
    sizes: tuple[float, ...]
    distances: tuple[float, ...]


def extrapolate(reference: Reference, features: Tensor, *, seed: int = 0) -> Extrapolation:
    """Extrapolate the Fréchet distance of generated images to infinitely many of them.

    The bias that comes with the number of real images stays. FD_N is a line in 1/N only where N is
    well above the features' dimension d: in experiments with Gaussians (d = 100) the extrapolated
    distance was off by 0.2 % of FD_N's bias at N = 20 d, 5 % at 6 d, 13 % at 2 d (too small), and
    at N <= d it has no meaning.

    Args:
        reference: The real images.
        features: Of the generated images, [N, d], N >= 6.
        seed: Decides how the images are dealt out.

    Raises:
        UserError: If there are too few images, a feature is not finite, or d differs.
    """
    count = len(features)
    if count < 2 * SHARES[-1]:
        raise UserError(
            f"There are features of {count} images, "
            f"but extrapolation takes {2 * SHARES[-1]} or more"
        )
    generator = torch.Generator().manual_seed(seed)
    whole, error = distance_and_error(reference, features)
    distances = [whole]
    for shares in SHARES[1:]:
        order = torch.randperm(count, generator=generator).to(features.device)
        subsets = [features[part] for part in order.tensor_split(shares)]
        distances.append(sum(distance_to(reference, subset) for subset in subsets) / shares)
    sizes = [count / shares for shares in SHARES]
    slope, distance = np.polyfit(1 / np.array(sizes), distances, 1)
    # Each distance moves with the choice of images by the mean of the same influences, to first
    # order: the line moves up and down with them as a whole.
    return Extrapolation(float(distance), error, float(slope), tuple(sizes), tuple(distances))
