"""Pictures: decoding a file whatever its mode, and reading a folder of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from study.data.image_set import ImageSet
from study.data.levels import WHITE, level_note, to_8_bits
from study.data.preparation import Preparation
from study.data.preprocessing import Levels, apply_steps, steps
from study.data.splits import shuffled
from study.spec.errors import UserError
from study.spec.left_out import LeftOut, Reason, describe_left_out
from study.spec.picture_folder import PictureFolder, list_pictures
from study.spec.picture_header import is_16_bit, is_grey

_MOST_NAMED = 3  # broken pictures in one error


def read_folder(folder: Path, preparation: Preparation) -> ImageSet:
    """Read the pictures of a folder, prepared.

    Only pictures that are kept are decoded. If a count or fraction of them is, then a picture that
    is skipped gives its place to the next of the random order.

    Args:
        folder: Searched through its subfolders too. They give no labels.
        preparation: `size` and `channels` must be given.

    Raises:
        UserError: If the folder is missing or has no pictures, some of them can not be read and are
            not to be skipped, a level is beyond `levels`, or there are fewer than `count`.
    """
    listing = pictures_in(folder)
    names = [path.relative_to(folder).as_posix() for path in listing.pictures]
    kept = preparation.kept(len(names))
    wanted, skips = steps(preparation), preparation.on_error == "skip"
    images: dict[str, Levels] = {}
    brightest: dict[int, int] = {}
    unreadable: dict[str, str] = {}
    order = range(len(names)) if kept == len(names) else shuffled(len(names), preparation.seed)
    for name in (names[index] for index in order):
        try:
            picture = decode(folder / name, preparation.background, preparation.levels)
        except UnreadableError as error:
            unreadable[name] = str(error)
        else:
            brightest[picture.bits] = max(picture.brightest, brightest.get(picture.bits, 0))
            images[name] = apply_steps(picture.pixels[None], wanted)[0]
        if len(images) + (0 if skips else len(unreadable)) == kept:
            break
    if unreadable and not skips:
        raise _can_not_be_read(folder, unreadable)
    if not images or (preparation.count is not None and len(images) < preparation.count):
        raise UserError(
            f"The folder {folder} has {len(images)} pictures that can be read, "
            f"but must have {preparation.count or 'some'}"
        )
    note = level_note(brightest, preparation.levels)
    skipped = [LeftOut(name, Reason.UNREADABLE) for name in names if name in unreadable]
    return ImageSet(
        name=folder.name,
        images=np.stack([images[name] for name in names if name in images]),
        preprocessing="; ".join([decoding_in_words(preparation)] + [step.text for step in wanted]),
        part=preparation.chosen_by,
        left_out=(*skipped, *listing.left_out),
        notes=() if note is None else (note,),
    )


def pictures_in(folder: Path) -> PictureFolder:
    """The pictures in a folder and in those below it.

    Raises:
        UserError: If the folder is missing, can not be read or has no pictures.
    """
    try:
        listing = list_pictures(folder)
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(
            f"The folder {folder} does not exist, but must, to read pictures from it"
        ) from None
    except OSError as error:
        raise UserError(f"The folder {folder} can not be read ({error.strerror})") from None
    if not listing.pictures:
        line = describe_left_out(listing.left_out)
        raise UserError(
            f"The folder {folder} has no pictures that Pillow can decode, but must have some"
            + ("" if line is None else f"; {line}")
        )
    return listing


def decoding_in_words(preparation: Preparation) -> str:
    """What is done to a picture while it is decoded."""
    levels = "" if preparation.levels is None else f", 16-bit levels of 0..{preparation.levels}"
    return f"pictures upright, over {preparation.background}{levels}"


def _can_not_be_read(folder: Path, unreadable: Mapping[str, str]) -> UserError:
    names = sorted(unreadable)
    if len(names) == 1:
        return UserError(
            f"The picture {folder / names[0]} can not be read ({unreadable[names[0]]}); "
            "mend it or take it away, or set `on_error` to skip"
        )
    more = len(names) - _MOST_NAMED
    shown = [f"{name} ({unreadable[name]})" for name in names[:_MOST_NAMED]]
    return UserError(
        f"{len(names)} pictures in {folder} can not be read: {', '.join(shown)}"
        f"{f' and {more} more' if more > 0 else ''}; "
        "mend them or take them away, or set `on_error` to skip"
    )


@dataclass(frozen=True, eq=False)
class Picture:
    """A decoded picture.

    Attributes:
        pixels: uint8 [1, H, W] if it is grey, else [3, H, W].
        bits: Of its levels as they are stored, 8 or 16.
        brightest: The highest of those levels.
    """

    pixels: Levels
    bits: int
    brightest: int


class UnreadableError(Exception):
    """A file is not a picture, or a broken one."""


def decode(path: Path, background: int, levels: int | None = None) -> Picture:
    """Decode a picture: upright, opaque, with 8 bits.

    The EXIF orientation is applied. Transparent pixels, of an alpha channel, a palette or a single
    transparent colour, are laid over `background`. 16-bit grey is scaled to 0..255, not cut. CMYK
    becomes RGB by Pillow's formula; colour profiles are not looked at. Of an animation the first
    frame is taken.

    Args:
        path: The picture.
        background: Grey level, 0..255, under transparent pixels.
        levels: The level of white in 16-bit grey; 65535 if none.

    Raises:
        UnreadableError: If the file is no picture, or broken, or its levels have no known range.
        UserError: If a level is beyond `levels`.
    """
    # A broken file can make a decoder raise nearly anything: OSError, SyntaxError, ValueError,
    # struct.error, DecompressionBombError. All of them mean the same here.
    try:
        with Image.open(path) as opened:
            opened.load()
            upright = ImageOps.exif_transpose(opened)
        if is_16_bit(upright.mode):
            picture = _from_16_bits(upright, background, levels)
        else:
            pixels = _from_8_bits(upright, background)
            picture = Picture(pixels, 8, int(pixels.max()))
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise UnreadableError(reason.replace(str(path), path.name)) from error
    if picture.bits == 16 and picture.brightest > (levels or WHITE):
        raise UserError(
            f"The picture {path} has the level {picture.brightest}, but it must be <= {levels}, "
            "the value of `levels`"
        )
    return picture


def _from_8_bits(picture: Image.Image, background: int) -> Levels:
    if picture.mode == "F":
        raise UnreadableError("its levels are floating-point numbers of no known range")
    grey = is_grey(picture.mode)
    if not picture.has_transparency_data:
        opaque = np.asarray(picture.convert("L" if grey else "RGB"))
        return opaque[None] if grey else opaque.transpose(2, 0, 1)
    if picture.mode == "La":  # premultiplied alpha, which converts to LA alone
        picture = picture.convert("LA")
    layers = np.asarray(picture.convert("RGBA")).transpose(2, 0, 1).astype(np.uint32)
    colour, alpha = layers[: 1 if grey else 3], layers[3:]
    # The nearest level, in integers.
    return ((colour * alpha + background * (255 - alpha) + 127) // 255).astype(np.uint8)


def _from_16_bits(picture: Image.Image, background: int, levels: int | None) -> Picture:
    wide: NDArray[np.int64] = np.asarray(picture).astype(np.int64)  # [H, W]
    if wide.min() < 0 or wide.max() > WHITE:
        raise UnreadableError("its levels are beyond the 16 bits that are known to mean grey")
    pixels = to_8_bits(wide, levels)
    transparent = picture.info.get("transparency")
    if isinstance(transparent, int):
        pixels[wide == transparent] = background
        wide = wide[wide != transparent]
    return Picture(pixels[None], 16, int(wide.max(initial=0)))
