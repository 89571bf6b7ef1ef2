"""Models that are functions of their arguments, for tests of samplers and of the bound."""

from __future__ import annotations

import torch
from torch import Tensor

from models.predictions import PREDICTIONS, Prediction
from models.schedules import Schedule


class Toy:
    """A denoiser that is a smooth function of both its arguments, and no more."""

    def __init__(self, schedule: Schedule, learned: bool = False) -> None:
        self.schedule = schedule
        self.learned = learned

    def epsilon(self, x_t: Tensor, t: Tensor) -> Tensor:
        return torch.tanh(x_t + 0.01 * t.view(-1, 1, 1, 1)) + 0.2 * x_t.roll(1, dims=-1)

    def share(self, x_t: Tensor, t: Tensor) -> Tensor:
        return 0.5 + 0.4 * torch.sin(3 * x_t + t.view(-1, 1, 1, 1))

    def predict(self, x_t: Tensor, t: Tensor) -> Prediction:
        estimate = PREDICTIONS["epsilon"].estimate
        share = self.share(x_t, t) if self.learned else None
        return Prediction(*estimate(self.schedule, self.epsilon(x_t, t), x_t, t), share)


class Gaussian:
    """The exact denoiser of data that are normal, with this mean and deviation in each pixel."""

    def __init__(self, schedule: Schedule, mean: float, deviation: float) -> None:
        self.schedule = schedule
        self.mean, self.deviation = mean, deviation

    def predict(self, x_t: Tensor, t: Tensor) -> Prediction:
        alpha_bar = self.schedule.alpha_bars[t].view(-1, 1, 1, 1)
        variance = alpha_bar * self.deviation**2 + 1 - alpha_bar
        epsilon = (1 - alpha_bar).sqrt() * (x_t - alpha_bar.sqrt() * self.mean) / variance
        x0 = (x_t - (1 - alpha_bar).sqrt() * epsilon) / alpha_bar.sqrt()
        return Prediction(x0.to(x_t.dtype), epsilon.to(x_t.dtype))
