"""Arrays of images in NumPy's files, as their headers say: which are images, and of what shape."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

SHAPES = "[N, H, W], [N, C, H, W], [N, H, W, C], [N, H*H] or [N, C, H*H], C being 1 or 3"
"""The shapes that images may have."""

MOMENTS = ("mu", "sigma")
"""Mean and covariance of features, which pytorch-fid and guided-diffusion keep in a `.npz`."""

_BESIDE = ("labels", *MOMENTS, "mu_s", "sigma_s", "embedder", "count")
"""What may lie beside images; guided-diffusion adds moments of spatial features."""

_POSITIONAL = ("arr_0", "arr_1")  # names of numpy.savez(file, images, labels)


class ArrayRule(ValueError):
    """What arrays must be and are not, to be said right after what they are."""


@dataclass(frozen=True)
class Header:
    """What precedes the numbers of an array in a file.

    Attributes:
        shape: Its shape.
        fortran: Whether the first index runs fastest, not the last.
        dtype: The type of its numbers.
    """

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]


def read_header(file: IO[bytes]) -> Header:
    """The header of an array; leaves the file where the numbers begin.

    Raises:
        ValueError: If there is none.
    """
    from numpy.lib import format as npy  # late: most studies name their data set

    version = npy.read_magic(file)
    header: Any = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    return Header(*header(file))


def read_headers(path: Path) -> dict[str, Header]:
    """The headers of all arrays in a `.npz`, by name; of a `.npy` that of its one, named ''.

    Raises:
        OSError: If the file can not be read.
        ValueError: If there is no header where one should be; broken archives make `zipfile` and
            its decompressors raise other errors too.
    """
    if path.suffix == ".npy":
        with path.open("rb") as file:
            return {"": read_header(file)}
    headers = {}
    with zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            if member.endswith(".npy"):
                with archive.open(member) as file:
                    headers[member.removesuffix(".npy")] = read_header(file)
    return headers


@dataclass(frozen=True)
class ImageArrays:
    """Which arrays of a file are to be read.

    Attributes:
        images: The name of the images.
        labels: That of their labels, None if there are none.
    """

    images: str
    labels: str | None


def image_arrays(arrays: Mapping[str, Header | np.ndarray[Any, Any]]) -> ImageArrays:
    """Which arrays of a file are the images, and which their labels.

    Images are called `images` and labels `labels`. Without such names they are the first and the
    second array of numpy.savez(file, images, labels), `arr_0` and `arr_1`, as guided-diffusion and
    improved-diffusion write them, if the second is of integers [N]; else images are the one array
    that there is. Moments beside them are not looked at.

    Args:
        arrays: All arrays of the file, or their headers.

    Raises:
        ArrayRule: If it can not be said which are the images.
    """
    candidates = [name for name in arrays if name not in _BESIDE]
    labels = "labels" if "labels" in arrays else None
    if "images" in arrays:
        return ImageArrays("images", labels)
    if labels is None and set(candidates) == set(_POSITIONAL):
        first, second = (arrays[name] for name in _POSITIONAL)
        if second.dtype.kind in "iu" and second.shape == first.shape[:1]:
            return ImageArrays(*_POSITIONAL)
    if len(candidates) == 1:
        return ImageArrays(candidates[0], labels)
    if holds_moments(arrays):
        raise ArrayRule(
            "holds `mu` and `sigma`, statistics for `study score --against` alone, "
            "but must hold images"
        )
    raise ArrayRule(
        f"holds {', '.join(arrays) or 'no array'}, but must hold `images`, or one array alone, or "
        "`arr_0` with integer labels [N] in `arr_1`"
    )


def holds_moments(arrays: Iterable[str]) -> bool:
    """Whether a file of these arrays holds mean and covariance of features, and no images."""
    names = set(arrays)
    return names.issuperset(MOMENTS) and names.issubset(_BESIDE)


def nchw_shape(shape: Sequence[int]) -> tuple[int, int, int, int]:
    """(N, C, H, W) of images that are stored in one of `SHAPES`.

    Args:
        shape: Of all images; that of some of them may look like that of a single one.

    Raises:
        ArrayRule: If they are not; in particular if it is the shape of one image.
    """
    match tuple(shape):
        case (count, (1 | 3) as channels, height, width):
            return count, channels, height, width
        case (count, height, width, (1 | 3) as channels):
            return count, channels, height, width
        case (count, (1 | 3) as channels, pixels) if _is_square(pixels):
            side = math.isqrt(pixels)
            return count, channels, side, side
        case (3, _, _):
            raise ArrayRule(
                ": one image of 3 channels, and no set: save several as [N, 3, H, W], "
                "and three grey ones as [3, 1, H, W]"
            )
        case (_, _, (1 | 3 | 4) as channels):
            raise ArrayRule(
                f": one image of {channels} channel{'s' * (channels > 1)}, and no set: "
                "save several as [N, H, W, C], C being 1 or 3"
            )
        case (count, height, width):
            return count, 1, height, width
        case (count, pixels) if count == pixels and count > 1:
            raise ArrayRule(
                ": one grey image, and no set: save several as [N, H, W], "
                "also where each row is one"
            )
        case (count, pixels) if _is_square(pixels):
            side = math.isqrt(pixels)
            return count, 1, side, side
    raise ArrayRule(f", but must be uint8 {SHAPES}")


def _is_square(pixels: int) -> bool:
    return math.isqrt(pixels) ** 2 == pixels
