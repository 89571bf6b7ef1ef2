"""The `schedule:` of a model that degrades images step by step."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from study.spec.section import Misfit, Section
from study.spec.short_form import ShortForm

Share = Annotated[float, Field(gt=0, lt=1)]

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


class LinearSchedule(_RampSchedule):
    """Betas that rise linearly (Ho et al. 2020)."""

    kind: Literal["linear"]


class InverseLinearSchedule(_RampSchedule):
    """The linear schedule run backwards: the strongest noise first."""

    kind: Literal["inverse_linear"]


class ConstantSchedule(Section):
    """The same beta at every timestep."""

    kind: Literal["constant"]
    beta: Share = Field(0.01, description="Variance of the noise added at each timestep.")
    scaled: bool = Field(False, description=_SCALED)

    @property
    def strongest(self) -> tuple[str, float]:
        """The key that decides the greatest beta, and that beta before it is scaled."""
        return "beta", self.beta


class CosineSchedule(Section):
    """alpha_bar follows a squared cosine (Nichol & Dhariwal 2021, eq. 17)."""

    kind: Literal["cosine"]
    offset: float = Field(0.008, ge=0, le=0.5, description="s of the paper.")
    max_beta: Share = Field(0.999, description="Betas are clipped here; 0.1 is steadier at T=1000.")


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


class LinearAlphaBarSchedule(Section):
    """alpha_bar falls linearly from 1."""

    kind: Literal["linear_alpha_bar"]
    final: Share = Field(0.001, description="alpha_bar at the last timestep.")
    max_beta: Share = Field(0.999, description="Betas are clipped here.")


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
