"""What is looked at, and what is found: the values that every diagnostic takes and gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Generator, Tensor

from models.family import Family
from models.images import to_float
from models.seeding import derive_seed
from study.data import ImageSet
from study.diagnostics.descriptions import SAMPLES
from study.results.picture_titles import picture_title
from study.results.storage import Storage
from study.results.tables import ScoreRow
from study.scoring import Scorer

FEWEST_HELD_OUT = 50
"""With fewer held-out images than these, samples are compared with all the real images."""

MOST_REAL = 1000
"""Real images to compare with, at most: neighbours are searched among all pairs."""


@dataclass(frozen=True)
class Measure:
    """One number that a diagnostic found; a curve is a measure a point. As `DiagnosticRow`."""

    quantity: str
    value: float
    samples: int
    axis: str = ""
    x: float | None = None
    sampler: str = ""
    steps: int | None = None
    embedder: str = ""
    reference: str = ""


@dataclass(frozen=True, eq=False)
class Finding:
    """What a diagnostic found.

    Attributes:
        headline: The most telling number, in words, in one line.
        measures: All numbers.
        pictures: By the name of their file, without ending.
    """

    headline: str
    measures: Sequence[Measure] = ()
    pictures: Mapping[str, Figure] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Subject:
    """A trained trial, and how thoroughly it is to be looked at.

    Attributes:
        storage: Where its study is.
        study: The study's name.
        trial: Its number.
        model: Its `model:` section, filled in, as plain values.
        family: Its weights, in evaluation mode.
        train: The images it was trained on.
        held_out: The images it was not.
        sampler: The sampler that scored it, with its `steps` and `options`.
        steps: Network evaluations for each image.
        options: The sampler's own.
        generate: Makes `count` images by `seed` with that sampler, uint8 [count, C, H, W].
        prepare_scorer: Makes the scorer of its study.
        epoch: Of its weights.
        score: What these scored in the study; None if they did not.
        samples: How many images to generate, 16 or more.
        seed: Decides everything random in a diagnostic.
        full: Whether to leave nothing out that takes long.
    """

    storage: Storage
    study: str
    trial: int
    model: Mapping[str, Any]
    family: Family
    train: ImageSet
    held_out: ImageSet
    sampler: str
    steps: int
    options: Mapping[str, Any]
    generate: Callable[[int, int], Tensor]
    prepare_scorer: Callable[[], Scorer]
    epoch: int = 0
    score: ScoreRow | None = None
    samples: int = SAMPLES
    seed: int = 0
    full: bool = False

    @property
    def title(self) -> str:
        """Whose every picture is: study, trial, epoch, metric and N, for its second line."""
        score = self.score
        return picture_title(
            study=self.study,
            trials=f"trial {self.trial} ({self.model.get('family', 'custom')})",
            epoch=self.epoch,
            metric="no score" if score is None else score.metric,
            value=None if score is None else score.value,
            samples=None if score is None else score.samples,
        )

    def why_another_score(self, images: int) -> str:
        """Why a score of so many images is not that of the study, in words; empty without one."""
        if self.score is None:
            return ""
        own = f"the study's {self.score.value:.4g} is of {self.score.samples:,} images"
        if images == self.score.samples:
            return f"{own} too, by other seeds"
        return f"{own}, and scores of other N do not compare"

    @property
    def device(self) -> torch.device:
        """The family's device."""
        return self.family.device

    @cached_property
    def scorer(self) -> Scorer:
        """The scorer of its study, made when it is first asked for."""
        return self.prepare_scorer()

    @cached_property
    def generated(self) -> Tensor:
        """The samples that diagnostics share, uint8 [samples, C, H, W]."""
        return self.generate(self.samples, derive_seed(self.seed, "explain"))

    @cached_property
    def generated_features(self) -> Tensor:
        """Their features, float32 [samples, d]."""
        return self.scorer.features(self.generated)

    @cached_property
    def real(self) -> ImageSet:
        """Real images to compare samples with: held-out ones, if there are enough."""
        images = self.held_out if len(self.held_out) >= FEWEST_HELD_OUT else self.train
        return self.some(images, MOST_REAL, "real")

    @cached_property
    def real_features(self) -> Tensor:
        """Their features, float32 [N, d]."""
        return self.scorer.features(self.real.tensor())

    def generator(self, *purpose: int | str) -> Generator:
        """A generator for one purpose, on the family's device."""
        return Generator(self.device).manual_seed(derive_seed(self.seed, *purpose))

    def some(self, images: ImageSet, count: int, *purpose: int | str) -> ImageSet:
        """At most `count` of the images, chosen at random for one purpose."""
        chosen = np.random.default_rng(derive_seed(self.seed, *purpose)).permutation(len(images))
        return images.take(chosen[:count].astype(np.int64), part=f"{images.part}, some")

    def batch(self, images: ImageSet, count: int, *purpose: int | str) -> Tensor:
        """The same as the network sees them, float32 [n, C, H, W] in [-1, 1] on its device."""
        return to_float(self.some(images, count, *purpose).tensor().to(self.device))

    def measure(self, quantity: str, value: float, **where: Any) -> Measure:
        """A measure of the samples that diagnostics share."""
        defaults = {"samples": self.samples, "sampler": self.sampler, "steps": self.steps}
        return Measure(quantity, value, **{**defaults, **where})


Diagnose: TypeAlias = Callable[[Subject], Finding]
