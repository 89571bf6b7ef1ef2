"""What a picture's header says of it: size and channels, without decoding a pixel."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_GREY = ("1", "L", "LA", "La", "F")  # Pillow's modes, besides those of 16 bits
_ORIENTATION = 0x0112  # EXIF's tag; from 5 on, width and height change places


@dataclass(frozen=True)
class PictureHeader:
    """Size and channels of a picture that has not been decoded.

    Attributes:
        height: In pixels, upright.
        width: In pixels, upright.
        channels: 1 or 3; a palette is colour, and transparency no channel.
        bits: Of a level, 8 or 16; of colours always 8, as Pillow gives no more.
    """

    height: int
    width: int
    channels: int
    bits: int


def is_grey(mode: str) -> bool:
    """Whether a picture of one of Pillow's modes is grey."""
    return mode in _GREY or is_16_bit(mode)


def is_16_bit(mode: str) -> bool:
    """Whether a picture of one of Pillow's modes has levels of 16 bits, or more."""
    return mode.startswith("I")


def read_picture_header(path: Path) -> PictureHeader | None:
    """The header of a picture; None if there is no such file, or Pillow does not know it."""
    from PIL import Image  # late: most studies name their data set

    try:
        with Image.open(path) as opened:
            width, height = opened.size
            # Other formats than these have to be decoded for it.
            if opened.format in ("JPEG", "MPO") and opened.getexif().get(_ORIENTATION, 1) >= 5:
                width, height = height, width
            channels = 1 if is_grey(opened.mode) else 3
            return PictureHeader(height, width, channels, 16 if is_16_bit(opened.mode) else 8)
    except Exception:  # broken files make Pillow's parsers raise nearly anything
        return None
