"""The generative families: what each is made of."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from study.spec.datasets import check_dataset
from study.spec.model.losses import (
    FixedVariance,
    GradientPenalty,
    Loss,
    MSELoss,
    NoPenalty,
    Penalty,
    UniformWeighting,
    Variance,
    Weighting,
)
from study.spec.model.networks import (
    DCGANDiscriminator,
    DCGANGenerator,
    ImportPath,
    Network,
    Sized,
)
from study.spec.model.schedules import (
    LEAST_ALPHA_BAR,
    LEAST_FALL,
    ScaledSchedule,
    Schedule,
    SigmoidSchedule,
)
from study.spec.section import Misfit, Section
from study.spec.short_form import ShortForm


class _Diffusion(Section):
    family: str
    timesteps: int = Field(1000, ge=10, le=4000, description="T, the steps of the forward process.")
    schedule: Schedule = Field(description="How images are degraded over the timesteps.")
    network: Network = Field(description="The network that is trained.")
    loss: Loss = Field(default=MSELoss(kind="mse"), description="How errors are measured.")

    @model_validator(mode="after")
    def _scaled_betas_stay_below_one(self) -> Self:
        if not isinstance(self.schedule, ScaledSchedule) or not self.schedule.scaled:
            return self
        name, strongest = self.schedule.strongest
        scaled = strongest * (1000 / self.timesteps)
        if scaled >= 1:
            beta = f"{strongest:g}" if name.startswith("beta") else f"a beta of {strongest:g}"
            raise Misfit(
                ("schedule", name),
                f"{beta} scaled by 1000 / {self.timesteps} timesteps is {scaled:g}, "
                "but must be < 1",
            )
        return self

    @model_validator(mode="after")
    def _every_timestep_adds_noise(self) -> Self:
        # The validators run in this order: betas are asked for only where they are in (0, 1).
        schedule, timesteps = self.schedule, self.timesteps
        if isinstance(schedule, SigmoidSchedule) and schedule.first_fall(timesteps) < LEAST_FALL:
            raise Misfit(
                ("schedule", "start"),
                f"{schedule.start:g} / `tau` lies where the sigmoid is flat: the first of "
                f"{timesteps} timesteps takes away {schedule.first_fall(timesteps):.1g} of it, "
                f"but must take away at least {LEAST_FALL:g}",
            )
        decades = math.fsum(map(math.log1p, (-b for b in schedule.betas(timesteps)))) / math.log(10)
        if decades < math.log10(LEAST_ALPHA_BAR):
            raise Misfit(
                ("schedule",),
                f"alpha_bar ends at 1e{decades:.0f} after {timesteps} timesteps, but must be >= "
                f"{LEAST_ALPHA_BAR:g}: take smaller betas, or fewer timesteps",
            )
        return self

    def sized_parts(self) -> Iterator[tuple[str, Sized]]:
        """The networks that an image's side must suit, by their key."""
        yield "network", self.network


class DDPM(_Diffusion):
    """A denoising diffusion model (Ho et al. 2020)."""

    family: Literal["ddpm"]
    prediction: Literal["epsilon", "x0", "v", "mean"] = Field(
        "epsilon", description="What the network predicts."
    )
    weighting: Weighting = Field(
        default=UniformWeighting(kind="uniform"), description="How much each timestep counts."
    )
    variance: Variance = Field(
        default=FixedVariance(kind="fixed"), description="Of the reverse process."
    )


class Towards(Section):
    """The images that a morphing model's forward process ends in."""

    dataset: str = Field("fashion_mnist", description="A data set by name, or a path.")
    count: int | None = Field(None, ge=2, description="So many of its images; null takes all.")

    @field_validator("dataset")
    @classmethod
    def _known(cls, value: str) -> str:
        check_dataset(value)
        return value


class Morphing(_Diffusion):
    """Cold diffusion towards another image set (Bansal et al. 2022)."""

    family: Literal["morphing"]
    towards: Towards = Field(default_factory=lambda: Towards(), description="What images become.")


class GAN(Section):
    """A generator and a discriminator that learn from each other (Goodfellow et al. 2014)."""

    family: Literal["gan"]
    latent: int = Field(100, ge=1, le=4096, description="Length of the generator's input.")
    generator: Annotated[DCGANGenerator, ShortForm("generator")] = Field(
        default=DCGANGenerator(kind="dcgan"), description="Makes images."
    )
    discriminator: Annotated[DCGANDiscriminator, ShortForm("discriminator")] = Field(
        default=DCGANDiscriminator(kind="dcgan"), description="Tells them from real ones."
    )
    loss: Literal["min_max", "non_saturating", "hinge", "wasserstein"] = Field(
        "non_saturating", description="What the two play for."
    )
    penalty: Penalty = Field(
        default=NoPenalty(kind="none"), description="What holds the discriminator back."
    )
    critic_steps: int = Field(
        1, ge=1, le=100, description="Batches of the discriminator for one of the generator."
    )
    unroll: int = Field(
        0,
        ge=0,
        le=50,
        description="Steps of the discriminator that the generator looks ahead (Metz et al. 2017).",
    )
    unroll_rate: float = Field(0.0003, gt=0, le=10, description="Step size of those.")
    discriminator_rate: float = Field(
        1.0, gt=0, le=100, description="The discriminator's learning rate over the generator's."
    )

    @model_validator(mode="after")
    def _gradients_are_of_single_images(self) -> Self:
        if isinstance(self.penalty, GradientPenalty) and self.discriminator.norm == "batch":
            raise Misfit(
                ("discriminator", "norm"),
                "'batch' mixes the images of a batch, and the gradient penalty is one of each "
                "image: use layer or none",
            )
        return self

    @model_validator(mode="after")
    def _a_wasserstein_critic_is_bounded(self) -> Self:
        free = isinstance(self.penalty, NoPenalty) and not self.discriminator.spectral_norm
        if self.loss == "wasserstein" and free:
            raise Misfit(
                ("penalty",),
                "'none' leaves the critic of the loss 'wasserstein' unbounded: use clip, gradient, "
                "or `discriminator.spectral_norm: true`",
            )
        return self

    def sized_parts(self) -> Iterator[tuple[str, Sized]]:
        """The networks that an image's side must suit, by their key."""
        yield "generator", self.generator
        yield "discriminator", self.discriminator


class CustomFamily(Section):
    """A family of one's own: a class called with the image's shape and `options`."""

    family: Literal["custom"]
    path: ImportPath = Field(description="Where it is imported from: package.module:Class.")
    options: dict[str, Any] = Field(
        default_factory=dict, description="Keyword arguments of the class."
    )

    def sized_parts(self) -> Iterator[tuple[str, Sized]]:
        """The networks that an image's side must suit, by their key: none is known."""
        return iter(())


Model = Annotated[DDPM | Morphing | GAN | CustomFamily, Field(discriminator="family")]
