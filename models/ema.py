"""An exponential moving average of a family's weights."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from models.family import Family


class WeightAverage:
    """The family with averaged weights: what samples are taken from.

    The half-life is counted in images seen, not steps, so that changing the batch size does not
    silently change it. At the start it is `ramp` times the images seen so far, if that is shorter:
    a short run is not stuck at its random initialisation (Karras et al. 2022, as in NVlabs/edm).

    Args:
        family: What to average; copied.
        half_life: The number of images after which an old weight counts half, >= 0. 0 follows the
            weights exactly.
        ramp: The half-life's upper bound, as a share of the images seen, > 0.

    Attributes:
        family: The copy, in evaluation mode, on the same device.

    Raises:
        ValueError: If a value is out of its range.
    """

    def __init__(self, family: Family, half_life: float, ramp: float = 0.05) -> None:
        """Copy the family."""
        if not half_life >= 0:
            raise ValueError(f"The value of `ema_half_life` is {half_life}, but must be >= 0")
        if not ramp > 0:
            raise ValueError(f"The value of `ema_ramp` is {ramp}, but must be > 0")
        self.family = copy.deepcopy(family).eval().requires_grad_(False)
        self.half_life = half_life
        self.ramp = ramp
        self._averages: list[Tensor] = list(self.family.parameters())
        self._weights: list[Tensor] = list(family.parameters())
        self._buffers = list(zip(self.family.buffers(), family.buffers(), strict=True))

    def decay(self, batch: int, images_seen: int) -> float:
        """The share of the average kept after `batch` images, the last of `images_seen`."""
        half_life = min(self.half_life, self.ramp * images_seen)
        return 0.5 ** (batch / half_life) if half_life > 0 else 0.0

    @torch.no_grad()
    def update(self, batch: int, images_seen: int) -> None:
        """Take in the weights as they are after `batch` images, the last of `images_seen`."""
        share = 1 - self.decay(batch, images_seen)
        torch._foreach_lerp_(self._averages, self._weights, share)
        for average, buffer in self._buffers:  # batch norm's statistics, say: averages already
            average.copy_(buffer)
