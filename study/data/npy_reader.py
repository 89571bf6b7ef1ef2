"""Arrays in NumPy's own files, a few rows at a time: the whole of one is never in memory.

The files are read, not mapped: pages of a mapped file stay in memory as long as the mapping, and a
compressed member of a `.npz` can not be mapped at all.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from study.data.arrays import integer_labels, unreadable_file
from study.spec.array_file import (
    ArrayRule,
    Header,
    image_arrays,
    read_header,
    read_headers,
)
from study.spec.errors import UserError

_BYTES_AT_ONCE = 2**23


@dataclass(frozen=True)
class StoredArray:
    """An array of images in a file, of which only the header has been read.

    Attributes:
        path: A `.npy` or `.npz`.
        member: The file's name in a `.npz`; none for a `.npy`.
        shape: (N, ...), N >= 1.
        dtype: Of its numbers; never of Python objects.
        fortran: Whether the rows are not one after the other.
    """

    path: Path
    member: str | None
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool

    def rows(self, wanted: NDArray[np.int64] | None = None) -> Iterator[NDArray[Any]]:
        """Some rows at a time, [n, ...], in order.

        Args:
            wanted: Which rows, rising; all by default.

        Raises:
            UserError: If the file is damaged.
        """
        size = self.dtype.itemsize * math.prod(self.shape[1:])  # bytes a row
        most = max(1, _BYTES_AT_ONCE // max(1, size))
        at = 0
        try:
            with _opened(self.path, self.member) as (file, _):
                read_header(file)
                for start in range(0, self.shape[0], most):
                    stop = min(start + most, self.shape[0])
                    chosen = _between(wanted, start, stop)
                    if chosen is not None and not len(chosen):
                        continue
                    if start > at:
                        file.seek((start - at) * size, 1)
                    at = stop
                    # A file of fewer bytes than its header says makes frombuffer or reshape raise.
                    rows = np.frombuffer(file.read((stop - start) * size), self.dtype)
                    rows = rows.reshape(stop - start, *self.shape[1:])
                    yield rows if chosen is None else rows[chosen - start]
        # Of a broken file zipfile, its decompressors and NumPy's parser raise nearly anything.
        except Exception as error:
            raise unreadable_file(self.path, error) from error


def stored_images(path: Path) -> tuple[StoredArray, NDArray[np.int64] | None]:
    """The images of a `.npy` or `.npz`, unread, and the labels that lie beside them, if any.

    Raises:
        UserError: If the file is missing or broken, or holds no images.
    """
    try:
        if path.suffix == ".npy":
            return _stored(path, None), None
        names = image_arrays(read_headers(path))
        stored = _stored(path, f"{names.images}.npy")
        if names.labels is None:
            return stored, None
        with _opened(path, f"{names.labels}.npy") as (file, size):
            _checked_header(file, size)
        with np.load(path, allow_pickle=False) as arrays:
            labels = integer_labels(path, arrays[names.labels])
    except ArrayRule as rule:
        raise UserError(f"The file {path} {rule}") from None
    except FileNotFoundError:
        raise UserError(f"The file {path} does not exist, but must, to read images") from None
    except UserError:
        raise
    except Exception as error:
        raise unreadable_file(path, error) from error
    if labels.shape != stored.shape[:1]:
        raise UserError(
            f"The labels in {path} are {list(labels.shape)}, but must be "
            f"[{stored.shape[0]}], one for each image"
        )
    return stored, labels


def _stored(path: Path, member: str | None) -> StoredArray:
    with _opened(path, member) as (file, size):
        header = _checked_header(file, size)
    shape, dtype = header.shape, header.dtype
    if dtype.hasobject:
        raise UserError(
            f"The images in {path} are an array of Python objects, as NumPy makes of images of "
            "different sizes, but must be of one size; save those as pictures in a folder"
        )
    if not shape or not math.prod(shape):
        raise UserError(f"The images in {path} are {dtype} {list(shape)}: there are none")
    return StoredArray(path, member, shape, dtype, header.fortran and len(shape) > 1)


@contextmanager
def _opened(path: Path, member: str | None) -> Iterator[tuple[IO[bytes], int]]:
    """The file or a member of it, and its length in bytes."""
    if member is None:
        with path.open("rb") as file:
            yield file, path.stat().st_size
    else:
        with zipfile.ZipFile(path) as archive, archive.open(member) as unpacked:
            yield unpacked, archive.getinfo(member).file_size


def _checked_header(file: IO[bytes], size: int) -> Header:
    """As `read_header`, and that the numbers can be there: nothing is to be allocated for a lie.

    Args:
        file: At its beginning.
        size: Its length in bytes.

    Raises:
        ValueError: If they can not.
    """
    header = read_header(file)
    shape, dtype = header.shape, header.dtype
    if any(length < 0 for length in shape):
        raise ValueError(f"its header says that the shape is {list(shape)}")
    needed = file.tell() + math.prod(shape) * dtype.itemsize
    if needed > size and not dtype.hasobject:
        raise ValueError(
            f"its header says {dtype} {list(shape)}, of {needed} bytes, but there are {size}"
        )
    return header


def _between(wanted: NDArray[np.int64] | None, start: int, stop: int) -> NDArray[np.int64] | None:
    if wanted is None:
        return None
    low, high = np.searchsorted(wanted, [start, stop])
    return wanted[low:high]
