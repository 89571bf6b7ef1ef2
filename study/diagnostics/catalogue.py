"""The diagnostics by name, and which family each is for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from models.ddpm import DDPM
from models.family import Family
from models.gan import GAN
from models.morphing import Morphing
from study.diagnostics import (
    bound,
    collapse,
    curves,
    gaussianity,
    latents,
    neighbours,
    noise,
    restoration,
    samples,
    schedules,
    starts,
    strips,
)
from study.diagnostics.subject import Diagnose


@dataclass(frozen=True)
class Diagnostic:
    """A diagnostic.

    Attributes:
        diagnose: Finds what there is to find.
        families: Those it makes sense for.
        about: What it shows, in a few words.
    """

    diagnose: Diagnose
    families: tuple[type[Family], ...]
    about: str

    def fits(self, family: Family) -> bool:
        """Whether it makes sense for a family."""
        return isinstance(family, self.families)


DIAGNOSTICS: Mapping[str, Diagnostic] = MappingProxyType(
    {
        "curves": Diagnostic(curves.diagnose, (Family,), "losses, scores and samples by epoch"),
        "samples": Diagnostic(
            samples.diagnose, (Family,), "50 random images, their quality and variety"
        ),
        "neighbours": Diagnostic(
            neighbours.diagnose, (Family,), "nearest training images, share memorised"
        ),
        "collapse": Diagnostic(collapse.diagnose, (Family,), "modes found, and how unevenly"),
        "schedules": Diagnostic(
            schedules.diagnose, (DDPM, Morphing), "the noise schedule, for several T"
        ),
        "gaussianity": Diagnostic(
            gaussianity.diagnose, (DDPM,), "when an image is told from noise no more"
        ),
        "strips": Diagnostic(strips.diagnose, (DDPM, Morphing), "the way to noise and back"),
        "noise": Diagnostic(noise.diagnose, (DDPM,), "real and predicted noise"),
        "bound": Diagnostic(bound.diagnose, (DDPM,), "the variational bound, term by term"),
        "latents": Diagnostic(latents.diagnose, (DDPM, GAN), "interpolation, linear and spherical"),
        "restoration": Diagnostic(
            restoration.diagnose, (Morphing,), "restored from each t, one-shot and improved"
        ),
        "starts": Diagnostic(
            starts.diagnose, (Morphing,), "noise, averages, and a mixture as starts"
        ),
    }
)
"""In the order in which they are run and shown."""
