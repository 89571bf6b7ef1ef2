"""A noise schedule: one tensor of betas, and what follows from it.

Timesteps count from 0 to T-1, as in diffusers: `alpha_bars[t]` is the product of `1 - betas[s]` for
s <= t, so `t = 0` already carries a little noise and clean images stand at "t = -1", where
alpha_bar is 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

LEAST_ALPHA_BAR = 1e-30
"""What the last alpha_bar may be: below, its square root and inverse leave float32."""


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
            ValueError: If the betas are not a non-empty float64 vector with every value in (0, 1),
                or leave less than `LEAST_ALPHA_BAR` of the images.
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
        left = float(self.alpha_bars[-1])
        if left < LEAST_ALPHA_BAR:
            raise ValueError(
                f"alpha_bar ends at {left:.1e} after {len(self.betas)} timesteps, but must be >= "
                f"{LEAST_ALPHA_BAR:g}: take smaller betas, or fewer timesteps"
            )

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

    @cached_property
    def signal_to_noise(self) -> Tensor:
        """alpha_bar / (1 - alpha_bar), [T] float64: the ratio of the variances."""
        return self.alpha_bars / (1 - self.alpha_bars)

    def add_noise(self, x0: Tensor, t: Tensor, epsilon: Tensor) -> Tensor:
        """Draw from q(x_t | x_0), given the standard normal noise (Nichol & Dhariwal 2021, eq. 8).

        Args:
            x0: Clean images, [B, ...], float.
            t: Timesteps, [B], integers in 0 .. T-1.
            epsilon: Standard normal noise, shaped like `x0`.

        Returns:
            x_t, shaped like `x0`.
        """
        return self.signal_scale(t, x0) * x0 + self.noise_scale(t, x0) * epsilon

    def signal_scale(self, t: Tensor, like: Tensor) -> Tensor:
        """sqrt(alpha_bar) at timesteps `t` [B], shaped to multiply `like`: [B, 1, ..., 1]."""
        return _at(self._sqrt_alpha_bars, t, like)

    def noise_scale(self, t: Tensor, like: Tensor) -> Tensor:
        """sqrt(1 - alpha_bar) at timesteps `t` [B], shaped to multiply `like`: [B, 1, ..., 1]."""
        return _at(self._sqrt_one_minus_alpha_bars, t, like)

    def posterior_scales(self, t: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        """The posterior mean's factors of x_0 and of x_t: 1 and 0 at t = 0. Shaped as above."""
        return _at(self._posterior_x0, t, like), _at(self._posterior_x_t, t, like)

    def posterior_mean(self, x0: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
        """The mean of q(x_{t-1} | x_t, x_0) (Nichol & Dhariwal 2021, eq. 10).

        Args:
            x0: Clean images, [B, ...], float.
            x_t: The same images with noise, shaped like `x0`.
            t: Timesteps, [B], integers in 0 .. T-1. At t = 0 the mean is `x0`.

        Returns:
            The mean, shaped like `x0`.
        """
        x0_scale, x_t_scale = self.posterior_scales(t, x0)
        return x0_scale * x0 + x_t_scale * x_t

    def log_variance_range(self, t: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        """The logarithms of beta tilde and of beta, between which a model's variance lies.

        Beta tilde is 0 at t = 0, where no density could be: there the next one stands in for it, as
        in Nichol & Dhariwal 2021, and in the code of both papers.

        Args:
            t: Timesteps, [B].
            like: A tensor of B rows.

        Returns:
            Two tensors shaped to multiply `like`, [B, 1, ..., 1].
        """
        return _at(self._log_posterior_variance, t, like), _at(self._log_betas, t, like)

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

    @cached_property
    def _log_betas(self) -> Tensor:
        return self.betas.log().float()

    @cached_property
    def _log_posterior_variance(self) -> Tensor:
        if self.timesteps == 1:
            return self._log_betas
        known = self.posterior_variance[1:]
        return torch.cat([known[:1], known]).log().float()


def _at(table: Tensor, t: Tensor, like: Tensor) -> Tensor:
    """The table's values at `t`, shaped to multiply `like`: [B, 1, ..., 1]."""
    return table[t].view(-1, *[1] * (like.ndim - 1))
