"""Images of another set, brought to the shape of those that they replace."""

from __future__ import annotations

from study.data import ImageSet, Preparation, load_images
from study.data.preparation import SIZES
from study.data.preprocessing import prepare
from study.spec.datasets import is_path
from study.spec.errors import UserError


def default_foreign_set(dataset: str) -> str:
    """The set whose images replace others by default: photographs among digits, else digits."""
    return "photo_patches" if dataset in ("digits", "mnist", "mnist5k") else "mnist5k"


def load_foreign_images(dataset: str, shape: tuple[int, int, int]) -> ImageSet:
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


def choose_foreign_images(
    images: ImageSet, foreign: ImageSet | None, shape: tuple[int, int, int]
) -> ImageSet:
    """The foreign images for a set, in its shape; by default those of `default_foreign_set`.

    Raises:
        UserError: If they cannot be brought to the shape, or are the set itself.
    """
    if foreign is None:
        shaped = load_foreign_images(default_foreign_set(images.name), shape)
    else:
        shaped = _shaped(foreign, shape)
    if images.digest in (shaped.digest, None if foreign is None else foreign.digest):
        raise UserError(f"`{shaped.name}` is to invade itself, but it must be another set")
    return shaped


def shape_of(images: ImageSet) -> tuple[int, int, int]:
    """(C, H, W) of all images."""
    _, channels, height, width = images.images.shape
    return channels, height, width
