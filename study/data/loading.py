"""Image data sets by name."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from types import MappingProxyType

from study.data.image_set import ImageSet
from study.data.preprocessing import resize
from study.data.sources import digits, mnist5k
from study.spec.errors import UserError

DATASETS: Mapping[str, Callable[[], ImageSet]] = MappingProxyType(
    {"digits": digits, "mnist5k": mnist5k}
)
"""The loader of each data set: its images as they are stored, in their own size."""


def load_images(dataset: str, *, size: int | None) -> ImageSet:
    """Load a data set by name and bring its images to one size.

    Args:
        dataset: A name in `DATASETS`.
        size: Height and width in pixels, or None to leave the images as they are stored.

    Raises:
        UserError: If there is no such data set, or `size` is less than 1.
    """
    loader = DATASETS.get(dataset)
    if loader is None:
        nearest = difflib.get_close_matches(dataset, DATASETS, n=1)
        raise UserError(
            f"The value of `dataset` is {dataset!r}, but must be one of {', '.join(DATASETS)}"
            + "".join(f"; did you mean {name}?" for name in nearest)
        )
    image_set = loader()
    return image_set if size is None else resize(image_set, size)
