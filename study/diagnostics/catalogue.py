"""The diagnostics by name, and which trials each is for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from models.ddpm import DDPM
from models.family import Family
from models.gan import GAN
from models.morphing import Morphing
from study.diagnostics import (
    bits_per_dimension,
    collapse,
    folds,
    gaussianity,
    latents,
    morph_starts,
    noise_prediction,
    restoration,
    samples,
    schedule_curves,
    strips,
    training_curves,
    training_neighbours,
)
from study.diagnostics.subject import Diagnose, Subject


@dataclass(frozen=True)
class Diagnostic:
    """A diagnostic; `study.diagnostics.descriptions.DESCRIPTIONS` says what it shows.

    Attributes:
        diagnose: Finds what there is to find.
        families: Those it makes sense for.
        applies: Whether it makes sense for a trial of such a family, too.
    """

    diagnose: Diagnose
    families: tuple[type[Family], ...]
    applies: Callable[[Subject], bool] = lambda subject: True

    def fits(self, family: Family) -> bool:
        """Whether it makes sense for a family."""
        return isinstance(family, self.families)


DIAGNOSTICS: Mapping[str, Diagnostic] = MappingProxyType(
    {
        "curves": Diagnostic(training_curves.diagnose, (Family,)),
        "folds": Diagnostic(folds.diagnose, (Family,), folds.applies),
        "samples": Diagnostic(samples.diagnose, (Family,)),
        "neighbours": Diagnostic(training_neighbours.diagnose, (Family,)),
        "collapse": Diagnostic(collapse.diagnose, (Family,)),
        "schedules": Diagnostic(schedule_curves.diagnose, (DDPM, Morphing)),
        "gaussianity": Diagnostic(gaussianity.diagnose, (DDPM,)),
        "strips": Diagnostic(strips.diagnose, (DDPM, Morphing)),
        "noise": Diagnostic(noise_prediction.diagnose, (DDPM,)),
        "bound": Diagnostic(bits_per_dimension.diagnose, (DDPM,)),
        "latents": Diagnostic(latents.diagnose, (DDPM, GAN)),
        "restoration": Diagnostic(restoration.diagnose, (Morphing,)),
        "starts": Diagnostic(morph_starts.diagnose, (Morphing,)),
    }
)
"""In the order in which they are run and shown."""


def applying(subject: Subject) -> list[str]:
    """Names of the diagnostics that make sense for a trial."""
    return [
        name
        for name, diagnostic in DIAGNOSTICS.items()
        if diagnostic.fits(subject.family) and diagnostic.applies(subject)
    ]
