"""KID: the squared maximum mean discrepancy between two sets of features, without bias.

MMD^2 = E k(x,x') + E k(y,y') - 2 E k(x,y) with the kernel k(x,y) = (x.y / d + 1)^3 (Binkowski et
al. 2018, "Demystifying MMD GANs", section 4). Unlike the Fréchet distance its expectation does not
depend on N; and it takes more of the features' distribution into account than mean and covariance.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from study.scoring.feature_checks import check_features
from study.spec.errors import UserError

SUBSETS = 100
SUBSET_SIZE = 1000
"""What Binkowski et al. and the libraries take."""

SEED = 2020
"""torch-fidelity's own, so that equal arguments give equal numbers."""

# Kernel values held at once, of float64: 64 MB.
_BLOCK = 2**23


@dataclass(frozen=True)
class KID:
    """A kernel distance.

    Attributes:
        value: The mean over the subsets; below 0 by chance where the distributions are alike.
        deviation: The standard deviation over the subsets (over their number), which libraries
            print; 0 for one subset. It says little about how well the value is known.
        error: The standard error of the value over the choice of the generated images and of the
            subsets; up to 1.4 times too large where the distributions are alike.
    """

    value: float
    deviation: float
    error: float


def kid(
    generated: Tensor,
    real: Tensor,
    *,
    subsets: int = SUBSETS,
    subset_size: int = SUBSET_SIZE,
    seed: int = SEED,
) -> KID:
    """The kernel distance, averaged over pairs of random subsets.

    The subsets are drawn as torch-fidelity draws them.

    Args:
        generated: Features of generated images, [N >= subset_size, d].
        real: Features of real images, [M >= subset_size, d].
        subsets: How many pairs, at least 1.
        subset_size: How many images in each, at least 2.
        seed: Decides the subsets.

    Raises:
        UserError: If there are fewer images than a subset has, a feature is not finite, d differs,
            or there are no subsets.
    """
    x, y = _checked(generated, real)
    if subsets < 1 or subset_size < 2:
        raise UserError(
            f"KID was asked for {subsets} subsets of {subset_size} images, "
            "but it takes 1 or more of 2 or more"
        )
    for side, features in (("generated", x), ("real", y)):
        if len(features) < subset_size:
            raise UserError(
                f"KID's subsets have {subset_size} images, but there are only "
                f"{len(features)} {side} ones"
            )
    draws = list(_draw(len(x), len(y), subsets, subset_size, seed))
    if (len(x) + len(y)) ** 2 < 4 * subsets * subset_size**2:
        # Fewer kernel values between all images than in the subsets: each is computed once.
        values, influence = _mmds(x, y, _members(draws, 0, len(x)), _members(draws, 1, len(y)))
    else:
        once = torch.ones(1, subset_size, dtype=torch.float64)
        pairs = [_mmds(x[rows], y[columns], once, once) for rows, columns in draws]
        values = torch.cat([value for value, _ in pairs])
        influence = sum(variance for _, variance in pairs) / subsets
    deviation = float(values.std(correction=0))
    error = (influence / len(x) + deviation**2 / subsets) ** 0.5
    return KID(float(values.mean()), deviation, error)


def mmd(generated: Tensor, real: Tensor) -> KID:
    """The kernel distance between the whole sets: the least noise, at any N, without subsets.

    Args:
        generated: Features of generated images, [N >= 2, d].
        real: Features of real images, [M >= 2, d].

    Raises:
        UserError: If there are too few images, a feature is not finite, or d differs.
    """
    x, y = _checked(generated, real)
    all_x, all_y = (torch.ones(1, len(features), dtype=torch.float64) for features in (x, y))
    values, influence = _mmds(x, y, all_x, all_y)
    return KID(float(values), 0.0, (influence / len(x)) ** 0.5)


def _checked(generated: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
    """Both as float64 on the CPU."""
    check_features(generated, real, least=2)
    return generated.detach().to("cpu", torch.float64), real.detach().to("cpu", torch.float64)


def _draw(
    n: int, m: int, subsets: int, size: int, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Which generated and which real images are in each pair of subsets."""
    random = np.random.RandomState(seed % 2**32)
    for _ in range(subsets):
        yield random.choice(n, size, replace=False), random.choice(m, size, replace=False)


def _members(draws: list[tuple[np.ndarray, np.ndarray]], side: int, count: int) -> Tensor:
    """1 where an image is in a subset, else 0: float64 [subsets, count]."""
    members = torch.zeros(len(draws), count, dtype=torch.float64)
    for row, draw in zip(members, draws, strict=True):
        row[torch.from_numpy(draw[side])] = 1
    return members


def _mmds(x: Tensor, y: Tensor, in_x: Tensor, in_y: Tensor) -> tuple[Tensor, float]:
    """The unbiased estimate (Gretton et al. 2012, "A Kernel Two-Sample Test", eq. 3) of subsets.

    Args:
        x: Features, float64 [N, d].
        y: Features, float64 [M, d].
        in_x: 1 for the members of each subset of x, else 0: float64 [S, N].
        in_y: The same of y, float64 [S, M].

    Returns:
        The estimates, [S], and the variance of the influence that an image of x has on that of all.
    """
    xx, each_xx = _kernel_sums(x, x, in_x, in_x)
    yy, _ = _kernel_sums(y, y, in_y, in_y)
    xy, each_xy = _kernel_sums(x, y, in_x, in_y)
    own_x, own_y = ((a.square().sum(1) / a.shape[1] + 1) ** 3 for a in (x, y))  # k(x, x): [N], [M]
    n, m = in_x.sum(1), in_y.sum(1)  # [S]
    values = (
        (xx - in_x @ own_x) / (n * (n - 1)) + (yy - in_y @ own_y) / (m * (m - 1)) - 2 * xy / (n * m)
    )
    influence = 2 * ((each_xx - own_x) / (len(x) - 1) - each_xy / len(y))  # [N]
    return values, float(influence.var())


def _kernel_sums(a: Tensor, b: Tensor, in_a: Tensor, in_b: Tensor) -> tuple[Tensor, Tensor]:
    """Sums of k(a_i, b_j) over the members of each subset, [S], and over all j, [N]."""
    total = torch.zeros(len(in_a), dtype=torch.float64)
    each = []
    rows = max(1, _BLOCK // len(b))
    for start in range(0, len(a), rows):
        values = ((a[start : start + rows] @ b.T) / a.shape[1] + 1) ** 3  # [n, M]
        total += ((in_a[:, start : start + rows] @ values) * in_b).sum(1)
        each.append(values.sum(1))
    return total, torch.cat(each)
