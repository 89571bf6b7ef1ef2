"""Random changes to images that training learns from, each image by itself, differentiable.

A GAN applies them to real and to generated images alike, and the generator learns through them:
S. Zhao et al., Differentiable Augmentation for Data-Efficient GAN Training (NeurIPS 2020).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Generator, Tensor
from torch.nn import functional

_RANGES = {
    "flip": (1.0, "a probability"),
    "crop": (0.5, "a share of the side"),
    "rotation": (180.0, "degrees"),
    "tilt": (45.0, "degrees"),
    "brightness": (1.0, "a relative change"),
    "contrast": (1.0, "a relative change"),
    "saturation": (1.0, "a relative change"),
    "hue": (0.5, "whole turns"),
}

# ITU-R BT.601 luma; and NTSC's YIQ, as T in YIQ = T RGB: grey has I = Q = 0.
_LUMA = (0.299, 0.587, 0.114)
_YIQ = (_LUMA, (0.596, -0.274, -0.322), (0.211, -0.523, 0.312))


@dataclass(frozen=True)
class Augmentation:
    """How far images may change. Each change is drawn uniformly up to its size, in both directions.

    In this order: mirroring; then shearing, turning and shifting in one resampling, where an image
    goes on beyond its border as its mirror image, which invents no edge and no colour; then
    brightness, contrast, saturation and hue, as torchvision defines the first three, in one linear
    map of the colours. The map's results are clamped to [-1, 1] once. One channel has no saturation
    and no hue.

    Attributes:
        flip: Probability of mirroring left and right, in [0, 1].
        crop: Largest shift, in whole pixels, down and across, as a share of the side, in [0, 0.5].
        rotation: Largest turn about the centre, in degrees, in [0, 180].
        tilt: Largest angle that upright lines lean by (a horizontal shear), in degrees, in [0, 45].
        brightness: Largest relative change of all levels, black being 0, in [0, 1].
        contrast: Largest relative change of the distance to the image's mean luma, in [0, 1].
        saturation: Largest relative change of the distance to each pixel's luma, in [0, 1].
        hue: Largest turn of the colours about the grey axis, at constant luma, in whole turns, in
            [0, 0.5].

    Raises:
        ValueError: If a value is out of its range.
    """

    flip: float = 0.0
    crop: float = 0.0
    rotation: float = 0.0
    tilt: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0

    def __post_init__(self) -> None:
        """Check the values."""
        for name, (largest, unit) in _RANGES.items():
            value = getattr(self, name)
            if not 0 <= value <= largest:
                raise ValueError(
                    f"The value of `{name}` is {value}, but must be in [0, {largest:g}] ({unit})"
                )

    @property
    def is_identity(self) -> bool:
        """Whether nothing is ever changed."""
        return not any(getattr(self, name) for name in _RANGES)

    def draw(self, count: int, generator: Generator) -> Tensor:
        """All the randomness for `count` images: [count, 9], uniform in [0, 1).

        It is the same whatever the sizes are, and on the generator's device.
        """
        return torch.rand(count, 9, generator=generator, device=generator.device)

    def apply(self, x: Tensor, numbers: Tensor) -> Tensor:
        """Change each image by its own numbers.

        Args:
            x: [B, C, H, W], floating point in [-1, 1].
            numbers: Rows of what `draw` returned, [B, 9].

        Returns:
            [B, C, H, W], differentiable in `x`; `x` itself where there is nothing to do.
        """
        flip, *rest = numbers.to(x.dtype).unbind(1)  # [B] each
        across, down, turn, tilt, *colour = (2 * number - 1 for number in rest)  # in [-1, 1)
        if self.flip:
            x = torch.where((flip < self.flip)[:, None, None, None], x.flip(3), x)
        if self.crop or self.rotation or self.tilt:
            x = self._moved(x, across, down, turn, tilt)
        colourful = x.shape[1] == 3 and (self.saturation or self.hue)
        if self.brightness or self.contrast or colourful:
            x = self._coloured(x, *colour)
        return x

    # Neither of these multiplies matrices by a library's product: in TF32 or bfloat16 it would move
    # pixels by tenths and change levels by several.

    def _moved(self, x: Tensor, across: Tensor, down: Tensor, turn: Tensor, tilt: Tensor) -> Tensor:
        height, width = x.shape[2:]
        # Whole pixels, so that a shift alone does not blur.
        right = (across * self.crop * width).round()[:, None, None]  # [B, 1, 1], as all that follow
        below = (down * self.crop * height).round()[:, None, None]
        angle = (turn * math.radians(self.rotation))[:, None, None]
        lean = (tilt * math.radians(self.tilt)).tan()[:, None, None]
        cos, sin = angle.cos(), angle.sin()
        # A point (column, row), from the centre, is sheared to (column + lean row, row), turned
        # clockwise, and shifted. Resampling goes back: where did each pixel come from?
        column = torch.arange(width, device=x.device) - (width - 1) / 2 - right  # [B, 1, W]
        row = (torch.arange(height, device=x.device) - (height - 1) / 2)[:, None] - below
        column, row = cos * column + sin * row, cos * row - sin * column  # [B, H, W]
        column = column - lean * row
        # In the units of grid_sample each side is 2.
        grid = torch.stack([column * (2 / width), row * (2 / height)], dim=3)  # [B, H, W, 2]
        return functional.grid_sample(
            x, grid, mode="bilinear", padding_mode="reflection", align_corners=False
        )

    def _coloured(
        self, x: Tensor, brightness: Tensor, contrast: Tensor, saturation: Tensor, hue: Tensor
    ) -> Tensor:
        brighter = 1 + brightness * self.brightness  # [B], as all factors
        stretched = 1 + contrast * self.contrast
        levels = (x + 1) / 2  # in [0, 1]
        means = levels.mean(dim=(2, 3))  # [B, C]
        if x.shape[1] == 3:
            basis = _colour_basis(x.dtype, x.device)
            saturated = 1 + saturation * self.saturation
            angle = hue * (2 * math.pi * self.hue)
            weights = torch.stack(
                [torch.ones_like(angle), saturated * angle.cos(), saturated * angle.sin()], dim=1
            )
            matrix = (weights[:, :, None, None] * basis).sum(1)  # [B, 3, 3]
            mean = (means * basis[0, 0]).sum(1)  # [B], of the luma
        else:
            matrix = torch.ones_like(means)[:, :, None]  # [B, 1, 1]
            mean = means[:, 0]
        matrix = (brighter * stretched)[:, None, None] * matrix
        # Towards the mean luma of the image when it is brighter; being grey, it has no colour that
        # would be changed after it.
        offset = (1 - stretched) * brighter * mean
        changed = (matrix[..., None, None] * levels[:, None]).sum(2) + offset[:, None, None, None]
        return (2 * changed - 1).clamp(-1, 1)  # [B, C, H, W]


@lru_cache(maxsize=8)
def _colour_basis(dtype: torch.dtype, device: torch.device) -> Tensor:
    """What saturation and hue are made of: [3, 3, 3], three matrices on RGB.

    The first takes colour away and leaves luma (each row being its weights), the second takes luma
    away and leaves colour, and the third does so and turns the colour by a right angle in the plane
    of I and Q. So saturation s and hue h are the first, plus s cos(h) times the second, plus
    s sin(h) times the third.
    """
    to_yiq = torch.tensor(_YIQ, dtype=torch.float64)
    parts = torch.zeros(3, 3, 3, dtype=torch.float64)
    parts[0, 0, 0] = parts[1, 1, 1] = parts[1, 2, 2] = parts[2, 2, 1] = 1
    parts[2, 1, 2] = -1
    basis: Tensor = torch.linalg.inv(to_yiq) @ parts @ to_yiq
    return basis.to(device, dtype)
