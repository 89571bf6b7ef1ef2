"""Losses of a prediction, one value an image, and how they weigh at each timestep."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from models.noise_schedule import Schedule

Regression = Callable[[Tensor, Tensor], Tensor]
"""(prediction, target), both [B, ...] -> the mean error of each image, [B]."""


@dataclass(frozen=True)
class MSE:
    """The mean of the squared error."""

    def __call__(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Loss of each image, [B]."""
        return (prediction - target).square().flatten(1).mean(1)


@dataclass(frozen=True)
class L1:
    """The mean of the absolute error."""

    def __call__(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Loss of each image, [B]."""
        return (prediction - target).abs().flatten(1).mean(1)


@dataclass(frozen=True)
class Huber:
    """Half the squared error up to `delta`, and from there on a straight line (Huber 1964).

    Attributes:
        delta: Where the line begins, > 0. There the slope is `delta`.
    """

    delta: float = 1.0

    def __post_init__(self) -> None:
        """Check the value.

        Raises:
            ValueError: If `delta` is not positive.
        """
        if not 0 < self.delta < math.inf:
            raise ValueError(f"The value of `delta` is {self.delta}, but must be > 0")

    def __call__(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Loss of each image, [B]."""
        errors = F.huber_loss(prediction, target, reduction="none", delta=self.delta)
        return errors.flatten(1).mean(1)


REGRESSIONS: Mapping[str, Callable[..., Regression]] = MappingProxyType(
    {"mse": MSE, "l1": L1, "huber": Huber}
)
"""The losses by name."""


class Weighting(Protocol):
    """How much the loss counts at each timestep."""

    def weights(self, schedule: Schedule, error_in_x0: Tensor) -> Tensor:
        """The factor of the loss at each timestep.

        Args:
            schedule: The forward process.
            error_in_x0: How far off x0 is for a prediction that is off by one, [T] float64.

        Returns:
            [T] float64.
        """


@dataclass(frozen=True)
class Uniform:
    """Every timestep alike: L_simple of Ho et al. 2020, eq. 14."""

    def weights(self, schedule: Schedule, error_in_x0: Tensor) -> Tensor:
        """All ones, [T]."""
        del error_in_x0
        return torch.ones_like(schedule.betas)


@dataclass(frozen=True)
class MinSNR:
    """Min-SNR: the squared error of x0 counts min(SNR, gamma) times (Hang et al. 2023, sec. 3.4).

    A network that predicts something else is off by less or more than x0 is, and its squared error
    counts accordingly: min(SNR, gamma) / SNR times for epsilon, min(SNR, gamma) / (SNR + 1) times
    for v. The weights are derived for the squared error; other losses take them as they are.

    Attributes:
        gamma: The largest weight, > 0.
    """

    gamma: float = 5.0

    def __post_init__(self) -> None:
        """Check the value.

        Raises:
            ValueError: If `gamma` is not positive.
        """
        if not 0 < self.gamma < math.inf:
            raise ValueError(f"The value of `gamma` is {self.gamma}, but must be > 0")

    def weights(self, schedule: Schedule, error_in_x0: Tensor) -> Tensor:
        """min(SNR, gamma), times the square of x0's error for each unit of the prediction's."""
        return schedule.signal_to_noise.clamp(max=self.gamma) * error_in_x0.square()


WEIGHTINGS: Mapping[str, Callable[..., Weighting]] = MappingProxyType(
    {"uniform": Uniform, "min_snr": MinSNR}
)
"""The weightings by name."""
