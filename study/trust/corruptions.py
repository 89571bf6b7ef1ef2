"""Three kinds of corruption of real images, each at rising levels.

One seed corrupts the same images in the same places at every level: what is dead, replaced or noisy
at a low level is so at a higher one. A level of 0 changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from study.spec.errors import UserError

Images = NDArray[np.uint8]

LEVELS = {
    "dead_pixels": (0.0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4),
    "noise": (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0),
    "invasion": (0.0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4),
}
"""The kinds of corruption, and the default levels of each."""

# Bounds the random numbers held at once to some hundred MB for pictures of 256 x 256.
_IMAGES_AT_ONCE = 256


@dataclass(frozen=True)
class Corruption:
    """One kind of corruption of a set of images.

    Attributes:
        name: Its key in `LEVELS`.
        title: Its name for people.
        unit: What a level counts.
        levels: Rising, the first one 0, no two the same corruption of these images.
        apply: (images uint8 [N, C, H, W], level, seed) to corrupted images of that shape.
        share_of: How many pixels or images a level is a share of, in 0..1; None if it is no share.
        replaces_images: Whether it replaces whole images, so that no single one shows it.
    """

    name: str
    title: str
    unit: str
    levels: tuple[float, ...]
    apply: Callable[[Images, float, int], Images]
    share_of: int | None = None
    replaces_images: bool = False

    def level_text(self, level: float) -> str:
        """A level for people, two digits of it: `2%` of a share, `16` of a deviation."""
        number, unit = (level, "") if self.share_of is None else (100 * level, "%")
        return (f"{number:.0f}" if number >= 10 else f"{number:.2g}") + unit


def corruptions(
    pixels: int,
    count: int,
    foreign: Images,
    levels: dict[str, tuple[float, ...]] | None = None,
) -> tuple[Corruption, ...]:
    """The three kinds, with levels that sets of `count` images of so many pixels can have.

    A share is rounded to whole pixels or images, and of levels that come to the same number the
    first one is kept, so that each level is exactly what it says.

    Args:
        pixels: H * W.
        count: N, the images in a set.
        foreign: Images of the other set, uint8 [M, C, H, W], of the same shape.
        levels: By the keys of `LEVELS`; a kind that is left out has its default levels.

    Raises:
        UserError: If there is no such kind, or its levels are out of range or do not rise.
    """
    wanted = LEVELS | (levels or {})
    for name in wanted:
        if name not in LEVELS:
            raise UserError(
                f"The value of `levels` names {name!r}, but its keys must be of {', '.join(LEVELS)}"
            )
    kinds = (
        Corruption(
            "dead_pixels",
            "dead pixels",
            "share of an image's pixels",
            wanted["dead_pixels"],
            dead_pixels,
            share_of=pixels,
        ),
        Corruption(
            "noise",
            "Gaussian noise",
            "standard deviation, in levels of 0..255",
            wanted["noise"],
            gaussian_noise,
        ),
        Corruption(
            "invasion",
            "invasion by another set",
            "share of the images",
            wanted["invasion"],
            lambda images, level, seed: invasion(images, foreign, level, seed),
            share_of=count,
            replaces_images=True,
        ),
    )
    for kind in kinds:
        _check(kind)
    return tuple(
        replace(kind, levels=_whole(kind.levels, kind.share_of)) if kind.share_of else kind
        for kind in kinds
    )


def dead_pixels(images: Images, share: float, seed: int) -> Images:
    """Images in which a share of the pixels is 0 in every channel, chosen anew for each image.

    A dead pixel is dark, whatever it should show: where an image is black already it changes
    nothing.

    Args:
        images: uint8 [N, C, H, W].
        share: In 0..1; of H * W pixels, round(share * H * W) are dead.
        seed: Chooses them.
    """
    count, _, height, width = images.shape
    dead = round(share * height * width)
    rng = np.random.default_rng(seed)
    corrupted = images.copy()
    for start in range(0, count, _IMAGES_AT_ONCE):
        block = corrupted[start : start + _IMAGES_AT_ONCE]
        order = rng.random((len(block), height * width)).argsort(axis=1)  # [n, H * W]
        mask = np.zeros(order.shape, dtype=np.bool_)
        np.put_along_axis(mask, order[:, :dead], True, axis=1)
        block[np.broadcast_to(mask.reshape(-1, 1, height, width), block.shape)] = 0
    return corrupted


def gaussian_noise(images: Images, deviation: float, seed: int) -> Images:
    """Images with Gaussian noise in every pixel and channel, rounded and clipped to 0..255.

    Args:
        images: uint8 [N, C, H, W].
        deviation: Standard deviation in levels, >= 0, before clipping.
        seed: Draws the noise.
    """
    rng = np.random.default_rng(seed)
    corrupted = images.copy()
    for start in range(0, len(images), _IMAGES_AT_ONCE):
        block = images[start : start + _IMAGES_AT_ONCE]
        noise = rng.standard_normal(block.shape, dtype=np.float32) * np.float32(deviation)
        corrupted[start : start + _IMAGES_AT_ONCE] = np.rint(block + noise).clip(0, 255)
    return corrupted


def invasion(images: Images, foreign: Images, share: float, seed: int) -> Images:
    """Images of which a share is replaced by images of another set.

    A foreign image comes twice only when all of them have come once.

    Args:
        images: uint8 [N, C, H, W].
        foreign: uint8 [M, C, H, W], M >= 1.
        share: In 0..1; round(share * N) are replaced.
        seed: Chooses which are replaced, and by which.
    """
    count = len(images)
    rng = np.random.default_rng(seed)
    leaving = rng.permutation(count)
    rounds = -(-count // len(foreign))
    coming = np.concatenate([rng.permutation(len(foreign)) for _ in range(rounds)])
    replaced = round(share * count)
    corrupted = images.copy()
    corrupted[leaving[:replaced]] = foreign[coming[:replaced]]
    return corrupted


def _whole(shares: Iterable[float], total: int) -> tuple[float, ...]:
    """Shares rounded to whole numbers of a total, each number once."""
    numbers = dict.fromkeys(round(share * total) for share in shares)
    return tuple(number / total for number in numbers)


def _check(kind: Corruption) -> None:
    levels = kind.levels
    rising = all(low < high for low, high in pairwise(levels))
    most = math.inf if kind.share_of is None else 1.0
    if len(levels) < 2 or levels[0] != 0 or not rising or not levels[-1] <= most:
        listed = ", ".join(f"{level:g}" for level in levels)
        raise UserError(
            f"The levels of {kind.name} are {listed or 'none'}, but must be 0 and one or more that "
            f"rise{'' if kind.share_of is None else ' to at most 1'}"
        )
