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
    labels: bool = True
    comes_along: bool = True  # with a package; otherwise looked for, or downloaded


DATASETS = {
    "mnist5k": DatasetInfo(size=28, channels=1, images=5000),
    "digits": DatasetInfo(size=8, channels=1, images=1797),
    "mnist": DatasetInfo(size=28, channels=1, images=60_000, comes_along=False),
    "fashion_mnist": DatasetInfo(size=28, channels=1, images=60_000, comes_along=False),
    "photo_patches": DatasetInfo(size=32, channels=3, images=520, labels=False),
}

EMBEDDERS = (
    "inception",
    "inception_torch",
    "inception_antialias",
    "inception_clean",
    "vae",
    "lenet",
    "pixels",
)
"""What turns images into features. Of your own: the import path of a module, `package.module:Name`.

`inception` is FID's network of 2015-12-05 with the resize of its TensorFlow graph; the three beside
it resize as pytorch-fid, torchmetrics and clean-fid do."""

MEASURES = (
    "fd",
    "fd_infinity",
    "kid",
    "precision",
    "recall",
    "density",
    "coverage",
    "memorisation",
    "authenticity",
    "sliced_wasserstein",
    "modes",
    "mode_divergence",
)
"""What is computed from features, whatever the embedder."""

LABEL_MEASURES = ("modes", "mode_divergence")
"""Those that need the labels of the real images."""


@dataclass(frozen=True)
class LeastImages:
    """How many images a measure takes at least.

    Attributes:
        generated: Generated ones.
        real: Of those that are compared with.
        training: Of those that the generator learned from.
    """

    generated: int = 2
    real: int = 2
    training: int = 1


LEAST_IMAGES = dict.fromkeys(MEASURES, LeastImages()) | {
    "fd_infinity": LeastImages(generated=6),
    "precision": LeastImages(generated=4, real=4),
    "recall": LeastImages(generated=4, real=4),
    "density": LeastImages(real=6),
    "coverage": LeastImages(real=6),
    "memorisation": LeastImages(training=2),
    "authenticity": LeastImages(training=2),
}
"""What each measure takes. No score is of fewer than 2 images, or compares with fewer."""

METRICS = {
    "fid": ("fd", "inception"),
    "fd_vae": ("fd", "vae"),
    "fd_lenet": ("fd", "lenet"),
    "fd_pixels": ("fd", "pixels"),
    "fd": ("fd", None),
    "kid": ("kid", "inception"),
    "kid_vae": ("kid", "vae"),
    "kid_lenet": ("kid", "lenet"),
    "kid_pixels": ("kid", "pixels"),
    "sliced_wasserstein": ("sliced_wasserstein", "pixels"),
}
"""What a study may minimise: measure and embedder. Of `fd`, the study file names the embedder."""


def metric_name(measure: str, embedder: str) -> str:
    """The name of a measure taken with an embedder: `fid`, `fd_vae`, `kid`, `precision`.

    `fid` and `kid` mean Inception's features of 2015-12-05 and nothing else.
    """
    own = "custom" if ":" in embedder else embedder
    match measure:
        case "fd" | "fd_infinity":
            rest = measure.removeprefix("fd")
            return f"fid{rest}" if embedder == "inception" else f"fd_{own}{rest}"
        case "kid":
            return "kid" if embedder == "inception" else f"kid_{own}"
        case "sliced_wasserstein":
            return measure if embedder == "pixels" else f"{measure}_{own}"
    return measure


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
OBJECTIVES = ("score", "steps", "parameters", "train_seconds")


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` for the known name most like a mistaken one, else an empty string."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean `{close[0]}`?" if close else ""
