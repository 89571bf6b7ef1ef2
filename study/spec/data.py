"""The `data:` section: the real images, how they are prepared, and which are held out."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from study.spec.datasets import check_dataset, image_count, is_path
from study.spec.names import DATASETS
from study.spec.section import Misfit, Section
from study.spec.short_form import ShortForm


class FractionSplit(Section):
    """A share of the images is held out, each label's share alike."""

    kind: Literal["fraction"]
    held_out: float = Field(
        0.2, gt=0, lt=1, description="Share that is only compared with, never trained on."
    )

    def held_out_images(self, images: int) -> int:
        """How many of so many images are held out."""
        return min(max(round(images * self.held_out), 1), images - 1)


class KFoldSplit(Section):
    """The images are dealt to folds of equal size, and one fold is held out."""

    kind: Literal["k_fold"]
    folds: int = Field(5, ge=2, le=1000, description="How many folds.")
    fold: int = Field(0, ge=0, description="Which one is held out.")

    @model_validator(mode="after")
    def _there_is_such_a_fold(self) -> Self:
        if self.fold >= self.folds:
            raise Misfit(("fold",), f"{self.fold} must be < `folds` ({self.folds})")
        return self

    def held_out_images(self, images: int) -> int:
        """How many of so many images are held out."""
        return images // self.folds + (self.fold < images % self.folds)


class LeaveOneOutSplit(Section):
    """One image is held out."""

    kind: Literal["leave_one_out"]
    image: int = Field(0, ge=0, description="Which one.")

    def held_out_images(self, images: int) -> int:
        """How many of so many images are held out."""
        del images
        return 1


Split = Annotated[
    FractionSplit | KFoldSplit | LeaveOneOutSplit, Field(discriminator="kind"), ShortForm("split")
]


class Data(Section):
    """The real images, how they are prepared, and which of them are held out for scoring."""

    dataset: str = Field(
        "mnist5k",
        description=f"A data set by name ({', '.join(DATASETS)}), "
        "or the path of a folder of pictures, an .npy or an .npz file.",
    )
    size: int | None = Field(
        None,
        ge=8,
        le=128,
        description="Resize to this side in pixels; null keeps a named set's native size.",
    )
    channels: Literal[1, 3] | None = Field(
        None,
        description="1 is grey, 3 is colour; null is the images' own, and of a folder 1 if all of "
        "its pictures are grey.",
    )
    fit: Literal["crop", "pad"] = Field(
        "crop", description="How pictures become square: cut at the centre, or padded."
    )
    background: int = Field(
        255, ge=0, le=255, description="Grey level under transparent pixels and of padding."
    )
    edges: Literal["none", "sobel", "laplacian"] = Field(
        "none", description="Replace images by their edges, found by this kernel."
    )
    fraction: float | None = Field(
        None, gt=0, le=1, description="Use this share of the images, chosen at random."
    )
    count: int | None = Field(
        None, ge=2, description="Use so many of the images, chosen at random."
    )
    on_error: Literal["fail", "skip"] = Field(
        "fail", description="What a broken picture does: end the study, or be left out."
    )
    levels: int | None = Field(
        None,
        ge=1,
        le=65535,
        description="The level of white in images of 16 bits, 4095 if they have 12; null is 65535, "
        "and an array of 16 bits must say.",
    )
    seed: int = Field(0, ge=0, lt=2**32, description="Seed of the split and of the choice.")
    split: Split = Field(
        default=FractionSplit(kind="fraction"), description="Which images are held out."
    )

    @field_validator("dataset")
    @classmethod
    def _known(cls, value: str) -> str:
        check_dataset(value)
        return value

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Self:
        if self.is_path and self.size is None:
            raise Misfit(("size",), "is missing: pictures at a path have no size of their own")
        if not self.is_path and self.levels is not None:
            raise Misfit(("levels",), f"is for images of 16 bits, and {self.dataset} has 8")
        if self.fraction is not None and self.count is not None:
            raise Misfit(("count",), "must not stand beside `fraction`: each says how many images")
        return self

    @model_serializer(mode="wrap")
    def _without_levels(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Studies that do not name it keep the digest that they had before there was such a key.
        values: dict[str, Any] = serialize(self)
        return {key: value for key, value in values.items() if key != "levels" or value is not None}

    @property
    def is_path(self) -> bool:
        """Whether the images come from a path of the user's."""
        return is_path(self.dataset)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of the images that networks see.

        A study file that leaves the channels of a path to its images has them filled in when it is
        read (`study.spec.study_file`); a study that has none was trained in colour.
        """
        if self.is_path:
            assert self.size is not None
            return self.channels or 3, self.size, self.size
        info = DATASETS[self.dataset]
        side = self.size or info.size
        return self.channels or info.channels, side, side

    @property
    def images(self) -> int:
        """How many images are used, before the split; at a path, broken ones are counted too.

        Raises:
            ValueError: There are none at the path.
        """
        known = image_count(self.dataset)
        if self.count is not None:
            return min(self.count, known)
        return known if self.fraction is None else max(round(known * self.fraction), 1)

    @property
    def training_images(self) -> int:
        """How many images one epoch sees."""
        return self.images - self.held_out_images

    @property
    def held_out_images(self) -> int:
        """How many images are held out."""
        return self.split.held_out_images(self.images)
