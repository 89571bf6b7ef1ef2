"""The `score:` section: how images are generated, and compared with real ones."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from study.spec.names import METRIC_EMBEDDERS, nearest
from study.spec.section import Misfit, Section
from study.spec.short_form import ShortForm


class AutoSampler(Section):
    """The family's own default."""

    kind: Literal["auto"]


class _Respaced(Section):
    spacing: Literal["trailing", "leading"] = Field(
        "trailing", description="Which timesteps are visited (Lin et al. 2024, table 2)."
    )
    clip_x0: bool = Field(True, description="Clamp each estimate of the images to [-1, 1].")


class DDIMSampler(_Respaced):
    """DDIM (Song, Meng & Ermon 2021)."""

    kind: Literal["ddim"]
    eta: float = Field(0.0, ge=0, le=1, description="0 is deterministic, 1 like ancestral.")


class AncestralSampler(_Respaced):
    """Ancestral sampling (Ho et al. 2020, algorithm 2)."""

    kind: Literal["ancestral"]
    variance: Literal["fixed_small", "fixed_large", "learned"] = Field(
        "fixed_small", description="Of the noise that is added: beta tilde, beta, or learned."
    )


class DPMSolverSampler(_Respaced):
    """DPM-Solver++(2M) (Lu et al. 2022)."""

    kind: Literal["dpm_solver"]


class ImagesStart(Section):
    """An image of the set that was morphed towards."""

    kind: Literal["images"]


class NoiseStart(Section):
    """Such an image with Gaussian noise."""

    kind: Literal["noise"]
    level: float = Field(0.01, ge=0, le=10, description="Lambda: the noise's deviation.")


class AverageStart(Section):
    """The mean of several such images."""

    kind: Literal["average"]
    images: int = Field(5, ge=1, le=1000, description="N: how many.")


class MixtureStart(Section):
    """A draw from a Gaussian mixture that was fitted to such images."""

    kind: Literal["mixture"]
    components: int = Field(10, ge=1, le=1000, description="Gaussians in the mixture.")


Start = Annotated[
    ImagesStart | NoiseStart | AverageStart | MixtureStart,
    Field(discriminator="kind"),
    ShortForm("start"),
]


class _FromStart(Section):
    start: Start = Field(
        default=ImagesStart(kind="images"), description="What morphing starts from."
    )


class ImprovedSampler(_FromStart):
    """Cold diffusion's improved sampling (Bansal et al. 2022, algorithm 2)."""

    kind: Literal["improved"]


class NaiveSampler(_FromStart):
    """Cold diffusion's naive sampling (Bansal et al. 2022, algorithm 1)."""

    kind: Literal["naive"]


class OneShotSampler(_FromStart):
    """Restoration in a single evaluation of the network."""

    kind: Literal["one_shot"]


class GeneratorSampler(Section):
    """One evaluation of a GAN's generator."""

    kind: Literal["generator"]


Sampler = Annotated[
    AutoSampler
    | DDIMSampler
    | AncestralSampler
    | DPMSolverSampler
    | ImprovedSampler
    | NaiveSampler
    | OneShotSampler
    | GeneratorSampler,
    Field(discriminator="kind"),
    ShortForm("sampler"),
]


class Score(Section):
    """How a trial's images are compared with real ones."""

    metric: str = Field(
        "fd_vae", description=f"One of {', '.join(METRIC_EMBEDDERS)}; lower is better."
    )
    embedder: str | None = Field(
        None, description="The metric's embedder, if it is to be spelled out."
    )
    samples: int = Field(1000, ge=2, le=1_000_000, description="Generated images in a score.")
    sampler: Sampler = Field(
        default=AutoSampler(kind="auto"),
        description="How images are generated, by name or with settings; auto is the family's own.",
    )
    steps: int = Field(
        50,
        ge=1,
        le=4000,
        description="Network evaluations for each image; a GAN and one_shot take one.",
    )
    every: int = Field(1, ge=1, description="Score every so many epochs, and at the end.")
    seed: int = Field(
        0, ge=0, lt=2**32, description="Seed of the generated images and the embedder."
    )
    against: Literal["held_out", "everything"] = Field(
        "held_out",
        description="The real images that are compared with, and that the embedder learns from: "
        "those held out (and those trained on), or all of them, whatever the split.",
    )

    @field_validator("metric")
    @classmethod
    def _known_metric(cls, value: str) -> str:
        if value not in METRIC_EMBEDDERS:
            known = ", ".join(METRIC_EMBEDDERS)
            raise ValueError(
                f"unknown metric '{value}': known are {known}{nearest(value, METRIC_EMBEDDERS)}"
            )
        return value

    @field_validator("embedder")
    @classmethod
    def _known_embedder(cls, value: str | None) -> str | None:
        known = METRIC_EMBEDDERS.values()
        if value is not None and value not in known:
            raise ValueError(
                f"unknown embedder '{value}': known are {', '.join(known)}{nearest(value, known)}"
            )
        return value

    @model_validator(mode="after")
    def _embedder_fits(self) -> Self:
        meant = METRIC_EMBEDDERS[self.metric]
        if self.embedder not in (None, meant):
            raise Misfit(
                ("embedder",), f"'{self.embedder}' must be '{meant}', which {self.metric} means"
            )
        return self
