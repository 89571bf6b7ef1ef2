"""Networks that are functions of their arguments, for tests of diffusion and its predictions."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.schedules import Schedule


class Zero(nn.Module):
    """Predicts 0, whatever it sees."""

    def __init__(self, outputs: int = 1) -> None:
        super().__init__()
        self.outputs = outputs
        self.weight = nn.Parameter(torch.zeros(()))

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        return self.weight * x_t.repeat(1, self.outputs, 1, 1)


class Convolution(nn.Module):
    """The smallest network whose outputs have weights of their own."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.layer = nn.Conv2d(1, outputs, 3, padding=1)

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        return self.layer(x_t) + 0.001 * t.view(-1, 1, 1, 1)


class Knowing(nn.Module):
    """The perfect network of each prediction for one image: it knows what x_t is made of.

    What it should give is written out from the papers, in float64.
    """

    def __init__(self, schedule: Schedule, x0: Tensor, prediction: str) -> None:
        super().__init__()
        self.schedule, self.x0, self.prediction = schedule, x0.double(), prediction

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        alpha, bar = (
            values[t].view(-1, 1, 1, 1)
            for values in (self.schedule.alphas, self.schedule.alpha_bars)
        )
        epsilon = (x_t.double() - bar.sqrt() * self.x0) / (1 - bar).sqrt()
        output = {
            "epsilon": epsilon,
            "x0": self.x0.expand_as(epsilon),
            "v": bar.sqrt() * epsilon - (1 - bar).sqrt() * self.x0,  # Salimans & Ho 2022
            # Ho et al. 2020, eq. 11, where mu is written with epsilon
            "mean": (x_t - (1 - alpha) / (1 - bar).sqrt() * epsilon) / alpha.sqrt(),
        }[self.prediction]
        return output.to(x_t.dtype)
