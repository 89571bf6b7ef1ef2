"""What a network may predict, and what a sampler asks of a model.

A network's output is a linear function of the clean images and of the noise, given the noisy ones;
each prediction here is such a function, with its inverse. Samplers see none of that: they ask a
`Denoiser` for a `Prediction`, which names the clean images and the noise both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal, Protocol

import torch
from torch import Tensor

from models.noise_schedule import Schedule

Variance = Literal["fixed_small", "fixed_large", "learned"]


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a model makes of noisy images.

    Attributes:
        x0: The clean images, [B, C, H, W]; not clipped, unless the model predicts the mean.
        epsilon: The noise, [B, C, H, W]. With `x0` it makes up the noisy images exactly.
        variance_share: For a model that learns its variance, v of Nichol & Dhariwal 2021, eq. 15,
            [B, C, H, W]: 0 where the variance is beta tilde, 1 where it is beta. Else None.
    """

    x0: Tensor
    epsilon: Tensor
    variance_share: Tensor | None = None


class Denoiser(Protocol):
    """What a sampler asks of a model; every parameterisation is adapted to it."""

    @property
    def schedule(self) -> Schedule:
        """The forward process that the model undoes."""

    def predict(self, x_t: Tensor, t: Tensor) -> Prediction:
        """The clean images and the noise in `x_t` [B, C, H, W] at timesteps `t` [B]."""


def predict_at(model: Denoiser, x_t: Tensor, t: int, *, clip_x0: bool) -> Prediction:
    """A model's prediction for images that are all at one timestep.

    Args:
        model: What predicts.
        x_t: Noisy images, [B, C, H, W].
        t: Their timestep.
        clip_x0: Clamp the clean images to [-1, 1], where the data are; the noise stays as it is.
    """
    prediction = model.predict(x_t, torch.full((len(x_t),), t, device=x_t.device))
    return replace(prediction, x0=prediction.x0.clamp(-1, 1)) if clip_x0 else prediction


@dataclass(frozen=True)
class Parameterisation:
    """What an output stands for.

    Attributes:
        target: (schedule, x0, epsilon, x_t, t) -> the output of a perfect network, [B, C, H, W].
        estimate: (schedule, output, x_t, t) -> the clean images and the noise that it stands for.
        error_in_x0: (schedule) -> how far off x0 is for an output that is off by one, [T] float64.
    """

    target: Callable[[Schedule, Tensor, Tensor, Tensor, Tensor], Tensor]
    estimate: Callable[[Schedule, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
    error_in_x0: Callable[[Schedule], Tensor]


def _epsilon_estimate(
    schedule: Schedule, output: Tensor, x_t: Tensor, t: Tensor
) -> tuple[Tensor, Tensor]:
    """Nichol & Dhariwal 2021, eq. 8, solved for x0."""
    x0 = (x_t - schedule.noise_scale(t, x_t) * output) / schedule.signal_scale(t, x_t)
    return x0, output


def _x0_estimate(
    schedule: Schedule, output: Tensor, x_t: Tensor, t: Tensor
) -> tuple[Tensor, Tensor]:
    """Nichol & Dhariwal 2021, eq. 8, solved for epsilon."""
    epsilon = (x_t - schedule.signal_scale(t, x_t) * output) / schedule.noise_scale(t, x_t)
    return output, epsilon


def _v_target(schedule: Schedule, x0: Tensor, epsilon: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
    """Salimans & Ho 2022, section 4: v = alpha epsilon - sigma x."""
    return schedule.signal_scale(t, x_t) * epsilon - schedule.noise_scale(t, x_t) * x0


def _v_estimate(
    schedule: Schedule, output: Tensor, x_t: Tensor, t: Tensor
) -> tuple[Tensor, Tensor]:
    """Salimans & Ho 2022, appendix D: x and epsilon are x_t and v turned by an angle."""
    signal, noise = schedule.signal_scale(t, x_t), schedule.noise_scale(t, x_t)
    return signal * x_t - noise * output, noise * x_t + signal * output


def _mean_estimate(
    schedule: Schedule, output: Tensor, x_t: Tensor, t: Tensor
) -> tuple[Tensor, Tensor]:
    """Nichol & Dhariwal 2021, eq. 10, solved for x0.

    There is little of x0 in the mean where t is large, so a small error of the mean is a large one
    of x0: without clamping x0 to [-1, 1], where the data are, DDIM's noise would be far off.
    """
    x0_scale, x_t_scale = schedule.posterior_scales(t, x_t)
    x0 = ((output - x_t_scale * x_t) / x0_scale).clamp(-1, 1)
    return _x0_estimate(schedule, x0, x_t, t)


PREDICTIONS: Mapping[str, Parameterisation] = MappingProxyType(
    {
        "epsilon": Parameterisation(
            target=lambda schedule, x0, epsilon, x_t, t: epsilon,
            estimate=_epsilon_estimate,
            error_in_x0=lambda schedule: schedule.signal_to_noise.rsqrt(),
        ),
        "x0": Parameterisation(
            target=lambda schedule, x0, epsilon, x_t, t: x0,
            estimate=_x0_estimate,
            error_in_x0=lambda schedule: torch.ones_like(schedule.betas),
        ),
        "v": Parameterisation(
            target=_v_target,
            estimate=_v_estimate,
            error_in_x0=lambda schedule: (1 - schedule.alpha_bars).sqrt(),
        ),
        "mean": Parameterisation(
            target=lambda schedule, x0, epsilon, x_t, t: schedule.posterior_mean(x0, x_t, t),
            estimate=_mean_estimate,
            error_in_x0=lambda schedule: (
                (1 - schedule.alpha_bars)
                / (schedule.alpha_bars_previous.sqrt() * schedule.betas)  # eq. 10
            ),
        ),
    }
)
"""What a network may predict, by name. `mean` is that of the posterior q(x_{t-1} | x_t, x_0)."""
