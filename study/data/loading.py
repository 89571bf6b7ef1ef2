"""Images by the name of a data set or by the path of a folder or file, ready to learn from."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from study.data.arrays import read_arrays
from study.data.datasets import digits, mnist5k, photo_patches
from study.data.idx import fashion_mnist, mnist
from study.data.image_set import ImageSet
from study.data.pictures import read_folder
from study.data.preparation import Preparation
from study.data.preprocessing import prepare
from study.data.splits import choose
from study.spec.datasets import is_path, own_channels
from study.spec.errors import UserError

DATASETS: Mapping[str, Callable[[], ImageSet]] = MappingProxyType(
    {
        "digits": digits,
        "fashion_mnist": fashion_mnist,
        "mnist": mnist,
        "mnist5k": mnist5k,
        "photo_patches": photo_patches,
    }
)
"""The loader of each data set: its images as they are stored, in their own size."""

_AS_THEY_ARE = Preparation()


def load_images(dataset: str, preparation: Preparation = _AS_THEY_ARE) -> ImageSet:
    """Load a data set and prepare its images.

    Args:
        dataset: A name in `DATASETS`, or the path of a folder of pictures, a `.npy` or a `.npz`. It
            is a path if it has a `/`, starts with `.` or `~`, or ends in `.npy` or `.npz`.
        preparation: Which of the images, and what is done to them. A path needs a `size`.

    Returns:
        The images; `preprocessing` says all that was done to them, `part` which part of the data
        set they are, and `left_out` what of a folder is no part of them.

    Raises:
        UserError: If there is no such data set, it can not be read or holds no images, or it does
            not have as many as are to be kept.
    """
    loader = DATASETS.get(dataset)
    if loader is not None:
        return prepare(choose(loader(), preparation), preparation)
    if not is_path(dataset):
        nearest = difflib.get_close_matches(dataset, DATASETS, n=1)
        raise UserError(
            f"The value of `dataset` is {dataset!r}, but must be one of {', '.join(DATASETS)}, "
            "or the path of a folder (./NAME), a .npy or a .npz file"
            + "".join(f"; did you mean {name}?" for name in nearest)
        )
    if preparation.size is None:
        raise UserError(f"The value of `size` is none, but must be given for the path {dataset}")
    path = locate(dataset)
    if path.suffix in (".npy", ".npz") and not path.is_dir():
        return prepare(choose(read_arrays(path, preparation.levels), preparation), preparation)
    if path.is_file():
        raise UserError(
            f"The value of `dataset` is {dataset!r}, but a file must end in .npy or .npz; "
            "pictures are given by their folder"
        )
    if preparation.channels is None and path.is_dir():
        with suppress(ValueError):  # no pictures, as is told when they are read
            preparation = replace(preparation, channels=own_channels(str(path)))
    return read_folder(path, preparation)


def locate(text: str) -> Path:
    """The absolute path that a user means; `~` is a home folder. Nothing need be there.

    Raises:
        UserError: If it is empty, or of a kind that the system does not even look for.
    """
    try:
        if not text:
            raise UserError("A path of images is '', but must not be empty")
        path = Path(os.path.abspath(Path(text).expanduser()))
        path.exists()
    except OSError as error:  # a name too long, a folder that may not be looked into
        raise UserError(f"The path {text!r} can not be read: {error.strerror or error}") from error
    except RuntimeError as error:  # the home of nobody
        raise UserError(f"The path {text!r} can not be read: {error}") from error
    return path
