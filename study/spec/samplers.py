"""How images are generated: the samplers, and what morphing starts from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from study.spec.section import Section
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


@dataclass(frozen=True)
class SamplerInfo:
    """What is known of an image sampler from its name.

    Attributes:
        family: The model family that it samples.
        one_step: Whether it evaluates the network once, whatever `score.steps` says.
    """

    family: str
    one_step: bool = False


IMAGE_SAMPLERS = {
    "ddim": SamplerInfo("ddpm"),
    "ancestral": SamplerInfo("ddpm"),
    "dpm_solver": SamplerInfo("ddpm"),
    "improved": SamplerInfo("morphing"),
    "naive": SamplerInfo("morphing"),
    "one_shot": SamplerInfo("morphing", one_step=True),
    "generator": SamplerInfo("gan", one_step=True),
}
"""All image samplers; the first of a family is its default."""


def samplers_of(family: str) -> tuple[str, ...]:
    """The samplers of a family, its default first; none for a user's own, which has its own."""
    return tuple(name for name, info in IMAGE_SAMPLERS.items() if info.family == family)
