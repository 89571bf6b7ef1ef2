"""Pictures: decoding a file whatever its mode, and reading a folder of them."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from study.data.image_set import ImageSet
from study.data.preparation import Preparation
from study.data.preprocessing import Levels, apply_steps, steps
from study.data.splits import shuffled
from study.spec.datasets import PICTURES, pictures
from study.spec.errors import UserError

_logger = logging.getLogger(__name__)


def read_folder(folder: Path, preparation: Preparation) -> ImageSet:
    """Read the pictures of a folder, prepared.

    Only pictures that are kept are decoded. If a count or fraction of them is, then a picture that
    is skipped gives its place to the next of the random order.

    Args:
        folder: Searched through its subfolders too. They give no labels.
        preparation: `size` and `channels` must be given.

    Raises:
        UserError: If the folder is missing or has no pictures, one of them can not be read and is
            not to be skipped, or there are fewer than `count`.
    """
    if not folder.is_dir():
        raise UserError(f"The folder {folder} does not exist, but must, to read pictures from it")
    names = [path.relative_to(folder).as_posix() for path in pictures(folder)]
    if not names:
        raise UserError(
            f"The folder {folder} has no pictures, but must have some that end in "
            f"{', '.join(PICTURES)}"
        )
    kept = preparation.kept(len(names))
    wanted = steps(preparation)
    images: dict[str, Levels] = {}
    skipped: dict[str, str] = {}
    order = range(len(names)) if kept == len(names) else shuffled(len(names), preparation.seed)
    for name in (names[index] for index in order):
        try:
            picture = decode(folder / name, preparation.background)  # [C, H, W]
        except UnreadableError as error:
            if preparation.on_error == "fail":
                raise UserError(
                    f"The picture {folder / name} can not be read ({error}); "
                    "mend it or take it away, or set `on_error` to skip"
                ) from error
            skipped[name] = str(error)
            continue
        images[name] = apply_steps(picture[None], wanted)[0]
        if len(images) == kept:
            break
    _tell_skipped(folder, skipped, tried=len(images) + len(skipped))
    if not images or (preparation.count is not None and len(images) < preparation.count):
        raise UserError(
            f"The folder {folder} has {len(images)} pictures that can be read, "
            f"but must have {preparation.count or 'some'}"
        )
    return ImageSet(
        name=folder.name,
        images=np.stack([images[name] for name in names if name in images]),
        preprocessing="; ".join(
            [f"pictures upright, over {preparation.background}"] + [step.text for step in wanted]
        ),
        part=preparation.chosen_by,
        skipped=tuple(name for name in names if name in skipped),
    )


class UnreadableError(Exception):
    """A file is not a picture, or a broken one."""


def decode(path: Path, background: int) -> Levels:
    """Decode a picture: upright, opaque, with 8 bits: [1, H, W] if it is grey, else [3, H, W].

    The EXIF orientation is applied. Transparent pixels, of an alpha channel, a palette or a single
    transparent colour, are laid over `background`. 16-bit grey is scaled to 0..255, not cut. CMYK
    becomes RGB by Pillow's formula; colour profiles are not looked at. Of an animation the first
    frame is taken.

    Raises:
        UnreadableError: If the file is no picture, or broken, or its levels have no known range.
    """
    # A broken file can make a decoder raise nearly anything: OSError, SyntaxError, ValueError,
    # struct.error, DecompressionBombError. All of them mean the same here.
    try:
        with Image.open(path) as opened:
            opened.load()
            picture = ImageOps.exif_transpose(opened)
        return _levels(picture, background)
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise UnreadableError(reason.replace(str(path), path.name)) from error


def _levels(picture: Image.Image, background: int) -> Levels:
    if picture.mode == "F":
        raise UnreadableError("its levels are floating-point numbers of no known range")
    if picture.mode.startswith("I"):
        return _from_16_bits(picture, background)
    grey = picture.mode in ("1", "L", "LA", "La")
    if not picture.has_transparency_data:
        opaque = np.asarray(picture.convert("L" if grey else "RGB"))
        return opaque[None] if grey else opaque.transpose(2, 0, 1)
    if picture.mode == "La":  # premultiplied alpha, which converts to LA alone
        picture = picture.convert("LA")
    layers = np.asarray(picture.convert("RGBA")).transpose(2, 0, 1).astype(np.uint32)
    colour, alpha = layers[: 1 if grey else 3], layers[3:]
    # The nearest level, in integers.
    return ((colour * alpha + background * (255 - alpha) + 127) // 255).astype(np.uint8)


def _from_16_bits(picture: Image.Image, background: int) -> Levels:
    wide: NDArray[np.int64] = np.asarray(picture).astype(np.int64)  # [H, W]
    if wide.min() < 0 or wide.max() > 0xFFFF:
        raise UnreadableError("its levels are beyond the 16 bits that are known to mean grey")
    levels = ((wide + 128) // 257).astype(np.uint8)  # the nearest: 65535 = 255 * 257
    transparent = picture.info.get("transparency")
    if isinstance(transparent, int):
        levels[wide == transparent] = background
    return levels[None]


def _tell_skipped(folder: Path, skipped: dict[str, str], tried: int) -> None:
    if skipped:
        first = next(iter(skipped))
        _logger.warning(
            "Skipped %d of %d pictures in %s that can not be read; the first is %s (%s)",
            len(skipped),
            tried,
            folder,
            first,
            skipped[first],
        )
