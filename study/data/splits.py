"""Choosing images: a part of a set, and which to learn from and which to be judged by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from study.data.image_set import ImageSet
from study.data.preparation import Preparation
from study.spec.errors import UserError


@dataclass(frozen=True)
class Split:
    """Two disjoint parts of one image set: one to train on, one held out to score against."""

    train: ImageSet
    held_out: ImageSet


@dataclass(frozen=True)
class Fraction:
    """Hold out a share of the images.

    Each label's share of the held-out images differs from its share of all images by less than one
    image.

    Attributes:
        held_out: The share, in (0, 1). At least one image is left on either side.

    Raises:
        UserError: If `held_out` is out of its range.
    """

    held_out: float = 0.2

    def __post_init__(self) -> None:
        """Check the share."""
        if not 0 < self.held_out < 1:
            raise UserError(f"The value of `held_out` is {self.held_out}, but must be in (0, 1)")

    def __str__(self) -> str:
        """The share, in words."""
        return f"held_out={self.held_out}"

    def chosen(self, order: NDArray[np.int64]) -> NDArray[np.int64]:
        """Which images to hold out, of all of them sorted by label."""
        return spread(order, min(max(round(len(order) * self.held_out), 1), len(order) - 1))


@dataclass(frozen=True)
class KFold:
    """Hold out one of several parts, to be called with each `fold` in turn (cross-validation).

    Every image is in exactly one fold. The folds' sizes differ by one image at most, and so do the
    numbers of images that each label has in them.

    Attributes:
        folds: How many parts, at least 2.
        fold: Which of them to hold out, in 0 .. folds-1.

    Raises:
        UserError: If a value is out of its range.
    """

    folds: int = 5
    fold: int = 0

    def __post_init__(self) -> None:
        """Check the numbers."""
        if self.folds < 2:
            raise UserError(f"The value of `folds` is {self.folds}, but must be >= 2")
        if not 0 <= self.fold < self.folds:
            raise UserError(
                f"The value of `fold` is {self.fold}, but must be in 0..{self.folds - 1}, "
                f"there being {self.folds} folds"
            )

    def __str__(self) -> str:
        """The fold, in words."""
        return f"folds={self.folds}, fold={self.fold}"

    def chosen(self, order: NDArray[np.int64]) -> NDArray[np.int64]:
        """Which images to hold out, of all of them sorted by label."""
        if self.folds > len(order):
            raise UserError(
                f"The value of `folds` is {self.folds}, but must be <= {len(order)}, "
                "the number of images"
            )
        return order[self.fold :: self.folds]


@dataclass(frozen=True)
class LeaveOneOut:
    """Hold out one image, to be called with each `image` in turn (cross-validation).

    Attributes:
        image: Its index, at least 0. The seed does not matter.

    Raises:
        UserError: If the index is negative.
    """

    image: int = 0

    def __post_init__(self) -> None:
        """Check the index."""
        if self.image < 0:
            raise UserError(f"The value of `image` is {self.image}, but must be >= 0")

    def __str__(self) -> str:
        """The image, in words."""
        return f"image={self.image}"

    def chosen(self, order: NDArray[np.int64]) -> NDArray[np.int64]:
        """The image to hold out, of all of them in whatever order."""
        if self.image >= len(order):
            raise UserError(
                f"The value of `image` is {self.image}, but must be in 0..{len(order) - 1}, "
                f"there being {len(order)} images"
            )
        return np.array([self.image])


SPLITS: Mapping[str, type[Fraction | KFold | LeaveOneOut]] = MappingProxyType(
    {"fraction": Fraction, "k_fold": KFold, "leave_one_out": LeaveOneOut}
)
"""The ways to split by their names in a study file."""

_DEFAULT = Fraction()


def split(
    image_set: ImageSet, method: Fraction | KFold | LeaveOneOut = _DEFAULT, *, seed: int = 0
) -> Split:
    """Split an image set at random, and by label if it has labels.

    The images of both parts keep their order.

    Args:
        image_set: At least 2 images.
        method: Which images to hold out, and how many.
        seed: Decides which images are held out, at least 0.

    Raises:
        UserError: If an argument is out of its range.
    """
    count = len(image_set)
    if count < 2:
        raise UserError(f"`{image_set.name}` has {count} image, but a split needs at least 2")
    chosen = np.zeros(count, dtype=np.bool_)
    chosen[method.chosen(by_label(shuffled(count, seed), image_set.labels))] = True
    name = f"of {method}, seed={seed}"
    return Split(
        train=image_set.take(np.flatnonzero(~chosen), part=f"train {name}"),
        held_out=image_set.take(np.flatnonzero(chosen), part=f"held-out {name}"),
    )


def choose(image_set: ImageSet, preparation: Preparation) -> ImageSet:
    """The part of a set that a preparation keeps: at random, by label if there are labels.

    The images keep their order.

    Raises:
        UserError: If there are fewer than `count`.
    """
    count = len(image_set)
    kept = preparation.kept(count)
    if kept == count:
        return image_set
    order = by_label(shuffled(count, preparation.seed), image_set.labels)
    return image_set.take(np.sort(spread(order, kept)), part=preparation.chosen_by)


def shuffled(count: int, seed: int) -> NDArray[np.int64]:
    """The numbers 0 .. count-1 in random order.

    Raises:
        UserError: If the seed is negative.
    """
    if seed < 0:
        raise UserError(f"The value of `seed` is {seed}, but must be >= 0")
    return np.random.default_rng(seed).permutation(count)


def by_label(order: NDArray[np.int64], labels: NDArray[np.int64] | None) -> NDArray[np.int64]:
    """Indices sorted by label, in their given order where labels are equal."""
    return order if labels is None else order[np.argsort(labels[order], kind="stable")]


def spread(order: NDArray[np.int64], places: int) -> NDArray[np.int64]:
    """Evenly spaced members of a list (systematic sampling).

    Of a list sorted by label they take from each label its share, and `places` in all.
    """
    return order[(np.arange(places) * 2 + 1) * len(order) // (places * 2)]
