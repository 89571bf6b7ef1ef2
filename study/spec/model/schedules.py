"""The `schedule:` of a model that degrades images step by step.

Each knows its betas, in plain Python, so that those that cannot be built are found without torch.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from study.spec.section import Misfit, Section
from study.spec.short_form import ShortForm

Share = Annotated[float, Field(ge=1e-8, le=1 - 1e-8)]
"""In (0, 1), and not so near its ends that 1 - x, or a timestep's part of it, is 0 or 1."""

LEAST_FALL = 1e-10
"""Share of the sigmoid that a timestep must take away: far above what float64 rounds off."""

LEAST_ALPHA_BAR = 1e-30
"""What must be left of alpha_bar at the end: the models' own bound."""

_SCALED = (
    "Multiply the betas by 1000/T, so that the last alpha_bar hardly depends on T "
    "(improved-diffusion's convention). Not scaled is the convention of diffusers."
)


class _RampSchedule(Section):
    beta_start: Share = Field(1e-4, description="Variance of the noise added at the gentle end.")
    beta_end: Share = Field(0.02, description="Variance of the noise added at the strong end.")
    scaled: bool = Field(False, description=_SCALED)

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if self.beta_start > self.beta_end:
            raise Misfit(
                ("beta_end",),
                f"{self.beta_end:g} must be >= `beta_start` ({self.beta_start:g})",
            )
        return self

    @property
    def strongest(self) -> tuple[str, float]:
        """The key that decides the greatest beta, and that beta before it is scaled."""
        return "beta_end", self.beta_end

    def betas(self, timesteps: int) -> list[float]:
        """Of each timestep."""
        return _line(self.beta_start, self.beta_end, timesteps, self.scaled)


class LinearSchedule(_RampSchedule):
    """Betas that rise linearly (Ho et al. 2020)."""

    kind: Literal["linear"]


class InverseLinearSchedule(_RampSchedule):
    """The linear schedule run backwards: the strongest noise first."""

    kind: Literal["inverse_linear"]

    def betas(self, timesteps: int) -> list[float]:
        """Of each timestep."""
        return super().betas(timesteps)[::-1]


class ConstantSchedule(Section):
    """The same beta at every timestep."""

    kind: Literal["constant"]
    beta: Share = Field(0.01, description="Variance of the noise added at each timestep.")
    scaled: bool = Field(False, description=_SCALED)

    @property
    def strongest(self) -> tuple[str, float]:
        """The key that decides the greatest beta, and that beta before it is scaled."""
        return "beta", self.beta

    def betas(self, timesteps: int) -> list[float]:
        """Of each timestep."""
        return _line(self.beta, self.beta, timesteps, self.scaled)


class CosineSchedule(Section):
    """alpha_bar follows a squared cosine (Nichol & Dhariwal 2021, eq. 17)."""

    kind: Literal["cosine"]
    offset: float = Field(0.008, ge=0, le=0.5, description="s of the paper.")
    max_beta: Share = Field(0.999, description="Betas are clipped here; 0.1 is steadier at T=1000.")

    def betas(self, timesteps: int) -> list[float]:
        """Of each timestep."""
        times = ((t / timesteps + self.offset) / (1 + self.offset) for t in range(timesteps + 1))
        return _ratios([math.cos(time * math.pi / 2) ** 2 for time in times], self.max_beta)


class SigmoidSchedule(Section):
    """alpha_bar follows a sigmoid (Jabri et al. 2022)."""

    kind: Literal["sigmoid"]
    start: float = Field(-3.0, ge=-20, le=20, description="Where on the sigmoid t = 0 lies.")
    end: float = Field(3.0, ge=-20, le=20, description="Where on the sigmoid t = T lies.")
    tau: float = Field(1.0, ge=0.1, le=10, description="Temperature; greater is more linear.")
    max_beta: Share = Field(0.999, description="Betas are clipped here.")

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if self.start >= self.end:
            raise Misfit(("end",), f"{self.end:g} must be > `start` ({self.start:g})")
        return self

    def first_fall(self, timesteps: int) -> float:
        """Share of sigmoid(-x) that is lost in the first of the timesteps.

        The least of all: 1 - sigmoid(-b) / sigmoid(-a), for b a fixed step above a, rises with a.
        """
        first, last = self.start / self.tau, self.end / self.tau
        second = first + (last - first) / timesteps
        return 1 - (1 + math.exp(first)) / (1 + math.exp(second))

    def betas(self, timesteps: int) -> list[float]:
        """Of each timestep, where `first_fall` is large enough."""
        first, last = self.start / self.tau, self.end / self.tau
        points = (first + (last - first) * t / timesteps for t in range(timesteps + 1))
        left = [1 / (1 + math.exp(point)) for point in points]
        return _ratios([value - left[-1] for value in left], self.max_beta)


class LinearAlphaSchedule(Section):
    """alpha_t = 1 - beta_t falls linearly."""

    kind: Literal["linear_alpha"]
    alpha_start: Share = Field(0.9999, description="alpha_t at the first timestep.")
    alpha_end: Share = Field(0.98, description="alpha_t at the last timestep.")
    scaled: bool = Field(False, description=_SCALED)

    @model_validator(mode="after")
    def _falls(self) -> Self:
        if self.alpha_end > self.alpha_start:
            raise Misfit(
                ("alpha_end",),
                f"{self.alpha_end:g} must be <= `alpha_start` ({self.alpha_start:g})",
            )
        return self

    @property
    def strongest(self) -> tuple[str, float]:
        """The key that decides the greatest beta, and that beta before it is scaled."""
        return "alpha_end", 1 - self.alpha_end

    def betas(self, timesteps: int) -> list[float]:
        """Of each timestep."""
        return _line(1 - self.alpha_start, 1 - self.alpha_end, timesteps, self.scaled)


class LinearAlphaBarSchedule(Section):
    """alpha_bar falls linearly from 1."""

    kind: Literal["linear_alpha_bar"]
    final: Share = Field(0.001, description="alpha_bar at the last timestep.")
    max_beta: Share = Field(0.999, description="Betas are clipped here.")

    def betas(self, timesteps: int) -> list[float]:
        """Of each timestep."""
        falls = (1 - self.final) / timesteps
        return _ratios([1 - falls * t for t in range(timesteps + 1)], self.max_beta)


Schedule = Annotated[
    LinearSchedule
    | CosineSchedule
    | ConstantSchedule
    | InverseLinearSchedule
    | SigmoidSchedule
    | LinearAlphaSchedule
    | LinearAlphaBarSchedule,
    Field(discriminator="kind"),
    ShortForm("schedule"),
]

ScaledSchedule = LinearSchedule | InverseLinearSchedule | ConstantSchedule | LinearAlphaSchedule


def _line(first: float, last: float, timesteps: int, scaled: bool) -> list[float]:
    factor = 1000 / timesteps if scaled else 1.0
    step = (last - first) / (timesteps - 1)
    return [factor * min(first + step * t, last) for t in range(timesteps)]


def _ratios(alpha_bars: list[float], max_beta: float) -> list[float]:
    return [min(1 - after / before, max_beta) for before, after in pairwise(alpha_bars)]
