"""What can be known of a data set before it is loaded: whether it is there, and how many images.

A data set is named, or given by the path of a folder of pictures, an .npy or an .npz file.
"""

from __future__ import annotations

import os
import zipfile
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

from study.spec.names import DATASETS, nearest

PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
"""File names that end so are pictures."""


PATH_PATTERN = r"/|^[~.]|\.(npy|npz)$"
"""What `is_path` looks for, as a regular expression that editors understand."""


class _NotUint8(ValueError):
    """An array of another type than uint8."""


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


def pictures(folder: str | Path) -> list[Path]:
    """The pictures in a folder and in those below it, hidden ones left out, in order."""
    files_below = []
    for above, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        files_below += [
            Path(above, name)
            for name in files
            if not name.startswith(".") and name.lower().endswith(PICTURES)
        ]
    return sorted(files_below)


def image_count(dataset: str) -> int:
    """How many images a data set has, from names and headers alone.

    Raises:
        ValueError: The path holds no images.
    """
    if not is_path(dataset):
        return DATASETS[dataset].images
    path = Path(dataset)
    if not path.exists():
        raise ValueError(f"there is no '{dataset}' (a folder of pictures, or an .npy or .npz file)")
    return _count(dataset, path.stat().st_mtime_ns)


def has_labels(dataset: str) -> bool:
    """Whether the images of a data set that is there have labels; of paths, a `.npz` may."""
    if not is_path(dataset):
        return DATASETS[dataset].labels
    if not dataset.endswith(".npz") or os.path.isdir(dataset):
        return False
    with zipfile.ZipFile(dataset) as archive:
        return "labels.npy" in archive.namelist()


@lru_cache(maxsize=64)
def _count(dataset: str, changed: int) -> int:
    """The count at a path, which is asked for at each of a study's corners."""
    del changed  # a folder that has changed is counted anew
    path = Path(dataset)
    if path.is_dir():
        count = len(pictures(path))
        if count == 0:
            raise ValueError(f"no pictures in '{dataset}' ({', '.join(PICTURES)})")
        return count
    try:
        if path.suffix == ".npy":
            with path.open("rb") as file:
                return _rows(file, dataset)
        if path.suffix == ".npz":
            with zipfile.ZipFile(path) as archive:
                arrays = [name for name in archive.namelist() if name.endswith(".npy")]
                (name,) = ["images.npy"] if "images.npy" in arrays else arrays
                with archive.open(name) as member:
                    return _rows(member, dataset)
    except _NotUint8:
        raise
    except (ValueError, OSError, zipfile.BadZipFile):
        raise ValueError(f"'{dataset}' is no array of images") from None
    raise ValueError(f"'{dataset}' is neither a folder nor an .npy or .npz file")


def _rows(file: IO[bytes], dataset: str) -> int:
    from numpy.lib import format as npy  # late: most studies name their data set

    version = npy.read_magic(file)
    header: Any = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = header(file)
    if not shape:
        raise ValueError("a single number")
    if dtype != "uint8":
        raise _NotUint8(f"the images in '{dataset}' are {dtype}, but must be uint8 in 0..255")
    return int(shape[0])
