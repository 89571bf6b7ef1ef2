"""What a study's images are once they are prepared: how many, of what shape, which are held out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from study.data import ImageSet
from study.data.splits import by_label, spread
from study.results.image_grid import image_grid
from study.spec import StudyFile, UserError
from study.spec.data import Data
from study.worker.workbench import TrainingImages, Workbench

_SIDE = 8  # images in a row and in a column of the contact sheet
_LEAST_PIXELS = 64  # of an image's side there


@dataclass(frozen=True)
class DataSummary:
    """A study's images as they are trained on.

    Attributes:
        dataset: The data set's name or path.
        images: How many there are, after those that are left out and those not chosen.
        shape: (C, H, W) of each.
        training: How many are trained on.
        held_out: How many are held out.
        split: How the held-out images are chosen, in words.
        splits: How many splits trials may choose from; the numbers are those of the first.
        labels: By label, how many images have it; none if images have no labels.
        part: Which part of the data set they are, in words.
        preprocessing: What is done to them, in words.
        remarks: What is left out, and what may be wrong.
    """

    dataset: str
    images: int
    shape: tuple[int, int, int]
    training: int
    held_out: int
    split: str
    splits: int
    labels: dict[int, int] | None
    part: str
    preprocessing: str
    remarks: tuple[str, ...]

    def lines(self) -> list[str]:
        """The summary for people."""
        channels, height, width = self.shape
        colour = "grey" if channels == 1 else "RGB"
        part = "" if self.part == "all" else f" ({self.part})"
        more = "" if self.splits == 1 else f"; the first of {self.splits} splits to choose from"
        return [
            f"data: {self.images:,} images of {self.dataset}{part}, {height} x {width} {colour}, "
            f"{self._labels()}",
            f"  {self.training:,} for training, {self.held_out:,} held out ({self.split}{more})",
            f"  prepared: {'not at all' if self.preprocessing == 'none' else self.preprocessing}",
            *(f"  {remark}" for remark in self.remarks),
        ]

    def _labels(self) -> str:
        if self.labels is None:
            return "no labels"
        few, many = min(self.labels.values()), max(self.labels.values())
        each = f"{few:,}" if few == many else f"{few:,} to {many:,}"
        count = len(self.labels)
        return f"{count} class{'es' * (count > 1)} of {each} image{'s' * (many > 1)}"


def summarise_data(study_file: StudyFile, bench: Workbench) -> DataSummary:
    """The images of a study, as its first trial would see them.

    Args:
        study_file: The study.
        bench: What has read its images, or will.

    Raises:
        UserError: If they can not be read.
    """
    data = study_file.study.data
    images = bench.images(data)
    _, channels, height, width = images.whole.images.shape
    return DataSummary(
        dataset=data.dataset,
        images=len(images.whole),
        shape=(channels, height, width),
        training=len(images.parts.train),
        held_out=len(images.parts.held_out),
        split=_split_in_words(data),
        splits=len({corner.study.data for corner in study_file.corners}),
        labels=_count_labels(images.whole),
        part=images.whole.part,
        preprocessing=images.whole.preprocessing,
        remarks=bench.remarks,
    )


def contact_sheet(images: TrainingImages) -> Image.Image:
    """Up to 64 of the images that are trained on, evenly spread over them, sorted by label."""
    train = images.parts.train
    order = by_label(np.arange(len(train)), train.labels)
    chosen = spread(order, min(len(train), _SIDE**2))
    scale = max(1, round(_LEAST_PIXELS / train.images.shape[2]))
    return image_grid(train.images[chosen], columns=_SIDE, scale=scale)


def write_contact_sheet(path: Path, images: TrainingImages) -> None:
    """Write a contact sheet as a PNG, whatever the path ends in.

    Raises:
        UserError: If it cannot be written.
    """
    try:
        contact_sheet(images).save(path, format="PNG")
    except OSError as error:
        raise UserError(f"-o {path}: cannot be written ({error.strerror or error})") from None


def _split_in_words(data: Data) -> str:
    options = data.split.model_dump(exclude={"kind"})
    return ", ".join([data.split.kind, *(f"{key} {value}" for key, value in options.items())])


def _count_labels(images: ImageSet) -> dict[int, int] | None:
    if images.labels is None:
        return None
    labels, counts = np.unique(images.labels, return_counts=True)
    return dict(zip(labels.tolist(), counts.tolist(), strict=True))
