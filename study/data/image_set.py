"""A set of images in memory, and the digest that says which images they are."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from study.spec.errors import UserError
from study.spec.left_out import LeftOut, Reason, describe_left_out


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images at rest, with their labels if they have any.

    The arrays are read-only views: a digest of pixels that can change would be worth nothing.
    Compare two sets by their `digest`.

    Attributes:
        name: The data set they come from, such as `mnist5k`.
        images: uint8 in 0..255, [N, C, H, W], at least one image.
        labels: int64, [N], or None.
        preprocessing: What was done to the pixels since they were read, in words.
        part: Which part of the data set this is, in words.
        left_out: What in the folder that the set was read from is no part of it.
        notes: Sentences for people, on what may be wrong with the images.

    Raises:
        UserError: If the arrays have other shapes or types than these, or there is no image.
    """

    name: str
    images: NDArray[np.uint8]
    labels: NDArray[np.int64] | None = None
    preprocessing: str = "none"
    part: str = "all"
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check the arrays, and guard them against writing."""
        images, labels = self.images, self.labels
        if images.dtype != np.uint8 or images.ndim != 4 or images.size == 0:
            raise UserError(
                f"The images of `{self.name}` are {_type_and_shape(images)}, "
                "but must be uint8 [N, C, H, W] with no side of 0"
            )
        object.__setattr__(self, "images", _read_only(images))
        if labels is None:
            return
        if labels.dtype != np.int64 or labels.shape != images.shape[:1]:
            raise UserError(
                f"The labels of `{self.name}` are {_type_and_shape(labels)}, "
                f"but must be int64 [{len(images)}], one for each image"
            )
        object.__setattr__(self, "labels", _read_only(labels))

    def __len__(self) -> int:
        """The number of images."""
        return len(self.images)

    @property
    def skipped(self) -> tuple[str, ...]:
        """The pictures that could not be read and were left out, by their paths in the folder."""
        return tuple(each.name for each in self.left_out if each.reason is Reason.UNREADABLE)

    @property
    def remarks(self) -> tuple[str, ...]:
        """The notes, below a line on what was left out, if anything was."""
        line = describe_left_out(self.left_out)
        return self.notes if line is None else (line, *self.notes)

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) over shape, pixels and labels, whatever the set is called."""
        sha = hashlib.sha256()
        for array in (self.images, self.labels):
            if array is not None:
                sha.update(f"{array.dtype.str} {array.shape};".encode())
                sha.update(array.data)
        return sha.hexdigest()

    def tensor(self) -> torch.Tensor:
        """The images as a tensor of their own: uint8, [N, C, H, W], on the CPU."""
        return torch.tensor(self.images)

    def take(self, indices: Sequence[int] | NDArray[np.int64], *, part: str) -> ImageSet:
        """The images (and labels) at `indices`, in that order; `part` says which of this set."""
        return replace(
            self,
            images=self.images[indices],
            labels=None if self.labels is None else self.labels[indices],
            part=part if self.part == "all" else f"{part}, of {self.part}",
        )


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    # In one piece, as hashing and torch want it; no copy if it is so already.
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view


def _type_and_shape(array: NDArray[Any]) -> str:
    return f"{array.dtype} {list(array.shape)}"
