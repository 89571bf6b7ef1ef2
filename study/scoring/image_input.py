"""Images as people have them, tensors, arrays, sets or streams, and labels beside them."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from study.data import ImageSet
from study.data.image_checks import wrong_levels
from study.data.streams import ImageStream, stream_of
from study.spec.embedder_info import embedder_info
from study.spec.errors import UserError

Images: TypeAlias = Tensor | NDArray[np.uint8] | ImageSet | ImageStream


def streamed(
    side: str, images: Images, labels: Tensor | NDArray[np.int64] | None = None
) -> ImageStream:
    """The images as a stream.

    Args:
        side: What they are called where they have no name: `generated` or `reference`.
        images: A tensor on any device or an array, uint8 [N, C, H, W], C being 1 or 3; or a set or
            stream.
        labels: Whole numbers [N] >= 0, on any device, beside a tensor or an array; sets and streams
            have their own.

    Raises:
        UserError: If images or labels are not of these.
    """
    if isinstance(images, ImageStream | ImageSet):
        if labels is not None:
            raise UserError(
                f"The value of `labels` was given, but the {side} images are a set or stream: "
                "they have labels of their own or none"
            )
        return images if isinstance(images, ImageStream) else stream_of(images)
    levels = _array(images)
    if levels.dtype != np.uint8:
        raise wrong_levels(f"given as {side}", levels.dtype, levels.shape, [levels])
    if levels.ndim != 4 or levels.shape[1] not in (1, 3):
        raise UserError(
            f"The images given as {side} are uint8 {list(levels.shape)}, "
            "but must be [N, C, H, W], C being 1 or 3"
        )
    return stream_of(ImageSet(side, levels, None if labels is None else _whole(side, labels)))


def alike(
    samples: ImageStream, real: ImageStream | None, embedder: str
) -> tuple[ImageStream, ImageStream | None, tuple[str, ...]]:
    """Both sides with as many channels as the embedder takes, and what was done for it, in words.

    Grey becomes colour by repetition, as every implementation of FID has it: where one side, or an
    image of it, has colours and the embedder takes images of one shape. Inception does it itself.

    Raises:
        UserError: If the embedder takes images of one size, and the two have different ones.
    """
    if embedder_info(embedder).any_size:
        grey = [side.name for side in (samples, real) if side is not None and side.shape[0] == 1]
        return samples, real, _made_colour(grey, f"for {embedder}")
    if real is None:
        return samples, None, ()
    if samples.shape[1:] != real.shape[1:]:
        raise UserError(
            f"The generated images are {list(samples.shape)} and the reference {list(real.shape)}, "
            f"but with the embedder {embedder!r} they must be alike; --size makes them so"
        )
    if 3 not in samples.channels | real.channels:
        return samples, real, ()
    grey = [side.name for side in (samples, real) if 1 in side.channels]
    samples, real = (side.in_colour() if 1 in side.channels else side for side in (samples, real))
    return samples, real, _made_colour(grey, "as others have colours")


def _made_colour(names: list[str], why: str) -> tuple[str, ...]:
    return tuple(
        f"The grey images of {name} are taken as colour, by repetition, {why}."
        for name in dict.fromkeys(names)
    )


def first(images: ImageStream) -> ImageSet:
    """One image, to embedders that are made for its shape and learn nothing."""
    return ImageSet(images.name, next(images.blocks(1)))


def _whole(side: str, labels: Tensor | NDArray[np.int64]) -> NDArray[np.int64]:
    """The labels, checked, but for their number."""
    numbers = _array(labels)
    if numbers.dtype.kind not in "iu":
        raise UserError(f"The labels of the {side} images are {numbers.dtype}, but must be int64")
    largest = np.iinfo(np.int64).max
    if numbers.size and not (numbers.min() >= 0 and numbers.max() <= largest):
        raise UserError(
            f"The labels of the {side} images are {numbers.min()} to {numbers.max()}, "
            f"but must be 0 to {largest}"
        )
    return numbers.astype(np.int64)


def _array(values: Tensor | NDArray[Any]) -> NDArray[Any]:
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
