"""Images opened by what a user calls them: a folder of pictures, a file, a data set or its part."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from study.data.arrays import check_type, read_arrays, scaling_in_words, to_nchw
from study.data.levels import level_note
from study.data.loading import DATASETS, load_images, locate
from study.data.npy_reader import StoredArray, stored_images
from study.data.pictures import Picture, UnreadableError, decode, decoding_in_words, pictures_in
from study.data.preparation import Preparation
from study.data.preprocessing import Step, apply_steps, prepare, steps
from study.data.splits import split, spread
from study.data.streams import ImageStream, Named, stream_of
from study.spec.datasets import is_path
from study.spec.errors import UserError
from study.spec.left_out import describe_left_out
from study.spec.names import nearest
from study.spec.picture_header import read_picture_header

T = TypeVar("T")

PARTS = ("train", "held_out")
"""The parts of a data set's split, as they are written: `mnist5k:held_out`."""

_LOOKED_AT = 64  # images, for notes
_THREADS = min(16, os.cpu_count() or 1)


def open_images(
    source: str,
    *,
    size: int | None = None,
    channels: int | None = None,
    levels: int | None = None,
) -> ImageStream:
    """Open images by what a user calls them.

    Args:
        source: The path of a folder of pictures, of a `.npy` or of a `.npz`; or a data set's name,
            with `:train` or `:held_out` for a part of it as a study's default split makes it. What
            is both a data set and a folder is the data set; the folder is written `./NAME`.
        size: Height and width that all images are brought to, cut square at the centre; none leaves
            them as they are.
        channels: 1 or 3; none leaves them as they are.
        levels: The level of white in images of 16 bits; none means 65535 in pictures, and arrays of
            16 bits are refused.

    Raises:
        UserError: If there is no such thing, no image in it, or it can not be read.
    """
    preparation = Preparation(size=size, channels=channels, levels=levels)
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
    levels = preparation.levels
    check_type(path, stored.dtype, stored.shape, stored.rows(), levels)
    if stored.fortran:  # no row of it is in one piece
        return stream_of(prepare(read_arrays(path, levels), preparation))
    row = next(stored.rows(np.array([0])))
    first = to_nchw(path, row, levels, stored.shape)
    # Channels that come last are left there: to bring them forward takes longer than all the rest.
    as_stored = first.shape if first.flags.c_contiguous else row.shape
    wanted = steps(preparation, (first.shape[1], first.shape[2], first.shape[3]))

    def read(indices: NDArray[np.int64]) -> Iterator[Named]:
        place = 0
        for rows in stored.rows(indices):
            for image in apply_steps(to_nchw(path, rows, levels, stored.shape), wanted):
                yield f"image {indices[place]}", image
                place += 1

    return ImageStream(
        name=path.stem,
        indices=np.arange(stored.shape[0]),
        read=read,
        make_digest=lambda: _file_digest(stored, as_stored[1:], labels),
        labels=labels,
        preprocessing=_in_words([scaling_in_words(stored.dtype, levels)], wanted),
        remarks=_remarks(_level_note(_brightest_rows(stored), levels)),
    )


def _brightest_rows(stored: StoredArray) -> dict[int, int]:
    """The brightest level of the first images of a file, by the bits of a level."""
    few = np.arange(min(stored.shape[0], _LOOKED_AT))  # others may have to be unpacked on the way
    most = max(int(rows.max()) for rows in stored.rows(few))
    return {8 * stored.dtype.itemsize: most}


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
    listing = pictures_in(folder)
    paths = listing.pictures
    wanted = steps(preparation)
    background, levels = preparation.background, preparation.levels

    def decoded(path: Path) -> Named:
        try:
            picture = decode(path, background, levels)
        except UnreadableError as error:
            raise _unreadable(path, error) from error
        pixels = apply_steps(picture.pixels[None], wanted)[0]  # [C, H, W]
        return path.relative_to(folder).as_posix(), pixels

    return ImageStream(
        name=folder.name,
        indices=np.arange(len(paths)),
        read=lambda indices: _ahead(decoded, [paths[index] for index in indices]),
        make_digest=lambda: hashlib.sha256(b"".join(_ahead(_digested, paths))).hexdigest(),
        preprocessing=_in_words([decoding_in_words(preparation)], wanted),
        remarks=_remarks(
            describe_left_out(listing.left_out),
            _level_note(_brightest_pictures(paths, background), levels),
        ),
        read_channels=None
        if preparation.channels is not None
        else lambda indices: _ahead(_channels, [paths[index] for index in indices]),
    )


def _unreadable(path: Path, why: object) -> UserError:
    return UserError(f"The picture {path} can not be read ({why}); mend it or take it away")


def _digested(path: Path) -> bytes:
    try:
        return hashlib.sha256(path.read_bytes()).digest()
    except OSError as error:
        raise _unreadable(path, error.strerror or error) from error


def _channels(path: Path) -> int | None:
    header = read_picture_header(path)
    return None if header is None else header.channels


def _brightest_pictures(paths: Sequence[Path], background: int) -> dict[int, int]:
    """The brightest level of some pictures of a folder, by the bits of a level."""

    def decoded(path: Path) -> Picture | None:
        try:
            return decode(path, background)
        except UnreadableError:  # which is told when it is met
            return None

    brightest: dict[int, int] = {}
    chosen = spread(np.arange(len(paths)), min(len(paths), _LOOKED_AT))
    for picture in _ahead(decoded, [paths[index] for index in chosen]):
        if picture is not None:
            brightest[picture.bits] = max(picture.brightest, brightest.get(picture.bits, 0))
    return brightest


def _level_note(brightest: dict[int, int], levels: int | None) -> str | None:
    # Of two sources that levels are given to, one may well have 8 bits.
    return None if levels is not None else level_note(brightest, None)


def _remarks(*lines: str | None) -> tuple[str, ...]:
    return tuple(line for line in lines if line is not None)


def _ahead(work: Callable[[Path], T], paths: Sequence[Path]) -> Iterator[T]:
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


def _in_words(before: list[str | None], wanted: list[Step]) -> str:
    return "; ".join([*filter(None, before), *(step.text for step in wanted)]) or "none"
