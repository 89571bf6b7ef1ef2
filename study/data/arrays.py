"""Image sets in NumPy's own files."""

from __future__ import annotations

import math
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.data.image_checks import wrong_levels
from study.data.image_set import ImageSet
from study.spec.errors import UserError

_SHAPES = "[N, H, W], [N, C, H, W], [N, H, W, C], [N, H*H] or [N, C, H*H], C being 1 or 3"


def read_arrays(path: Path) -> ImageSet:
    """Read images from a `.npy`, or images and labels from a `.npz`.

    A `.npz` has its images under `images` and, if any, integer labels under `labels`; if it holds
    one array alone, those are the images. Nothing is unpickled.

    Args:
        path: uint8 images in 0..255, in one of the shapes [N, H, W], [N, C, H, W], [N, H, W, C],
            [N, H*H] or [N, C, H*H], C being 1 or 3.

    Raises:
        UserError: If the file is missing or broken, or holds other arrays than these.
    """
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            arrays = {"images": loaded}
        else:
            with loaded:
                members = {name: loaded[name] for name in loaded.files}
            # A member that is no array comes as bytes.
            arrays = {
                name: array for name, array in members.items() if isinstance(array, np.ndarray)
            }
    except FileNotFoundError:
        raise UserError(f"The file {path} does not exist, but must, to read images") from None
    # NumPy lets what zipfile, zlib and its own parsers raise of a broken file pass through.
    except Exception as error:
        raise unreadable_file(path, error) from error
    return ImageSet(
        name=path.stem,
        images=to_nchw(path, arrays[images_key(path, arrays)]),
        labels=integer_labels(path, arrays["labels"]) if "labels" in arrays else None,
    )


def unreadable_file(path: Path, error: Exception) -> UserError:
    """That a file is none of NumPy's, in one line."""
    # A tokenizer's error is a tuple of words and place.
    words = error.args[0] if error.args and isinstance(error.args[0], str) else str(error)
    reason = words.partition("\n")[0] or type(error).__name__
    return UserError(
        f"The file {path} can not be read ({reason}), "
        "but must hold arrays of numbers as numpy.save and numpy.savez write them"
    )


def images_key(path: Path, arrays: Collection[str]) -> str:
    """Which of the arrays in a file are the images.

    Raises:
        UserError: If none is.
    """
    if "images" in arrays:
        return "images"
    if len(arrays) == 1:
        return next(iter(arrays))
    raise UserError(
        f"The file {path} holds {', '.join(arrays) or 'no array'}, "
        "but must hold `images`, or one array alone"
    )


def to_nchw(
    path: Path, images: NDArray[Any], whole: tuple[int, ...] | None = None
) -> NDArray[np.uint8]:
    """The images as [N, C, H, W], a view where that can be.

    Args:
        path: Where they are, for errors.
        images: All of them, or some.
        whole: The shape of all, for errors; by default that of `images`.

    Raises:
        UserError: If they are not of one of the types and shapes that `read_arrays` takes.
    """
    if images.dtype != np.uint8 and images.size:
        raise wrong_levels(f"in {path}", images.dtype, images.shape, [images])
    if images.size:
        match images.shape:
            case (_, 1 | 3, _, _):
                return images
            case (_, _, _, 1 | 3):
                return images.transpose(0, 3, 1, 2)
            case (count, (1 | 3) as channels, pixels) if _is_square(pixels):
                side = math.isqrt(pixels)
                return images.reshape(count, channels, side, side)
            case (count, height, width):
                return images.reshape(count, 1, height, width)
            case (count, pixels) if _is_square(pixels):
                side = math.isqrt(pixels)
                return images.reshape(count, 1, side, side)
    raise UserError(
        f"The images in {path} are {images.dtype} {list(whole or images.shape)}, "
        f"but must be uint8 {_SHAPES}"
    )


def _is_square(pixels: int) -> bool:
    return math.isqrt(pixels) ** 2 == pixels


def integer_labels(path: Path, labels: NDArray[Any]) -> NDArray[np.int64]:
    """The labels as int64, >= 0.

    Raises:
        UserError: If they are no integers, or beyond that range.
    """
    if not np.issubdtype(labels.dtype, np.integer):
        raise UserError(f"The labels in {path} are {labels.dtype}, but must be integers")
    if labels.size and not 0 <= int(labels.min()) <= int(labels.max()) < 2**63:
        raise UserError(
            f"The labels in {path} are from {labels.min()} to {labels.max()}, "
            "but must be in 0..2**63-1"
        )
    return labels.astype(np.int64)
