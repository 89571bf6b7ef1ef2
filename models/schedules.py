"""Noise schedules: one tensor of betas, and what follows from it.

Timesteps count from 0 to T-1, as in diffusers: `alpha_bars[t]` is the product of `1 - betas[s]` for
s <= t, so `t = 0` already carries a little noise and clean images stand at "t = -1", where
alpha_bar is 1.

"Linear" has two conventions. diffusers (and Ho et al. 2020) take `beta_start` and `beta_end` as
they are, which at T = 100 leaves alpha_bar at 0.37: far from noise. improved-diffusion scales both
by 1000 / T, so that alpha_bar ends at about the same value for every T. Here `scaled` names which.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Schedule:
    """A forward process, q(x_t | x_{t-1}) = N(sqrt(1 - beta_t) x_{t-1}, beta_t I), by its betas.

    Everything named here is computed once, in float64. The methods that run in every batch look up
    float32 tables.

    Attributes:
        betas: [T] float64, each in (0, 1).
    """

    betas: Tensor
    _copies: dict[torch.device, Schedule] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        """Check the betas.

        Raises:
            ValueError: If the betas are not a non-empty float64 vector with every value in (0, 1).
        """
        if self.betas.ndim != 1 or len(self.betas) == 0 or self.betas.dtype != torch.float64:
            raise ValueError(
                f"`betas` has shape {list(self.betas.shape)} and type {self.betas.dtype}, "
                "but must be a non-empty vector of torch.float64"
            )
        outside = ~((self.betas > 0) & (self.betas < 1))  # NaN compares false: outside
        if outside.any():
            t = int(outside.nonzero()[0])
            value = float(self.betas[t])
            raise ValueError(f"The value of `betas[{t}]` is {value:g}, but must be in (0, 1)")

    @property
    def timesteps(self) -> int:
        """The number of timesteps, T."""
        return len(self.betas)

    @cached_property
    def alphas(self) -> Tensor:
        """1 - beta_t, [T] float64."""
        return 1 - self.betas

    @cached_property
    def alpha_bars(self) -> Tensor:
        """The product of alpha_s for s <= t, [T] float64: the share of variance that is left."""
        return self.alphas.cumprod(0)

    @cached_property
    def alpha_bars_previous(self) -> Tensor:
        """alpha_bar at t - 1, [T] float64; 1 at t = 0."""
        return torch.cat([self.alpha_bars.new_ones(1), self.alpha_bars[:-1]])

    @cached_property
    def posterior_variance(self) -> Tensor:
        """Beta tilde, the variance of q(x_{t-1} | x_t, x_0), [T] float64.

        Nichol & Dhariwal 2021, eq. 9. It is 0 at t = 0.
        """
        return self.betas * (1 - self.alpha_bars_previous) / (1 - self.alpha_bars)

    def add_noise(self, x0: Tensor, t: Tensor, epsilon: Tensor) -> Tensor:
        """Draw from q(x_t | x_0), given the standard normal noise (Nichol & Dhariwal 2021, eq. 8).

        Args:
            x0: Clean images, [B, ...], float.
            t: Timesteps, [B], integers in 0 .. T-1.
            epsilon: Standard normal noise, shaped like `x0`.

        Returns:
            x_t, shaped like `x0`.
        """
        signal, noise = self._sqrt_alpha_bars, self._sqrt_one_minus_alpha_bars
        return _at(signal, t, x0) * x0 + _at(noise, t, x0) * epsilon

    def posterior_mean(self, x0: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
        """The mean of q(x_{t-1} | x_t, x_0) (Nichol & Dhariwal 2021, eq. 10).

        Args:
            x0: Clean images, [B, ...], float.
            x_t: The same images with noise, shaped like `x0`.
            t: Timesteps, [B], integers in 0 .. T-1. At t = 0 the mean is `x0`.

        Returns:
            The mean, shaped like `x0`.
        """
        return _at(self._posterior_x0, t, x0) * x0 + _at(self._posterior_x_t, t, x0) * x_t

    def to(self, device: torch.device | str) -> Schedule:
        """The same schedule on `device`; made once for each device, so fit for a hot loop."""
        device = torch.device(device)
        if device == self.betas.device:
            return self
        if device not in self._copies:
            self._copies[device] = Schedule(self.betas.to(device))
        return self._copies[device]

    @cached_property
    def _sqrt_alpha_bars(self) -> Tensor:
        return self.alpha_bars.sqrt().float()

    @cached_property
    def _sqrt_one_minus_alpha_bars(self) -> Tensor:
        return (1 - self.alpha_bars).sqrt().float()

    @cached_property
    def _posterior_x0(self) -> Tensor:
        return (self.alpha_bars_previous.sqrt() * self.betas / (1 - self.alpha_bars)).float()

    @cached_property
    def _posterior_x_t(self) -> Tensor:
        return (self.alphas.sqrt() * (1 - self.alpha_bars_previous) / (1 - self.alpha_bars)).float()


def linear(
    timesteps: int, *, beta_start: float = 1e-4, beta_end: float = 0.02, scaled: bool = False
) -> Schedule:
    """Betas rising linearly (Ho et al. 2020, section 4).

    Args:
        timesteps: T, at least 1.
        beta_start: The first beta.
        beta_end: The last beta.
        scaled: Multiply the betas by 1000 / T (improved-diffusion), rather than take them as they
            are (diffusers).

    Raises:
        ValueError: If T < 1, or a beta ends outside (0, 1); scaled, 0.02 does so below T = 21.
    """
    factor = _factor(timesteps, scaled)
    first = _beta("beta_start", beta_start, factor)
    last = _beta("beta_end", beta_end, factor)
    return Schedule(torch.linspace(first, last, timesteps, dtype=torch.float64))


def inverse_linear(
    timesteps: int, *, beta_start: float = 1e-4, beta_end: float = 0.02, scaled: bool = False
) -> Schedule:
    """`linear` flipped in time: betas fall from `beta_end` to `beta_start`. All else as there."""
    rising = linear(timesteps, beta_start=beta_start, beta_end=beta_end, scaled=scaled)
    return Schedule(rising.betas.flip(0))


def constant(timesteps: int, *, beta: float = 0.01, scaled: bool = False) -> Schedule:
    """The same beta at every timestep.

    Args:
        timesteps: T, at least 1.
        beta: The beta.
        scaled: Multiply it by 1000 / T, as in `linear`.

    Raises:
        ValueError: If T < 1, or the beta ends outside (0, 1).
    """
    value = _beta("beta", beta, _factor(timesteps, scaled))
    return Schedule(torch.full((timesteps,), value, dtype=torch.float64))


def cosine(timesteps: int, *, offset: float = 0.008, max_beta: float = 0.999) -> Schedule:
    """alpha_bar falling as a squared cosine (Nichol & Dhariwal 2021, eq. 17).

    Args:
        timesteps: T, at least 1.
        offset: The paper's s, >= 0: keeps the first betas from being tiny.
        max_beta: Upper bound of beta, in (0, 1). The paper's is 0.999.

    Raises:
        ValueError: If a value is outside its range.
    """
    _check_timesteps(timesteps)
    if not 0 <= offset < math.inf:
        raise ValueError(f"The value of `offset` is {offset}, but must be >= 0")
    if not 0 < max_beta < 1:
        raise ValueError(f"The value of `max_beta` is {max_beta}, but must be in (0, 1)")
    time = torch.arange(timesteps + 1, dtype=torch.float64) / timesteps
    f = torch.cos((time + offset) / (1 + offset) * math.pi / 2) ** 2  # [T + 1]
    return Schedule((1 - f[1:] / f[:-1]).clamp(max=max_beta))


SCHEDULES: Mapping[str, Callable[..., Schedule]] = MappingProxyType(
    {"linear": linear, "cosine": cosine, "constant": constant, "inverse_linear": inverse_linear}
)
"""The schedules by name: each takes `timesteps` and options of its own."""


def _at(table: Tensor, t: Tensor, like: Tensor) -> Tensor:
    """The table's values at `t`, shaped to multiply `like`: [B, 1, ..., 1]."""
    return table[t].view(-1, *[1] * (like.ndim - 1))


def _check_timesteps(timesteps: int) -> None:
    if timesteps < 1:
        raise ValueError(f"The value of `timesteps` is {timesteps}, but must be >= 1")


def _factor(timesteps: int, scaled: bool) -> float:
    _check_timesteps(timesteps)
    return 1000 / timesteps if scaled else 1.0


def _beta(name: str, value: float, factor: float) -> float:
    if not 0 < value * factor < 1:
        scaling = f" (times 1000 / T: {value * factor:g})" if factor != 1 else ""
        raise ValueError(f"The value of `{name}` is {value}{scaling}, but must be in (0, 1)")
    return value * factor
