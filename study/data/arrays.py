"""Image sets in NumPy's own files."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.data.image_checks import wrong_levels
from study.data.image_set import ImageSet
from study.data.levels import level_note, to_8_bits
from study.spec.array_file import ArrayRule, image_arrays, nchw_shape
from study.spec.errors import UserError


def read_arrays(path: Path, levels: int | None = None) -> ImageSet:
    """Read images from a `.npy`, or images and labels from a `.npz`.

    Which arrays of a `.npz` those are says `study.spec.array_file.image_arrays`. Nothing is
    unpickled.

    Args:
        path: uint8 images in 0..255, in one of the shapes [N, H, W], [N, C, H, W], [N, H, W, C],
            [N, H*H] or [N, C, H*H], C being 1 or 3; or uint16 images in 0..levels.
        levels: The level of white in uint16 images, without which they are refused.

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
    try:
        names = image_arrays(arrays)
    except ArrayRule as rule:
        raise UserError(f"The file {path} {rule}") from None
    images = arrays[names.images]
    levels_8_bit = to_nchw(path, images, levels)
    note = level_note({8 * images.dtype.itemsize: int(images.max())}, levels)
    return ImageSet(
        name=path.stem,
        images=levels_8_bit,
        labels=None if names.labels is None else integer_labels(path, arrays[names.labels]),
        preprocessing=scaling_in_words(images.dtype, levels) or "none",
        notes=() if note is None else (note,),
    )


def scaling_in_words(dtype: np.dtype[Any], levels: int | None) -> str | None:
    """What `to_nchw` does to the levels of an array, None if nothing."""
    return f"16-bit levels of 0..{levels}" if dtype == np.uint16 else None


def unreadable_file(path: Path, error: Exception) -> UserError:
    """That a file is none of NumPy's, in one line."""
    # A tokenizer's error is a tuple of words and place.
    words = error.args[0] if error.args and isinstance(error.args[0], str) else str(error)
    reason = words.partition("\n")[0] or type(error).__name__
    return UserError(
        f"The file {path} can not be read ({reason}), "
        "but must hold arrays of numbers as numpy.save and numpy.savez write them"
    )


def to_nchw(
    path: Path,
    images: NDArray[Any],
    levels: int | None = None,
    whole: tuple[int, ...] | None = None,
) -> NDArray[np.uint8]:
    """The images as uint8 [N, C, H, W], a view where that can be.

    Args:
        path: Where they are, for errors.
        images: All of them, or some.
        levels: The level of white, if they are uint16.
        whole: The shape of all; by default that of `images`.

    Raises:
        UserError: If they are not of one of the types and shapes that `read_arrays` takes.
    """
    shape = whole or images.shape
    check_type(path, images.dtype, shape, [images], levels)
    try:
        channels, height, width = nchw_shape(shape)[1:]
    except ArrayRule as rule:
        raise UserError(f"The images in {path} are {images.dtype} {list(shape)}{rule}") from None
    if images.dtype == np.uint16:
        assert levels is not None
        if images.max(initial=0) > levels:
            raise UserError(
                f"The images in {path} have the level {images.max()}, but it must be <= {levels}, "
                "the value of `levels`"
            )
        images = to_8_bits(images, levels)
    if len(shape) == 4 and shape[1:] != (channels, height, width):
        return images.transpose(0, 3, 1, 2)
    return images.reshape(len(images), channels, height, width)


def check_type(
    path: Path,
    dtype: np.dtype[Any],
    shape: tuple[int, ...],
    parts: Iterable[NDArray[Any]],
    levels: int | None,
) -> None:
    """Check that images are uint8, or uint16 with a level of white.

    Raises:
        UserError: If they are not, or there are none.
    """
    if not math.prod(shape):
        raise UserError(f"The images in {path} are {dtype} {list(shape)}: there are none")
    if dtype != np.uint8 and not (dtype == np.uint16 and levels is not None):
        raise wrong_levels(f"in {path}", dtype, shape, parts, scalable=True)


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
