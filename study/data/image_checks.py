"""What is wrong with images that are not of the type that images are here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.data.levels import white_level
from study.spec.errors import UserError


def wrong_levels(
    where: str,
    dtype: np.dtype[Any],
    shape: Sequence[int],
    parts: Iterable[NDArray[Any]],
    *,
    scalable: bool = False,
) -> UserError:
    """The error for images that are not uint8: what they hold, and what to do about it.

    Args:
        where: Where they are, as `in FILE`.
        dtype: Of the images, not uint8.
        shape: Of all of them.
        parts: The images, some at a time.
        scalable: Whether `levels` may say what white is in images of 16 bits.
    """
    images = f"The images {where} are {dtype} {list(shape)}"
    rule = "but must be uint8 in 0..255"
    if dtype == np.bool_:
        return UserError(f"{images}, {rule}: multiply them by 255, as uint8")
    if dtype.kind not in "fiu":
        return UserError(f"{images}, {rule}")
    low, high = np.inf, -np.inf
    for part in parts:
        if not np.isfinite(part).all():
            return UserError(f"{images} with NaN or infinity among them, {rule}")
        low, high = min(low, float(part.min())), max(high, float(part.max()))
    images = f"{images} from {low:g} to {high:g}, {rule}"
    if dtype.kind in "iu" and low >= 0 and high <= 255:
        return UserError(f"{images}: save them as images.astype('uint8')")
    if scalable and dtype == np.uint16:
        white = white_level(int(high))
        return UserError(
            f"{images}: `levels` (--levels) says which level is white, {white} perhaps"
        )
    if low >= 0 and high <= 1:
        return UserError(f"{images}: save them as (255 * images).round().astype('uint8')")
    if low >= -1 and high <= 1:
        return UserError(f"{images}: save them as (127.5 * images + 127.5).round().astype('uint8')")
    return UserError(f"{images}: bring them to that range, and round")
