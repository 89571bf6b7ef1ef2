"""Splitting an image set into images to learn from and images to be judged by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from study.data.image_set import ImageSet
from study.spec.errors import UserError


@dataclass(frozen=True)
class Split:
    """Two disjoint parts of one image set: one to train on, one held out to score against."""

    train: ImageSet
    held_out: ImageSet


def split(image_set: ImageSet, *, held_out: float, seed: int) -> Split:
    """Split an image set at random, and by label if it has labels.

    Each label's share of the held-out images differs from its share of all images by less than one
    image. The images of both parts keep their order.

    Args:
        image_set: At least 2 images.
        held_out: The fraction to hold out, in (0, 1). At least one image is left on either side.
        seed: Decides which images are held out, at least 0.

    Raises:
        UserError: If an argument is out of its range.
    """
    if not 0 < held_out < 1:
        raise UserError(f"The value of `held_out` is {held_out}, but must be in (0, 1)")
    if seed < 0:
        raise UserError(f"The value of `seed` is {seed}, but must be >= 0")
    count = len(image_set)
    if count < 2:
        raise UserError(f"`{image_set.name}` has {count} image, but a split needs at least 2")
    order = np.random.default_rng(seed).permutation(count)
    if image_set.labels is not None:
        order = order[np.argsort(image_set.labels[order], kind="stable")]
    # Systematic sampling: evenly spaced places in the images sorted by label take from each label
    # its share, and as many in all as were asked for.
    places = min(max(round(count * held_out), 1), count - 1)
    chosen = np.zeros(count, dtype=np.bool_)
    chosen[order[(np.arange(places) * 2 + 1) * count // (places * 2)]] = True
    name = f"of held_out={held_out}, seed={seed}"
    return Split(
        train=image_set.take(np.flatnonzero(~chosen), part=f"train {name}"),
        held_out=image_set.take(np.flatnonzero(chosen), part=f"held-out {name}"),
    )
