"""What is done to real images to see whether a metric notices: three kinds of harm, by degrees.

One seed harms the same images in the same places at every level, more or less: what is dead,
replaced or noisy at a low level is so at a higher one. A level of 0 changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from study.spec.errors import UserError

Levels = NDArray[np.uint8]

LEVELS = {
    "dead_pixels": (0.0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4),
    "noise": (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0),
    "invasion": (0.0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4),
}
"""The kinds of corruption, and the levels of each unless others are asked for."""

# Bounds the random numbers held at once to some hundred MB for pictures of 256 x 256.
_IMAGES_AT_ONCE = 256


@dataclass(frozen=True)
class Corruption:
    """One kind of harm to a set of images.

    Attributes:
        name: Its key in `LEVELS`.
        title: Its name for people.
        unit: What a level counts.
        levels: Rising, the first one 0, each of them something else to these images.
        apply: (images uint8 [N, C, H, W], level, seed) to the harmed images, same type and shape.
    """

    name: str
    title: str
    unit: str
    levels: tuple[float, ...]
    apply: Callable[[Levels, float, int], Levels]

    def told(self, level: float) -> str:
        """A level for people, two digits of it: `2%` of a share, `16` of a deviation."""
        share = self.name != "noise"
        number = 100 * level if share else level
        return (f"{number:.0f}" if number >= 10 else f"{number:.2g}") + ("%" if share else "")


def corruptions(
    pixels: int,
    count: int,
    invaders: Levels,
    levels: dict[str, tuple[float, ...]] | None = None,
) -> tuple[Corruption, ...]:
    """The three kinds, with levels that sets of `count` images of so many pixels can have.

    A share is rounded to whole pixels or images, and of levels that come to the same number the
    first one is kept, so that each level is exactly what it says.

    Args:
        pixels: H * W.
        count: N, the images in a set.
        invaders: Images of the other set, uint8 [M, C, H, W], in the shape of those invaded.
        levels: By the keys of `LEVELS`; a kind that is left out has its own there.

    Raises:
        UserError: If there is no such kind, or its levels are out of range or do not rise.
    """
    wanted = LEVELS | (levels or {})
    for name, each in wanted.items():
        _check(name, each)
    return (
        Corruption(
            "dead_pixels",
            "dead pixels",
            "share of an image's pixels",
            _whole(wanted["dead_pixels"], pixels),
            dead_pixels,
        ),
        Corruption(
            "noise",
            "Gaussian noise",
            "standard deviation, in levels of 0..255",
            tuple(wanted["noise"]),
            gaussian_noise,
        ),
        Corruption(
            "invasion",
            "invasion by another set",
            "share of the images",
            _whole(wanted["invasion"], count),
            lambda images, level, seed: invasion(images, invaders, level, seed),
        ),
    )


def dead_pixels(images: Levels, share: float, seed: int) -> Levels:
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
    harmed = images.copy()
    for start in range(0, count, _IMAGES_AT_ONCE):
        block = harmed[start : start + _IMAGES_AT_ONCE]
        order = rng.random((len(block), height * width)).argsort(axis=1)  # [n, H * W]
        mask = np.zeros(order.shape, dtype=np.bool_)
        np.put_along_axis(mask, order[:, :dead], True, axis=1)
        block[np.broadcast_to(mask.reshape(-1, 1, height, width), block.shape)] = 0
    return harmed


def gaussian_noise(images: Levels, deviation: float, seed: int) -> Levels:
    """Images with Gaussian noise in every pixel and channel, rounded and clipped to 0..255.

    Args:
        images: uint8 [N, C, H, W].
        deviation: Standard deviation in levels, >= 0, before clipping.
        seed: Draws the noise.
    """
    rng = np.random.default_rng(seed)
    harmed = images.copy()
    for start in range(0, len(images), _IMAGES_AT_ONCE):
        block = images[start : start + _IMAGES_AT_ONCE]
        noise = rng.standard_normal(block.shape, dtype=np.float32) * np.float32(deviation)
        harmed[start : start + _IMAGES_AT_ONCE] = np.rint(block + noise).clip(0, 255)
    return harmed


def invasion(images: Levels, invaders: Levels, share: float, seed: int) -> Levels:
    """Images of which a share is replaced by images of another set.

    An invader comes twice only when all of them have come once.

    Args:
        images: uint8 [N, C, H, W].
        invaders: uint8 [M, C, H, W], M >= 1.
        share: In 0..1; round(share * N) are replaced.
        seed: Chooses who goes and who comes.
    """
    count = len(images)
    rng = np.random.default_rng(seed)
    leaving = rng.permutation(count)
    rounds = -(-count // len(invaders))
    coming = np.concatenate([rng.permutation(len(invaders)) for _ in range(rounds)])
    replaced = round(share * count)
    harmed = images.copy()
    harmed[leaving[:replaced]] = invaders[coming[:replaced]]
    return harmed


def _whole(shares: Iterable[float], of: int) -> tuple[float, ...]:
    """Shares that are whole numbers of something, each number once, from 0 up."""
    return tuple(number / of for number in dict.fromkeys(round(share * of) for share in shares))


def _check(name: str, levels: tuple[float, ...]) -> None:
    if name not in LEVELS:
        raise UserError(
            f"The value of `levels` names {name!r}, but its keys must be of {', '.join(LEVELS)}"
        )
    rising = all(low < high for low, high in pairwise(levels))
    most = float("inf") if name == "noise" else 1.0
    if len(levels) < 2 or levels[0] != 0 or not rising or not levels[-1] <= most:
        told = ", ".join(f"{level:g}" for level in levels)
        raise UserError(
            f"The levels of {name} are {told or 'none'}, but must be 0 and one or more that rise"
            + ("" if name == "noise" else " to at most 1")
        )
