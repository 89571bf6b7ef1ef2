"""Noise schedules by name.

"Linear" has two conventions. diffusers (and Ho et al. 2020) take `beta_start` and `beta_end` as
they are, which at T = 100 leaves alpha_bar at 0.37: far from noise. improved-diffusion scales both
by 1000 / T, so that alpha_bar ends at about the same value for every T. Here `scaled` names which.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor

from models.noise_schedule import Schedule

__all__ = [
    "SCHEDULES",
    "Schedule",
    "constant",
    "cosine",
    "inverse_linear",
    "linear",
    "linear_alpha",
    "linear_alpha_bar",
    "sigmoid",
]


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


def linear_alpha(
    timesteps: int, *, alpha_start: float = 0.9999, alpha_end: float = 0.98, scaled: bool = False
) -> Schedule:
    """alpha_t = 1 - beta_t falling linearly: `linear` by the alphas at its ends.

    Args:
        timesteps: T, at least 1.
        alpha_start: The first alpha.
        alpha_end: The last alpha.
        scaled: Multiply the betas, 1 - alpha, by 1000 / T, as in `linear`.

    Raises:
        ValueError: If T < 1, or an alpha ends outside (0, 1).
    """
    factor = _factor(timesteps, scaled)
    _check_open_unit("alpha_start", alpha_start)
    _check_open_unit("alpha_end", alpha_end)
    first = _beta("1 - alpha_start", 1 - alpha_start, factor)
    last = _beta("1 - alpha_end", 1 - alpha_end, factor)
    return Schedule(torch.linspace(first, last, timesteps, dtype=torch.float64))


def linear_alpha_bar(timesteps: int, *, final: float = 0.001, max_beta: float = 0.999) -> Schedule:
    """alpha_bar falling linearly from 1, before the first step, to `final`.

    Args:
        timesteps: T, at least 1.
        final: alpha_bar after the last step, in (0, 1).
        max_beta: Upper bound of beta, in (0, 1).

    Raises:
        ValueError: If a value is outside its range.
    """
    _check_timesteps(timesteps)
    _check_open_unit("final", final)
    return _from_alpha_bars(torch.linspace(1, final, timesteps + 1, dtype=torch.float64), max_beta)


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
    time = torch.arange(timesteps + 1, dtype=torch.float64) / timesteps
    f = torch.cos((time + offset) / (1 + offset) * math.pi / 2) ** 2  # [T + 1]
    return _from_alpha_bars(f, max_beta)


def sigmoid(
    timesteps: int,
    *,
    start: float = -3.0,
    end: float = 3.0,
    tau: float = 1.0,
    max_beta: float = 0.999,
) -> Schedule:
    """alpha_bar falling as a sigmoid (Jabri et al. 2022; Chen 2023, algorithm 1).

    Args:
        timesteps: T, at least 1.
        start: Where on the sigmoid clean images stand, below `end`.
        end: Where pure noise stands.
        tau: The temperature, > 0: the sigmoid is taken at `start / tau` to `end / tau`.
        max_beta: Upper bound of beta, in (0, 1).

    Raises:
        ValueError: If a value is outside its range, or the sigmoid is so steep that it does not
            fall at every step.
    """
    _check_timesteps(timesteps)
    if not -math.inf < start < end < math.inf:
        raise ValueError(f"The value of `start` is {start}, but must be below `end`, {end}")
    if not 0 < tau < math.inf:
        raise ValueError(f"The value of `tau` is {tau}, but must be > 0")
    # 1 - sigmoid(x) = sigmoid(-x): written so, nothing cancels where little is left.
    rising = torch.linspace(start / tau, end / tau, timesteps + 1, dtype=torch.float64)
    left = torch.sigmoid(-rising)  # [T + 1]
    return _from_alpha_bars(left - left[-1], max_beta)


SCHEDULES: Mapping[str, Callable[..., Schedule]] = MappingProxyType(
    {
        "linear": linear,
        "linear_alpha": linear_alpha,
        "linear_alpha_bar": linear_alpha_bar,
        "inverse_linear": inverse_linear,
        "constant": constant,
        "cosine": cosine,
        "sigmoid": sigmoid,
    }
)
"""The schedules by name: each takes `timesteps` and options of its own."""


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


def _from_alpha_bars(falling: Tensor, max_beta: float) -> Schedule:
    """From alpha_bar before the first step and after each one, [T + 1], up to a common factor."""
    _check_open_unit("max_beta", max_beta)
    return Schedule((1 - falling[1:] / falling[:-1]).clamp(max=max_beta))


def _check_open_unit(name: str, value: float) -> None:
    if not 0 < value < 1:
        raise ValueError(f"The value of `{name}` is {value}, but must be in (0, 1)")
