"""What can be known of a data set before it is loaded: whether it is there, and how many images.

A data set is named, or given by the path of a folder of pictures, an .npy or an .npz file.
"""

from __future__ import annotations

import os
import zipfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from study.spec.array_file import ArrayRule, Header, image_arrays, nchw_shape, read_headers
from study.spec.left_out import describe_left_out
from study.spec.names import DATASETS, nearest
from study.spec.picture_folder import list_pictures
from study.spec.picture_header import read_picture_header


@dataclass(frozen=True)
class _Stored:
    """What headers and names say of the images at a path.

    Attributes:
        images: How many.
        labels: Whether they have labels.
        bits: Of a level, 8 or 16; of pictures each says for itself, and this is 8.
        channels: 1 or 3; None for pictures, whose headers are read only if they must be.
    """

    images: int
    labels: bool = False
    bits: int = 8
    channels: int | None = None


PATH_PATTERN = r"/|^[~.]|\.(npy|npz)$"
"""What `is_path` looks for, as a regular expression that editors understand."""


def is_path(dataset: str) -> bool:
    """Whether a data set is given by a path: `./cats`, `~/cats`, `data/cats`, `cats.npy`."""
    return "/" in dataset or dataset.startswith(("~", ".")) or dataset.endswith((".npy", ".npz"))


def check_dataset(dataset: str) -> None:
    """Check that a data set is known by its name, or a path.

    Raises:
        ValueError: It is neither.
    """
    if dataset not in DATASETS and not is_path(dataset):
        raise ValueError(
            f"unknown data set '{dataset}': known are {', '.join(DATASETS)}"
            f"{nearest(dataset, DATASETS) or f'; a folder is written ./{dataset}'}"
        )


def absolute(dataset: str) -> str:
    """A path made absolute, from the working directory; a name as it is."""
    return os.path.abspath(os.path.expanduser(dataset)) if is_path(dataset) else dataset


def image_count(dataset: str) -> int:
    """How many images a data set has, from names and headers alone.

    Raises:
        ValueError: The path holds no images.
    """
    return _stored(dataset).images if is_path(dataset) else DATASETS[dataset].images


def has_labels(dataset: str) -> bool:
    """Whether the images of a data set that is there have labels; of paths, a `.npz` may.

    Raises:
        ValueError: The path holds no images.
    """
    return _stored(dataset).labels if is_path(dataset) else DATASETS[dataset].labels


def stored_bits(dataset: str) -> int:
    """How many bits the levels of an array of images have, 8 or 16; 8 for all else.

    Raises:
        ValueError: The path holds no images.
    """
    return _stored(dataset).bits if is_path(dataset) else 8


def own_channels(dataset: str) -> int:
    """How many channels a data set has of its own, 1 or 3, from headers alone.

    A folder is grey if all of its pictures are: as colour they would be three times the same, and
    the same images in an array are grey too. Those that can not be read do not count.

    Raises:
        ValueError: The path holds no images.
    """
    if not is_path(dataset):
        return DATASETS[dataset].channels
    channels = _stored(dataset).channels
    return _folder_channels(dataset, _changed(dataset)) if channels is None else channels


def _stored(dataset: str) -> _Stored:
    return _look(dataset, _changed(dataset))


def _changed(dataset: str) -> int:
    """When a folder or file was changed, so that what is known of it is looked up anew."""
    try:
        return Path(dataset).stat().st_mtime_ns
    except (FileNotFoundError, NotADirectoryError):
        raise ValueError(
            f"there is no '{dataset}' (a folder of pictures, or an .npy or .npz file)"
        ) from None
    except OSError as error:  # a name too long, a folder that may not be looked into
        raise ValueError(f"'{dataset}' can not be read ({error.strerror or error})") from None


# Asked for at each of a study's corners.
@lru_cache(maxsize=64)
def _look(dataset: str, changed: int) -> _Stored:
    del changed
    path = Path(dataset)
    if path.is_dir():
        try:
            folder = list_pictures(path)
        except OSError as error:
            raise ValueError(f"'{dataset}' can not be read ({error.strerror})") from None
        if not folder.pictures:
            line = describe_left_out(folder.left_out)
            raise ValueError(f"no pictures in '{dataset}'{'' if line is None else f'; {line}'}")
        return _Stored(len(folder.pictures))
    if path.suffix not in (".npy", ".npz"):
        raise ValueError(f"'{dataset}' is neither a folder nor an .npy or .npz file")
    try:
        headers = read_headers(path)
    except (ValueError, OSError, EOFError, zipfile.BadZipFile):
        raise ValueError(f"'{dataset}' is no array of images") from None
    try:
        names = image_arrays(headers)
    except ArrayRule as rule:
        raise ValueError(f"'{dataset}' {rule}") from None
    return _array(headers[names.images], names.labels is not None, dataset)


def _array(header: Header, labels: bool, dataset: str) -> _Stored:
    shape, dtype = header.shape, header.dtype
    if dtype not in ("uint8", "uint16"):
        raise ValueError(f"the images in '{dataset}' are {dtype}, but must be uint8 in 0..255")
    try:
        images, channels, _, _ = nchw_shape(shape)
    except ArrayRule as rule:
        raise ValueError(f"the images in '{dataset}' are {dtype} {list(shape)}{rule}") from None
    return _Stored(images, labels, 8 * dtype.itemsize, channels)


@lru_cache(maxsize=64)
def _folder_channels(dataset: str, changed: int) -> int:
    del changed
    known = False
    for path in list_pictures(dataset).pictures:
        header = read_picture_header(path)
        if header is not None:
            if header.channels == 3:
                return 3
            known = True
    return 1 if known else 3
