"""The loss on images that were held out, and stopping when it no longer falls."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from models.family import Family
from models.images import to_float
from models.seeding import derive_seed

_CHUNK = 128


@torch.no_grad()
def validation_loss(
    family: Family, images: Tensor, seed: int, *, rank: int = 0, world: int = 1
) -> Tensor:
    """The mean loss on images that are not learned from, always with the same draws.

    Args:
        family: In evaluation mode. With the averaged weights the loss is of what samples come from.
        images: [N, C, H, W] uint8, N >= 1, on the family's device; all of them on every worker.
        seed: Chooses the draws.
        rank: This worker's index, 0 .. world-1.
        world: How many workers share the images.

    Returns:
        A scalar on the device. Its mean over the workers is the mean over the images.
    """
    total = torch.zeros((), device=images.device)
    for index, chunk in enumerate(torch.split(images, _CHUNK)):
        generator = Generator(images.device)
        generator.manual_seed(derive_seed(seed, "validation", index))
        draws = family.draw(len(chunk), generator)  # by every worker: the draws are the chunk's
        if index % world == rank:
            total = total + family.losses(to_float(chunk), *draws).sum()
    return total * (world / len(images))


@dataclass
class EarlyStopping:
    """Says when a loss has stopped falling.

    Attributes:
        patience: How many values in a row may fail to be better.
        min_delta: How much lower than the best a value must be to be better.
        best: The lowest value so far that was better.
        waited: Values since then.
    """

    patience: int
    min_delta: float = 0.0
    best: float = math.inf
    waited: int = 0

    def stops(self, loss: float) -> bool:
        """Take in a value; answers whether to stop."""
        if loss < self.best - self.min_delta:
            self.best, self.waited = loss, 0
        else:
            self.waited += 1
        return self.waited >= self.patience
