"""The repeated sets of real images that a metric is assessed on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from study.data import ImageSet
from study.spec.errors import UserError

MOST_SAMPLES = 1000
"""The largest default size of a set."""


def sample_size(images: ImageSet, available: int, samples: int | None, repeats: int) -> int:
    """N, the images in a set: as requested, or as many as disjoint sets can have.

    Args:
        images: All images, half of which are the reference.
        available: How many are left to draw from.
        samples: The requested N; None for up to `MOST_SAMPLES`.
        repeats: The number of sets.

    Raises:
        UserError: If there are too few images, or N is out of range.
    """
    if repeats < 2:
        raise UserError(f"The value of `repeats` is {repeats}, but must be >= 2 to show a spread")
    most = available // 2  # so that overlapping sets differ in half their images
    if most < 2:
        raise UserError(
            f"`{images.name}` has {len(images)} images, but it takes 7 or more: half are the "
            "reference, and sets of 2 or more are drawn from the rest"
        )
    if samples is None:
        return min(max(available // repeats, 2), MOST_SAMPLES, most)
    if not 2 <= samples <= most:
        raise UserError(
            f"The value of `samples` is {samples}, but must be in 2..{most}: of the {len(images)} "
            f"images of `{images.name}` half are the reference, and a set is half the rest at most"
        )
    return samples


def draw_sets(
    pool: NDArray[np.uint8], count: int, repeats: int, seed: int
) -> tuple[list[NDArray[np.uint8]], bool]:
    """Sets of N images: disjoint if there are enough, else each drawn independently.

    Args:
        pool: The images to draw from, uint8 [M, C, H, W].
        count: N, at most M.
        repeats: The number of sets.
        seed: Decides which images each has.

    Returns:
        The sets, uint8 [N, C, H, W] each, and whether they share images.
    """
    rng = np.random.default_rng([seed, 1])
    if count * repeats <= len(pool):
        order = rng.permutation(len(pool))
        return [pool[order[i * count : (i + 1) * count]] for i in range(repeats)], False
    return [pool[rng.permutation(len(pool))[:count]] for _ in range(repeats)], True
