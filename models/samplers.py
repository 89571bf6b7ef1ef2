"""Samplers of diffusion models: one function each, all with one signature.

A sampler is a generator: it yields its state after each step, so that stopping early, drawing a
film strip or measuring along the way live with the caller. `steps` may be fewer than the model's
timesteps; the sampler then visits some of them, spaced as `respaced` says.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Literal, Protocol

import torch
from torch import Generator, Tensor

from models.family import State
from models.schedules import Schedule

Spacing = Literal["trailing", "leading"]
Variance = Literal["fixed_small", "fixed_large"]


class Denoiser(Protocol):
    """What a sampler asks of a model; every parameterisation is adapted to it."""

    @property
    def schedule(self) -> Schedule:
        """The forward process that the model undoes."""

    def predict_epsilon(self, x_t: Tensor, t: Tensor) -> Tensor:
        """The noise in `x_t` [B, C, H, W] at timesteps `t` [B]."""


@torch.no_grad()
def ancestral(
    model: Denoiser,
    x_T: Tensor,
    *,
    steps: int,
    generator: Generator,
    clip_x0: bool = True,
    spacing: Spacing = "trailing",
    variance: Variance = "fixed_small",
) -> Iterator[State]:
    """Ancestral sampling (Ho et al. 2020, algorithm 2; Nichol & Dhariwal 2021, section 4).

    Args:
        model: What predicts the noise.
        x_T: Standard normal noise, [B, C, H, W].
        steps: How many timesteps to visit, 1 .. T.
        generator: Source of the noise that each step but the last one adds.
        clip_x0: Clamp each estimate of the clean images to [-1, 1], where the data are.
        spacing: Which timesteps to visit, see `respaced`.
        variance: Of the noise added: `fixed_small` is beta tilde, the lower bound, and far better
            with few steps; `fixed_large` is beta.

    Raises:
        ValueError: If `steps`, `spacing` or `variance` is not one of those.
    """
    if variance not in ("fixed_small", "fixed_large"):
        raise ValueError(
            f"The value of `variance` is {variance!r}, but must be 'fixed_small' or 'fixed_large'"
        )
    x = x_T
    for t, alpha_bar, alpha_bar_next in _path(model.schedule, steps, spacing):
        x0, _ = _estimate(model, x, t, alpha_bar, clip_x0)
        alpha = alpha_bar / alpha_bar_next  # of the respaced chain
        beta = 1 - alpha
        x = (
            math.sqrt(alpha_bar_next) * beta / (1 - alpha_bar) * x0
            + math.sqrt(alpha) * (1 - alpha_bar_next) / (1 - alpha_bar) * x
        )
        if alpha_bar_next < 1:  # the last step ends in clean images, and adds no noise
            beta_tilde = beta * (1 - alpha_bar_next) / (1 - alpha_bar)
            deviation = math.sqrt(beta_tilde if variance == "fixed_small" else beta)
            x = x + deviation * _noise_like(x, generator)
        yield State(t, x, x0)


@torch.no_grad()
def ddim(
    model: Denoiser,
    x_T: Tensor,
    *,
    steps: int,
    generator: Generator,
    clip_x0: bool = True,
    spacing: Spacing = "trailing",
    eta: float = 0.0,
) -> Iterator[State]:
    """DDIM (Song, Meng & Ermon 2021, eq. 12 and 16).

    Args:
        model: What predicts the noise.
        x_T: Standard normal noise, [B, C, H, W].
        steps: How many timesteps to visit, 1 .. T.
        generator: Source of the noise that each step but the last adds; unused if `eta` is 0.
        clip_x0: Clamp each estimate of the clean images to [-1, 1], where the data are.
        spacing: Which timesteps to visit, see `respaced`.
        eta: From 0, deterministic, to 1, the variance of `ancestral` with `fixed_small`.

    Raises:
        ValueError: If `steps` or `spacing` is not one of those, or `eta` is outside [0, 1].
    """
    if not 0 <= eta <= 1:
        raise ValueError(f"The value of `eta` is {eta}, but must be in [0, 1]")
    x = x_T
    for t, alpha_bar, alpha_bar_next in _path(model.schedule, steps, spacing):
        x0, epsilon = _estimate(model, x, t, alpha_bar, clip_x0)
        beta_tilde = (1 - alpha_bar_next) / (1 - alpha_bar) * (1 - alpha_bar / alpha_bar_next)
        sigma = eta * math.sqrt(beta_tilde)
        direction = math.sqrt(max(1 - alpha_bar_next - sigma**2, 0.0))
        x = math.sqrt(alpha_bar_next) * x0 + direction * epsilon
        if sigma > 0:
            x = x + sigma * _noise_like(x, generator)
        yield State(t, x, x0)


SAMPLERS: Mapping[str, Callable[..., Iterator[State]]] = MappingProxyType(
    {"ancestral": ancestral, "ddim": ddim}
)
"""The samplers by name: each takes (model, x_T, *, steps, generator) and options of its own."""


def respaced(timesteps: int, steps: int, spacing: Spacing) -> list[int]:
    """The timesteps that a sampler visits, falling (Lin et al. 2024, table 2).

    `trailing` starts from T-1, the one timestep at which pure noise is what the model has seen;
    `leading` ends at 0, but starts below T-1, where the model expects a trace of an image that pure
    noise does not have.

    Args:
        timesteps: T.
        steps: How many to visit, 1 .. T.
        spacing: `trailing` or `leading`.

    Raises:
        ValueError: If `steps` or `spacing` is not one of those.
    """
    if not 1 <= steps <= timesteps:
        raise ValueError(
            f"The value of `steps` is {steps}, but must be in 1 .. {timesteps}, the model's own"
        )
    if spacing == "trailing":
        return [round(timesteps * (steps - i) / steps) - 1 for i in range(steps)]
    if spacing == "leading":
        return [timesteps // steps * i for i in reversed(range(steps))]
    raise ValueError(f"The value of `spacing` is {spacing!r}, but must be 'trailing' or 'leading'")


def _path(schedule: Schedule, steps: int, spacing: Spacing) -> Iterator[tuple[int, float, float]]:
    """(t, alpha_bar at t, alpha_bar at the next timestep visited: 1 after the last).

    Plain numbers, read from the device once: the steps of a sampler then never wait for the device.
    """
    visited = respaced(schedule.timesteps, steps, spacing)
    alpha_bars = schedule.alpha_bars.tolist()
    for t, t_next in zip(visited, [*visited[1:], None], strict=True):
        yield t, alpha_bars[t], 1.0 if t_next is None else alpha_bars[t_next]


def _estimate(
    model: Denoiser, x: Tensor, t: int, alpha_bar: float, clip_x0: bool
) -> tuple[Tensor, Tensor]:
    """The model's estimate of the clean images, and of the noise."""
    epsilon = model.predict_epsilon(x, torch.full((len(x),), t, device=x.device))
    x0 = (x - math.sqrt(1 - alpha_bar) * epsilon) / math.sqrt(alpha_bar)  # add_noise, solved for x0
    return (x0.clamp(-1, 1) if clip_x0 else x0), epsilon


def _noise_like(x: Tensor, generator: Generator) -> Tensor:
    return torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)
