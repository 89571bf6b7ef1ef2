"""How images are to be prepared: the settings of a study file's `data` section."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from study.data.levels import WHITE
from study.spec.errors import UserError

Fit = Literal["crop", "pad"]
Edges = Literal["none", "sobel", "laplacian"]
OnError = Literal["fail", "skip"]

SIZES = range(8, 129)
"""The sides, in pixels, that images may be brought to."""


@dataclass(frozen=True)
class Preparation:
    """What is done to the images of a data set, in this order, before anything is learned of them.

    A part of the set is chosen (`fraction`, `count`, `seed`); a picture is turned as its EXIF tag
    says and laid over `background` where it is transparent; brought to `channels`; made square
    (`fit`); resized to `size`; and put through an edge detector (`edges`).

    Attributes:
        size: Height and width in pixels, in 8..128; None leaves the images in their own size, which
            those of a named data set have in common.
        channels: 1 (grey, the luma of ITU-R BT.601) or 3 (RGB; grey is repeated); None leaves
            images as they are, those of a folder 1 if all are grey and else 3.
        fit: What makes an image square that is not: `crop` cuts its longer side to the middle, and
            `pad` widens its shorter side with `background`.
        background: The grey level, 0..255, under transparent pixels and of padding.
        edges: `none`, `sobel` (length of the gradient) or `laplacian` (absolute value).
        fraction: The share of the set to keep, in (0, 1]; None keeps all.
        count: The number of images to keep, at least 2; None keeps all.
        on_error: `fail` stops at a picture that can not be read, `skip` leaves it out.
        levels: The level of white in images of 16 bits, in 1..65535; None means 65535 in pictures,
            and arrays of 16 bits are refused.
        seed: Chooses which images are kept, at least 0.

    Raises:
        UserError: If a value is out of its range, or both `fraction` and `count` are given.
    """

    size: int | None = None
    channels: int | None = None
    fit: Fit = "crop"
    background: int = 255
    edges: Edges = "none"
    fraction: float | None = None
    count: int | None = None
    on_error: OnError = "fail"
    seed: int = 0
    levels: int | None = None

    def __post_init__(self) -> None:
        """Check the values."""
        _check("size", self.size, self.size is None or self.size in SIZES, "in 8..128, or none")
        _check("channels", self.channels, self.channels in (None, 1, 3), "1 or 3, or none")
        _check("fit", self.fit, self.fit in get_args(Fit), "crop or pad")
        _check("background", self.background, 0 <= self.background <= 255, "in 0..255")
        _check("edges", self.edges, self.edges in get_args(Edges), "none, sobel or laplacian")
        share = 1.0 if self.fraction is None else self.fraction
        _check("fraction", self.fraction, 0 < share <= 1, "in (0, 1], or none")
        _check("count", self.count, self.count is None or self.count >= 2, ">= 2, or none")
        _check("on_error", self.on_error, self.on_error in get_args(OnError), "fail or skip")
        white = 1 if self.levels is None else self.levels
        _check("levels", self.levels, 1 <= white <= WHITE, f"in 1..{WHITE}, or none")
        _check("seed", self.seed, self.seed >= 0, ">= 0")
        if self.fraction is not None and self.count is not None:
            raise UserError(
                f"The values of `fraction` and `count` are {self.fraction} and {self.count}, "
                "but at most one of them may be given"
            )

    def kept(self, available: int) -> int:
        """How many of `available` images are kept.

        Raises:
            UserError: If there are fewer than `count`.
        """
        if self.count is not None and self.count > available:
            raise UserError(
                f"The value of `count` is {self.count}, but must be <= {available}, "
                "the number of images in the set"
            )
        if self.fraction is not None:
            return max(round(self.fraction * available), 1)
        return available if self.count is None else self.count

    @property
    def chosen_by(self) -> str:
        """Which part of the set is kept, in words."""
        if self.count is not None:
            return f"count={self.count}, seed={self.seed}"
        if self.fraction is not None:
            return f"fraction={self.fraction}, seed={self.seed}"
        return "all"


def _check(name: str, value: object, holds: bool, rule: str) -> None:
    if not holds or (isinstance(value, float) and math.isnan(value)):
        shown = "none" if value is None else repr(value)
        raise UserError(f"The value of `{name}` is {shown}, but must be {rule}")
