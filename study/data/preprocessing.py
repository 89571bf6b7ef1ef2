"""What is done to images between reading them and learning from them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from study.data.image_set import ImageSet
from study.spec.errors import UserError

# Bounds the memory that resizing takes to some hundred MB for images of 256 x 256.
_IMAGES_AT_ONCE = 256


def resize(image_set: ImageSet, size: int) -> ImageSet:
    """Resize every image to `size` x `size` pixels: bilinear, with antialiasing.

    Images that have that size already are returned as they are.

    Args:
        image_set: Images of any height and width.
        size: The new height and width in pixels, at least 1.

    Raises:
        UserError: If `size` is less than 1.
    """
    if size < 1:
        raise UserError(f"The value of `size` is {size}, but must be >= 1")
    if image_set.images.shape[2:] == (size, size):
        return image_set
    batches = np.array_split(image_set.images, -(-len(image_set) // _IMAGES_AT_ONCE))
    return replace(
        image_set,
        images=np.concatenate([_resize_batch(batch, size) for batch in batches]),
        preprocessing=f"resize {size}x{size}, bilinear, antialias, rounded",
    )


def _resize_batch(images: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    # In double precision no level depends on how a processor orders its additions, so that the
    # digest of the resized images is the same everywhere.
    resized = functional.interpolate(
        torch.tensor(images, dtype=torch.float64),  # [n, C, H, W]
        size=(size, size),
        mode="bilinear",
        antialias=True,
        align_corners=False,
    )
    # Averages of levels stay within 0..255, so that rounding is all that is left to do.
    levels: NDArray[np.uint8] = resized.round().to(torch.uint8).numpy()  # [n, C, size, size]
    return levels
