"""What is done to images between reading them and learning from them.

Every level comes from integers or double precision and is rounded once a step, so that no level
depends on how a processor orders its additions, and a digest of prepared images is the same
everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from study.data.image_set import ImageSet
from study.data.preparation import Edges, Fit, Preparation
from study.spec.errors import UserError

Levels = NDArray[np.uint8]

# Bounds the memory that a step takes to some hundred MB for images of 256 x 256.
_IMAGES_AT_ONCE = 256

_CHANNEL_NAMES = {1: "grey (luma of ITU-R BT.601)", 3: "RGB"}


@dataclass(frozen=True)
class Step:
    """One thing done to images.

    Attributes:
        text: What it does, in words: part of what a score says of itself.
        apply: From uint8 [n, C, H, W] to the same with another C, H or W, image by image.
    """

    text: str
    apply: Callable[[Levels], Levels]


def steps(preparation: Preparation, shape: tuple[int, int, int] | None = None) -> list[Step]:
    """What a preparation does to images: channels, then shape, then size, then edges.

    Args:
        preparation: The settings; a `size` or `channels` of None asks for no such step.
        shape: (C, H, W) that all images have, to leave out the steps that change nothing; None if
            their shapes may differ.
    """
    channels, size, fit = preparation.channels, preparation.size, preparation.fit
    background, edges = preparation.background, preparation.edges
    wanted: list[Step] = []
    if channels is not None and (shape is None or shape[0] != channels):
        wanted.append(
            Step(_CHANNEL_NAMES[channels], lambda images: with_channels(images, channels))
        )
    if size is not None and (shape is None or shape[1] != shape[2]):
        text = "centre crop to a square" if fit == "crop" else f"padding to a square ({background})"
        wanted.append(Step(text, lambda images: squared(images, fit, background)))
    if size is not None and (shape is None or shape[1:] != (size, size)):
        wanted.append(_resizing(size))
    if edges != "none":
        wanted.append(Step(_EDGE_TEXTS[edges], lambda images: edge_magnitude(images, edges)))
    return wanted


def prepare(image_set: ImageSet, preparation: Preparation) -> ImageSet:
    """Do to every image what the preparation says; `preprocessing` tells it.

    Nothing is chosen here: `fraction` and `count` are not looked at.
    """
    _, channels, height, width = image_set.images.shape
    return _done(image_set, steps(preparation, (channels, height, width)))


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
    return _done(image_set, [_resizing(size)])


def with_channels(images: Levels, channels: int) -> Levels:
    """Images [n, 1 or 3, H, W] with 1 or 3 channels.

    RGB becomes grey by the luma of ITU-R BT.601, 0.299 R + 0.587 G + 0.114 B, in the fixed-point
    arithmetic that Pillow uses; grey becomes RGB by repetition.
    """
    if images.shape[1] == channels:
        return images
    if channels == 3:
        return images.repeat(3, axis=1)
    weights = np.array([19595, 38470, 7471], dtype=np.uint32)  # of 2^16, and 2^16 in all
    luma = (images * weights[:, None, None]).sum(axis=1, keepdims=True, dtype=np.uint32)
    grey: Levels = ((luma + 0x8000) >> 16).astype(np.uint8)  # [n, 1, H, W]
    return grey


def squared(images: Levels, fit: Fit, background: int) -> Levels:
    """Square images: the middle of the longer side, or a shorter side padded evenly.

    Where the sides differ by an odd number, the odd row or column is on the lower or right side.

    Args:
        images: [n, C, H, W].
        fit: `crop` or `pad`.
        background: Level of padding, 0..255.
    """
    height, width = images.shape[2:]
    if fit == "crop":
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        return images[:, :, top : top + side, left : left + side]
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    margins = ((0, 0), (0, 0), (top, side - height - top), (left, side - width - left))
    return np.pad(images, margins, constant_values=background)


def edge_magnitude(images: Levels, edges: Edges) -> Levels:
    """How strongly the levels change at each pixel, in each channel by itself.

    `sobel` is the length of the gradient by Sobel's two 3x3 kernels, `laplacian` the absolute value
    of the Laplacian by the kernel of four neighbours. Sobel's is divided by 4, so that with either
    a straight upright border between black and white becomes 255, and half of that contrast half of
    that in every image; what is stronger still (corners, thin lines) is clipped to 255. Beyond its
    border an image goes on as its border pixels.

    Args:
        images: [n, C, H, W].
        edges: `sobel` or `laplacian`; `none` returns the images.
    """
    if edges == "none":
        return images
    height, width = images.shape[2:]
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge").astype(np.int32)

    def at(row: int, column: int) -> NDArray[np.int32]:
        """The neighbour of each pixel that many rows below and columns to the right."""
        return padded[:, :, row + 1 : row + 1 + height, column + 1 : column + 1 + width]

    if edges == "laplacian":
        change = np.abs(at(-1, 0) + at(1, 0) + at(0, -1) + at(0, 1) - 4 * at(0, 0))
        return _clipped(change)
    across = sum(weight * (at(row, 1) - at(row, -1)) for row, weight in _SOBEL)
    down = sum(weight * (at(1, column) - at(-1, column)) for column, weight in _SOBEL)
    length = np.sqrt(np.square(across) + np.square(down), dtype=np.float64)
    return _clipped(np.rint(length / 4))


_SOBEL = ((-1, 1), (0, 2), (1, 1))  # place across the derivative, and its weight
_EDGE_TEXTS = {
    "sobel": "length of the Sobel gradient / 4, clipped, borders repeated",
    "laplacian": "absolute Laplacian of 4 neighbours, clipped, borders repeated",
}


def _clipped(strengths: NDArray[Any]) -> Levels:
    levels: Levels = np.minimum(strengths, 255).astype(np.uint8)
    return levels


def _resizing(size: int) -> Step:
    return Step(
        f"resize {size}x{size}, bilinear, antialias, rounded",
        lambda images: _resized(images, size),
    )


def _resized(images: Levels, size: int) -> Levels:
    if images.shape[2:] == (size, size):
        return images
    resized = functional.interpolate(
        torch.tensor(images, dtype=torch.float64),  # [n, C, H, W]
        size=(size, size),
        mode="bilinear",
        antialias=True,
        align_corners=False,
    )
    # Averages of levels stay within 0..255, so that rounding is all that is left to do.
    levels: Levels = resized.round().to(torch.uint8).numpy()  # [n, C, size, size]
    return levels


def _done(image_set: ImageSet, wanted: Sequence[Step]) -> ImageSet:
    if not wanted:
        return image_set
    batches = np.array_split(image_set.images, -(-len(image_set) // _IMAGES_AT_ONCE))
    texts = [] if image_set.preprocessing == "none" else [image_set.preprocessing]
    return replace(
        image_set,
        images=np.concatenate([apply_steps(batch, wanted) for batch in batches]),
        preprocessing="; ".join(texts + [step.text for step in wanted]),
    )


def apply_steps(images: Levels, wanted: Sequence[Step]) -> Levels:
    """Do one step after the other to images [n, C, H, W]."""
    for step in wanted:
        images = step.apply(images)
    return images
