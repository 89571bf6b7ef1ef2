"""Image sets: where they come from, how they are prepared, how they are split."""

from __future__ import annotations

from study.data.cache import get_or_make, user_cache_folder
from study.data.image_set import ImageSet
from study.data.loading import DATASETS, load_images
from study.data.preparation import Preparation
from study.data.splits import SPLITS, Fraction, KFold, LeaveOneOut, Split, split
from study.spec.image_source import ImageSource, summarise_images

__all__ = [
    "DATASETS",
    "SPLITS",
    "Fraction",
    "ImageSet",
    "ImageSource",
    "KFold",
    "LeaveOneOut",
    "Preparation",
    "Split",
    "get_or_make",
    "load_images",
    "split",
    "summarise_images",
    "user_cache_folder",
]
