"""Images opened by what a user calls them: a folder of pictures, a file, a data set or its part."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from study.data.arrays import read_arrays, to_nchw
from study.data.image_checks import wrong_levels
from study.data.loading import DATASETS, load_images, locate
from study.data.npy_reader import StoredArray, stored_images
from study.data.pictures import UnreadableError, decode
from study.data.preparation import Preparation
from study.data.preprocessing import Step, apply_steps, prepare, steps
from study.data.splits import split
from study.data.streams import ImageStream, Named, stream_of
from study.spec.datasets import PICTURES, is_path, pictures
from study.spec.errors import UserError
from study.spec.names import nearest

T = TypeVar("T")

PARTS = ("train", "held_out")
"""The parts of a data set's split, as they are written: `mnist5k:held_out`."""

_THREADS = min(16, os.cpu_count() or 1)


def open_images(
    source: str, *, size: int | None = None, channels: int | None = None
) -> ImageStream:
    """Open images by what a user calls them.

    Args:
        source: The path of a folder of pictures, of a `.npy` or of a `.npz`; or a data set's name,
            with `:train` or `:held_out` for a part of it as a study's default split makes it. What
            is both a data set and a folder is the data set; the folder is written `./NAME`.
        size: Height and width that all images are brought to, cut square at the centre; none leaves
            them as they are.
        channels: 1 or 3; none leaves them as they are.

    Raises:
        UserError: If there is no such thing, no image in it, or it can not be read.
    """
    preparation = Preparation(size=size, channels=channels)
    name, colon, part = source.partition(":")
    if name in DATASETS:
        whole = load_images(name, preparation)
        if not colon:
            return stream_of(whole)
        if part not in PARTS:
            raise UserError(
                f"The part {part!r} of `{name}` is not known, but must be {' or '.join(PARTS)}"
                f"{nearest(part, PARTS)}"
            )
        return stream_of(getattr(split(whole), part))
    path = locate(source)
    if path.is_dir():
        return _folder_stream(path, preparation)
    if not path.exists():
        raise UserError(
            f"There is no {source!r}: it must be a folder of pictures, an .npy or .npz file, or a "
            f"data set ({', '.join(DATASETS)})" + ("" if is_path(name) else nearest(name, DATASETS))
        )
    if path.suffix not in (".npy", ".npz"):
        raise UserError(
            f"The file {source} must end in .npy or .npz; pictures are given by their folder"
        )
    return _file_stream(path, preparation)


def _file_stream(path: Path, preparation: Preparation) -> ImageStream:
    stored, labels = stored_images(path)
    if stored.dtype != np.uint8:
        raise wrong_levels(f"in {path}", stored.dtype, stored.shape, stored.rows())
    if stored.fortran:  # no row of it is in one piece
        return stream_of(prepare(read_arrays(path), preparation))
    row = next(stored.rows(np.array([0])))
    first = to_nchw(path, row, stored.shape)
    # Channels that come last are left there: to bring them forward takes longer than all the rest.
    as_stored = first.shape if first.flags.c_contiguous else row.shape
    wanted = steps(preparation, (first.shape[1], first.shape[2], first.shape[3]))

    def read(indices: NDArray[np.int64]) -> Iterator[Named]:
        place = 0
        for rows in stored.rows(indices):
            for image in apply_steps(to_nchw(path, rows), wanted):
                yield f"image {indices[place]}", image
                place += 1

    return ImageStream(
        name=path.stem,
        indices=np.arange(stored.shape[0]),
        read=read,
        make_digest=lambda: _file_digest(stored, as_stored[1:], labels),
        labels=labels,
        preprocessing=_in_words([], wanted),
    )


def _file_digest(
    stored: StoredArray, shape: tuple[int, ...], labels: NDArray[np.int64] | None
) -> str:
    """SHA-256 (hex) over shape, numbers as they lie in the file, and labels, as `ImageSet` does."""
    sha = hashlib.sha256(f"{stored.dtype.str} {(stored.shape[0], *shape)};".encode())
    for rows in stored.rows():
        sha.update(rows.data)
    if labels is not None:
        sha.update(f"{labels.dtype.str} {labels.shape};".encode())
        sha.update(np.ascontiguousarray(labels).data)
    return sha.hexdigest()


def _folder_stream(folder: Path, preparation: Preparation) -> ImageStream:
    paths = pictures(folder)
    if not paths:
        raise UserError(
            f"The folder {folder} has no pictures, but must have some that end in "
            f"{', '.join(PICTURES)}"
        )
    wanted = steps(preparation)

    def unreadable(path: Path, why: object) -> UserError:
        return UserError(f"The picture {path} can not be read ({why}); mend it or take it away")

    def decoded(path: Path) -> Named:
        try:
            picture = decode(path, preparation.background)  # [C, H, W]
        except UnreadableError as error:
            raise unreadable(path, error) from error
        return path.relative_to(folder).as_posix(), apply_steps(picture[None], wanted)[0]

    def digested(path: Path) -> bytes:
        try:
            return hashlib.sha256(path.read_bytes()).digest()
        except OSError as error:
            raise unreadable(path, error.strerror or error) from error

    return ImageStream(
        name=folder.name,
        indices=np.arange(len(paths)),
        read=lambda indices: _ahead(decoded, [paths[index] for index in indices]),
        make_digest=lambda: hashlib.sha256(b"".join(_ahead(digested, paths))).hexdigest(),
        preprocessing=_in_words([f"pictures upright, over {preparation.background}"], wanted),
    )


def _ahead(work: Callable[[Path], T], paths: list[Path]) -> Iterator[T]:
    """The work done on each path, in order, by a few threads that are a few paths ahead."""
    waiting: deque[Future[T]] = deque()
    pool = ThreadPoolExecutor(_THREADS)
    try:
        for path in paths:
            waiting.append(pool.submit(work, path))
            if len(waiting) > 2 * _THREADS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _in_words(before: list[str], wanted: list[Step]) -> str:
    return "; ".join(before + [step.text for step in wanted]) or "none"
