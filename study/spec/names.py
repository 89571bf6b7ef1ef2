"""The names that a study file may use, so that it is checked without importing what they name.

Each list is held equal to the registry behind it by a test.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class DatasetInfo:
    """What a study file's checks need to know of a data set before it is loaded."""

    size: int  # native side in pixels
    channels: int
    images: int
    comes_along: bool = True  # with a package; otherwise looked for, or downloaded


DATASETS = {
    "mnist5k": DatasetInfo(size=28, channels=1, images=5000),
    "digits": DatasetInfo(size=8, channels=1, images=1797),
    "mnist": DatasetInfo(size=28, channels=1, images=60_000, comes_along=False),
    "fashion_mnist": DatasetInfo(size=28, channels=1, images=60_000, comes_along=False),
    "photo_patches": DatasetInfo(size=32, channels=3, images=520),
}

METRIC_EMBEDDERS = {"fd_vae": "vae", "fd_pixels": "pixels"}
"""Each metric and the embedder that it means. Lower is better for all of them."""

FAMILY_SAMPLERS = {
    "ddpm": ("ddim", "ancestral", "dpm_solver"),
    "morphing": ("improved", "naive", "one_shot"),
    "gan": ("generator",),
}
"""What can sample each family, its default first. Of a user's own family nothing is known."""

ONE_STEP_SAMPLERS = ("one_shot", "generator")
"""Those that take one evaluation of the network, whatever `score.steps` says."""

SEARCH_SAMPLERS = ("tpe", "random", "grid", "cma-es", "gp", "qmc")
PRUNERS = (
    "none",
    "asha",
    "hyperband",
    "median",
    "percentile",
    "patient",
    "wilcoxon",
    "threshold",
)
OBJECTIVES = ("score", "parameters", "train_seconds")


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` for the known name most like a mistaken one, else an empty string."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean `{close[0]}`?" if close else ""
