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
    """

    def __init__(self, family: Family, half_life: float, ramp: float) -> None:
        """Copy the family."""
        self.family = copy.deepcopy(family).eval().requires_grad_(False)
        self.half_life = half_life
        self.ramp = ramp
        self._averages: list[Tensor] = list(self.family.parameters())
        self._weights: list[Tensor] = list(family.parameters())
        self._buffers = list(zip(self.family.buffers(), family.buffers(), strict=True))

    @torch.no_grad()
    def update(self, batch: int, images_seen: int) -> None:
        """Take in the weights as they are after `batch` images, the last of `images_seen`."""
        share = 1 - decay(batch, min(self.half_life, self.ramp * images_seen))
        torch._foreach_lerp_(self._averages, self._weights, share)
        for average, buffer in self._buffers:  # batch norm's statistics, say: averages already
            average.copy_(buffer)


def decay(images: int, half_life: float) -> float:
    """The share of an average that is kept after that many images; 0 if the half-life is 0."""
    return 0.5 ** (images / half_life) if half_life > 0 else 0.0
