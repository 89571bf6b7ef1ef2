"""Images of another set, brought to the shape of those that they invade."""

from __future__ import annotations

from study.data import ImageSet, Preparation, load_images
from study.data.preparation import SIZES
from study.data.preprocessing import prepare
from study.spec.datasets import is_path
from study.spec.errors import UserError


def invaders_of(dataset: str) -> str:
    """The data set that invades unless another is named: photographs among digits, else digits."""
    return "photo_patches" if dataset in ("digits", "mnist", "mnist5k") else "mnist5k"


def load_invaders(dataset: str, shape: tuple[int, int, int]) -> ImageSet:
    """A data set by name or path, brought to a shape (C, H, W).

    Raises:
        UserError: If there is no such data set, or it cannot be brought to the shape.
    """
    if is_path(dataset):
        return load_images(dataset, _preparation(dataset, shape))
    return _shaped(load_images(dataset), shape)


def _shaped(images: ImageSet, shape: tuple[int, int, int]) -> ImageSet:
    if shape_of(images) == shape:
        return images
    return prepare(images, _preparation(images.name, shape))


def _preparation(name: str, shape: tuple[int, int, int]) -> Preparation:
    channels, height, width = shape
    if height != width or height not in SIZES or channels not in (1, 3):
        raise UserError(
            f"`{name}` cannot be brought to the shape {list(shape)} of the images that it is to "
            f"invade: that takes squares of {SIZES[0]} to {SIZES[-1]} pixels, grey or RGB"
        )
    return Preparation(size=height, channels=channels)


def choose_invaders(images: ImageSet, by: ImageSet | None, shape: tuple[int, int, int]) -> ImageSet:
    """The invaders of a set in its shape: those given, or those named by `invaders_of`.

    Raises:
        UserError: If they cannot be brought to the shape, or are the set itself.
    """
    invaders = load_invaders(invaders_of(images.name), shape) if by is None else _shaped(by, shape)
    if invaders.digest == images.digest or (by is not None and by.digest == images.digest):
        raise UserError(f"`{invaders.name}` is to invade itself, but it must be another set")
    return invaders


def shape_of(images: ImageSet) -> tuple[int, int, int]:
    """(C, H, W) of all images."""
    _, channels, height, width = images.images.shape
    return channels, height, width
