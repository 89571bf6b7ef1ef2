"""Levels of 16 bits: brought to 8, and what is to be said of images that come out dark."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

WHITE = 0xFFFF
"""The level of white in images of 16 bits that say nothing else."""

_DEPTHS = (1, 8, 10, 12, 14)  # bits of masks, scanners, microscopes and cameras in files of 16 bits
_DARK = 32  # of 256: images with no brighter level show next to nothing


def to_8_bits(wide: NDArray[Any], levels: int | None) -> NDArray[np.uint8]:
    """The nearest of 256 levels to each.

    Args:
        wide: Integers in 0..levels.
        levels: The level of white; 65535 if none.
    """
    white = WHITE if levels is None else levels
    return ((wide.astype(np.int64) * 255 + white // 2) // white).astype(np.uint8)


def white_level(brightest: int) -> int:
    """What white may be in images whose brightest level is this one: 1, 255, 1023, ... 65535."""
    return next((2**bits - 1 for bits in _DEPTHS if brightest < 2**bits), WHITE)


def level_note(brightest: Mapping[int, int], levels: int | None) -> str | None:
    """A sentence on images that are nearly black, or to which `levels` does nothing.

    Args:
        brightest: By bits of a level, 8 or 16, the brightest level of all such images.
        levels: The level of white in those of 16 bits, if it is given.
    """
    if levels is not None:
        return None if 16 in brightest else f"levels {levels} does nothing: no image has 16 bits"
    if 16 in brightest:
        most, white = brightest[16], white_level(brightest[16])
        if white == WHITE or most == 0:
            return None
        return (
            f"the brightest level of the 16-bit images is {most} of {WHITE}, which leaves them "
            f"dark: `levels: {white}` (--levels {white}) makes {white} white"
        )
    if 8 in brightest and brightest[8] < _DARK:
        return f"the brightest level of all images is {brightest[8]} of 255: they are nearly black"
    return None
