"""The `model:` section: a generative family, its schedule and its network."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from study.spec.section import Misfit, Section

Beta = Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)]


class _RampSchedule(Section):
    beta_start: Beta = Field(1e-4, description="Variance of the noise added at the gentle end.")
    beta_end: Beta = Field(0.02, description="Variance of the noise added at the strong end.")
    scaled: bool = Field(
        False,
        description="Multiply the betas by 1000/T, so that the last alpha_bar hardly depends on T "
        "(improved-diffusion's convention). Not scaled is the convention of diffusers.",
    )

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if self.beta_start > self.beta_end:
            raise Misfit(
                ("beta_end",),
                f"{self.beta_end:g} must be >= `beta_start` ({self.beta_start:g})",
            )
        return self


class LinearSchedule(_RampSchedule):
    """Betas that rise linearly (Ho et al. 2020)."""

    kind: Literal["linear"]


class InverseLinearSchedule(_RampSchedule):
    """The linear schedule run backwards: the strongest noise first."""

    kind: Literal["inverse_linear"]


class CosineSchedule(Section):
    """alpha_bar follows a squared cosine (Nichol & Dhariwal 2021, eq. 17)."""

    kind: Literal["cosine"]
    offset: float = Field(0.008, ge=0, le=0.5, description="s of the paper.")
    max_beta: Beta = Field(0.999, description="Betas are clipped here; 0.1 is steadier at T=1000.")


class ConstantSchedule(Section):
    """The same beta at every timestep."""

    kind: Literal["constant"]
    beta: Beta = Field(0.01, description="Variance of the noise added at each timestep.")
    scaled: bool = Field(False, description="Multiply beta by 1000/T.")


Schedule = Annotated[
    LinearSchedule | CosineSchedule | ConstantSchedule | InverseLinearSchedule,
    Field(discriminator="kind"),
]


class UNet(Section):
    """A residual U-Net with the timestep in every block."""

    kind: Literal["unet"]
    channels: Annotated[
        tuple[Annotated[int, Field(ge=4, le=1024)], ...],
        Field(min_length=1, max_length=6, strict=False),
    ] = Field(
        (16, 32, 64),
        description="Channels at each resolution; each further entry halves the image's side.",
    )

    @property
    def downsampling(self) -> int:
        """The factor by which an image's side must be divisible."""
        return int(2 ** (len(self.channels) - 1))


class DDPM(Section):
    """A denoising diffusion model that predicts the noise (Ho et al. 2020)."""

    family: Literal["ddpm"]
    prediction: Literal["epsilon"] = Field("epsilon", description="What the network predicts.")
    timesteps: int = Field(1000, ge=10, le=4000, description="T, the steps of the forward process.")
    schedule: Schedule = Field(description="How the noise grows over the timesteps.")
    network: UNet = Field(description="The network that is trained.")

    @model_validator(mode="after")
    def _scaled_betas_stay_below_one(self) -> Self:
        schedule = self.schedule
        if isinstance(schedule, CosineSchedule) or not schedule.scaled:
            return self
        name = "beta" if isinstance(schedule, ConstantSchedule) else "beta_end"
        strongest: float = getattr(schedule, name)
        scaled = strongest * 1000 / self.timesteps
        if scaled >= 1:
            raise Misfit(
                ("schedule", name),
                f"{strongest:g} scaled by 1000 / {self.timesteps} timesteps is {scaled:g}, "
                "but must be < 1",
            )
        return self


Model = DDPM
