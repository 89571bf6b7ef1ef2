"""A comparison of generated images with real ones, and what several measures need of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from study.scoring.coverage import (
    DensityCoverage,
    PrecisionRecall,
    density_coverage,
    precision_recall,
)
from study.scoring.frechet import Moments, Reference
from study.scoring.kernel_distance import SUBSET_SIZE, SUBSETS
from study.scoring.modes import classify, count_modes


@dataclass(frozen=True)
class Value:
    """The value of a measure.

    Attributes:
        value: The number.
        spread: Its standard error, over the choice of the generated images unless the measure says
            otherwise; none where no simple form is known.
    """

    value: float
    spread: float | None = None


@dataclass(frozen=True, eq=False)
class Comparison:
    """Generated images beside real ones, as features of one embedder.

    Attributes:
        generated: Features of generated images, [N, d].
        reference: The moments of real images; if none, they are taken of `real`.
        real: Features of real images, [M, d], for the measures with `needs_features`.
        labels: Labels of the images in `real`, int64 [M], >= 0, for those with `needs_labels`.
        train: Features of the images that the generator learned from, [K, d], for memorisation and
            authenticity; `real` if none.
        seed: Decides every random choice, but for KID's subsets: they are always those that
            torch-fidelity draws, so that the numbers agree.
        kid_subsets: How many random subsets KID takes.
        kid_subset_size: How many images each has; none for the whole sets, once.
    """

    generated: Tensor
    reference: Reference | None = None
    real: Tensor | None = None
    labels: Tensor | None = None
    train: Tensor | None = None
    seed: int = 0
    kid_subsets: int = SUBSETS
    kid_subset_size: int | None = SUBSET_SIZE


_VOTES = 5  # of real images, for a generated one's label


class Shared:
    """A comparison, with what several measures need of it; each is computed once."""

    def __init__(self, comparison: Comparison) -> None:
        self.comparison = comparison

    @property
    def real(self) -> Tensor:
        """Features of the real images, [M, d]."""
        assert self.comparison.real is not None  # `measure` has checked it
        return self.comparison.real

    @cached_property
    def reference(self) -> Reference:
        """The moments of the real images."""
        return self.comparison.reference or Reference.of(Moments.of(self.real))

    @property
    def train(self) -> Tensor:
        """Features of the training images, [K, d]; those of the real ones if there are none."""
        return self.real if self.comparison.train is None else self.comparison.train

    @property
    def count(self) -> int:
        """How many images were generated."""
        return len(self.comparison.generated)

    @cached_property
    def precision_recall(self) -> PrecisionRecall:
        """Of the paper's 3 neighbours."""
        return precision_recall(self.real, self.comparison.generated)

    @cached_property
    def density_coverage(self) -> DensityCoverage:
        """Of the paper's 5 neighbours."""
        return density_coverage(self.real, self.comparison.generated)

    @cached_property
    def modes(self) -> tuple[Tensor, Tensor]:
        """How many generated and how many real images are of each label that real ones have.

        Two of int64 [kinds], however large the labels themselves are.
        """
        labels = self.comparison.labels
        assert labels is not None  # `measure` has checked it
        kinds, real_modes = torch.unique(labels.to(self.real.device), return_inverse=True)
        votes = min(_VOTES, len(labels))
        generated = self.comparison.generated.to(self.real.device)
        modes = classify(generated, self.real, real_modes, votes)
        return count_modes(modes, len(kinds)), count_modes(real_modes, len(kinds))
