"""Images that are read a few at a time, as they may be too many for memory or of any sizes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from study.data.image_set import ImageSet
from study.data.preprocessing import Levels, with_channels
from study.data.splits import shuffled
from study.spec.errors import UserError

Named = tuple[str, Levels]  # what an error calls an image, and the image [C, H, W]

_BYTES_AT_ONCE = 2**26


@dataclass(frozen=True, eq=False)
class ImageStream:
    """Images that are read when they are asked for, in one order.

    Attributes:
        name: The data set, folder or file that they come from.
        indices: Which of its images these are, int64 [N], rising.
        read: From such indices to the images, prepared, with their names.
        make_digest: Makes their digest.
        labels: int64 [N], or none.
        preprocessing: What is done to the pixels once they are read, in words.
        part: Which part of the data set this is, in words.
        remarks: Sentences for people, on what was left out and what may be wrong.
        read_channels: From indices to the channels of those images, None of one that can not be
            read; none if all images have as many.
    """

    name: str
    indices: NDArray[np.int64]
    read: Callable[[NDArray[np.int64]], Iterator[Named]]
    make_digest: Callable[[], str]
    labels: NDArray[np.int64] | None = None
    preprocessing: str = "none"
    part: str = "all"
    remarks: tuple[str, ...] = ()
    read_channels: Callable[[NDArray[np.int64]], Iterator[int | None]] | None = None

    def __len__(self) -> int:
        """The number of images."""
        return len(self.indices)

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) that says which images these are. Nothing is decoded for it.

        Of a data set it is the `ImageSet`'s own; of a file it is over shape, numbers and labels as
        they are stored; of a folder over its pictures' bytes, in the order of their names.
        """
        return self.make_digest()

    @cached_property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of the first image; with pictures of different sizes, of no other."""
        first = next(self.blocks(1))
        return first.shape[1], first.shape[2], first.shape[3]

    @cached_property
    def channels(self) -> frozenset[int]:
        """The channels that its images have: {1}, {3} or both. Nothing is decoded for it."""
        if self.read_channels is None:
            return frozenset({self.shape[0]})
        seen: set[int] = set()
        for channels in self.read_channels(self.indices):
            seen |= set() if channels is None else {channels}
            if len(seen) == 2:
                break
        return frozenset(seen)

    def in_colour(self) -> ImageStream:
        """The same images with 3 channels, grey ones by repetition."""

        def read(indices: NDArray[np.int64]) -> Iterator[Named]:
            for name, image in self.read(indices):
                yield name, with_channels(image[None], 3)[0]

        text = "" if self.preprocessing == "none" else f"{self.preprocessing}; "
        return replace(self, read=read, preprocessing=f"{text}RGB", read_channels=None)

    def blocks(self, most: int = 128, *, one_shape: bool = False) -> Iterator[Levels]:
        """The images in order, uint8 [n, C, H, W], n <= `most`: as many as have one shape.

        Args:
            most: Images at once; of large ones fewer.
            one_shape: Whether all images must have the same.

        Raises:
            UserError: If an image can not be read, or has another shape and must not.
        """
        block: list[Levels] = []
        first: Named | None = None
        images = self.read(self.indices)
        for name, image in images:
            first = first or (name, image)
            if one_shape and image.shape != first[1].shape:
                raise self._differ(first, chain([(name, image)], images))
            full = min(most, max(1, _BYTES_AT_ONCE // image.nbytes))
            if block and (len(block) >= full or block[0].shape != image.shape):
                yield np.stack(block)
                block = []
            block.append(image)
        if block:
            yield np.stack(block)

    def _differ(self, first: Named, rest: Iterable[Named]) -> UserError:
        """That the images have no one shape: the first of another size, and of other channels.

        Args:
            first: The first image.
            rest: Some of the others; read until both are known, so that both are told at once.
        """
        channels, *size = first[1].shape
        resized: Named | None = None
        recoloured: Named | None = None
        for named in rest:
            if [*named[1].shape[1:]] != size:
                resized = resized or named
            if named[1].shape[0] != channels:
                recoloured = recoloured or named
            if resized and recoloured:
                break
        others = {each[0]: each for each in (resized, recoloured) if each is not None}
        shown = [f"{name} is {list(image.shape)}" for name, image in (first, *others.values())]
        rules = [
            *(["one size, as --size makes it"] if resized else []),
            *(["as many channels, as --channels makes them"] if recoloured else []),
        ]
        return UserError(
            f"The images of `{self.name}` differ: {', '.join(shown[:-1])} and {shown[-1]}, "
            f"but here all must have {', and '.join(rules)}"
        )

    def some(self, count: int, seed: int) -> ImageStream:
        """So many of the images at random, in their order.

        Raises:
            UserError: If there are not as many, or `count` is less than 2.
        """
        if not 2 <= count <= len(self):
            raise UserError(
                f"The value of `samples` is {count}, but must be 2 to {len(self)}, "
                f"the number of images in `{self.name}`"
            )
        chosen = np.sort(shuffled(len(self), seed)[:count])
        return replace(
            self,
            indices=self.indices[chosen],
            make_digest=lambda: hashlib.sha256(
                f"{self.digest} {chosen.tolist()}".encode()
            ).hexdigest(),
            labels=None if self.labels is None else self.labels[chosen],
            part=f"count={count}, seed={seed}"
            + ("" if self.part == "all" else f", of {self.part}"),
        )

    def at(self, places: NDArray[np.int64]) -> list[Levels]:
        """The images [C, H, W] at some places of the stream, in that order."""
        unique, back = np.unique(places, return_inverse=True)
        images = [image for _, image in self.read(self.indices[unique])]
        return [images[index] for index in back]

    def in_memory(self) -> ImageSet:
        """All of them at once.

        Raises:
            UserError: If one can not be read, or their shapes differ.
        """
        images = np.concatenate([*self.blocks(one_shape=True)])
        return ImageSet(
            self.name,
            images,
            self.labels,
            self.preprocessing,
            self.part,
            notes=self.remarks,
        )


def stream_of(image_set: ImageSet) -> ImageStream:
    """The images of a set in memory."""

    def read(indices: NDArray[np.int64]) -> Iterator[Named]:
        return ((f"image {index}", image_set.images[index]) for index in indices)

    return ImageStream(
        name=image_set.name,
        indices=np.arange(len(image_set)),
        read=read,
        make_digest=lambda: image_set.digest,
        labels=image_set.labels,
        preprocessing=image_set.preprocessing,
        part=image_set.part,
        remarks=image_set.remarks,
    )
