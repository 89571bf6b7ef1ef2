"""Images side by side. Needs numpy and Pillow alone, so that workers can make a grid too."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

_LINE = 128  # grey: seen beside black and beside white
_FONT_SIZE = 13  # pixels
_AROUND = 6  # pixels beside and above a title


def image_grid(
    images: NDArray[np.uint8], columns: int | None = None, pad: int = 1, scale: int = 1
) -> Image.Image:
    """Images side by side, row by row.

    Args:
        images: Of shape [N, C, H, W], C being 1 or 3, from 0 to 255.
        columns: Images a row; as square as can be by default.
        pad: Width of the lines between and around images, in unscaled pixels.
        scale: Whole number of times that each pixel is repeated, to make small images visible.

    Raises:
        ValueError: The images have another shape or type, or there are none.
    """
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1] not in (1, 3):
        raise ValueError(
            f"The images are {images.dtype} {list(images.shape)}, "
            "but must be uint8 [N, 1 or 3, H, W]"
        )
    count, channels, height, width = images.shape
    if not count:
        raise ValueError("There are no images to show")
    columns = min(columns or math.ceil(math.sqrt(count)), count)
    rows = math.ceil(count / columns)
    cells = np.full((rows * columns, channels, height + pad, width + pad), _LINE, np.uint8)
    cells[:count, :, pad:, pad:] = images
    cells = cells.reshape(rows, columns, channels, height + pad, width + pad)
    canvas = cells.transpose(0, 3, 1, 4, 2).reshape(
        rows * (height + pad), columns * (width + pad), channels
    )
    canvas = np.pad(canvas, ((0, pad), (0, pad), (0, 0)), constant_values=_LINE)  # [H', W', C]
    canvas = canvas.repeat(scale, axis=0).repeat(scale, axis=1)
    return Image.fromarray(canvas[..., 0] if channels == 1 else canvas)


def titled(image: Image.Image, title: str) -> Image.Image:
    """An image below its title, in black on white; lines are wrapped to the image's width.

    Args:
        image: Grey or colour.
        title: Words that are wider than the image make the result wider.
    """
    font = ImageFont.load_default(_FONT_SIZE)
    lines = [line for each in title.splitlines() for line in _wrapped(each, font, image.width)]
    width = max([image.width, *(math.ceil(font.getlength(line)) + 2 * _AROUND for line in lines)])
    step = round(_FONT_SIZE * 1.35)
    above = step * len(lines) + 2 * _AROUND
    white = 255 if image.mode == "L" else (255, 255, 255)
    whole = Image.new(image.mode, (width, above + image.height), white)
    whole.paste(image, ((width - image.width) // 2, above))
    draw = ImageDraw.Draw(whole)
    for place, line in enumerate(lines):
        draw.text((_AROUND, _AROUND + place * step), line, 0, font=font)
    return whole


def _wrapped(
    text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int
) -> list[str]:
    """Lines of words that fit into so many pixels, or are one word."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(longer) <= width - 2 * _AROUND:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
