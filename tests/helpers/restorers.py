"""Networks that restore images, and what they restore, for tests of morphing and its samplers."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn

SHAPE = (1, 6, 6)


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def morph_set(count: int = 7) -> Tensor:
    return torch.randint(256, (count, *SHAPE), generator=seeded(9)).to(torch.uint8)


class Constant(nn.Module):
    """Restores the same image, whatever it sees."""

    def __init__(self, x: Tensor) -> None:
        super().__init__()
        self.x = nn.Parameter(x)

    def forward(self, z_t: Tensor, t: Tensor) -> Tensor:
        return self.x.expand_as(z_t)


class Imperfect(nn.Module):
    """Depends on the image, on the timestep, and on pixels beside."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(0.8))

    def forward(self, z_t: Tensor, t: Tensor) -> Tensor:
        return torch.tanh(self.gain * z_t.roll(1, -1) + 0.02 * t.view(-1, 1, 1, 1))


def images(seed: int, count: int = 4) -> Tensor:
    return torch.rand(count, *SHAPE, generator=seeded(seed)) * 2 - 1
