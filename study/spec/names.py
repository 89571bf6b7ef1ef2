"""The data sets and metrics that a study file may name, so that it is checked without loading them.

Each table is held equal to the registry behind it by a test. What embedders, measures and samplers
are is declared in `embedder_info`, `measure_info`, `samplers` and `search`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from study.spec.foreign_names import normalised, other_names


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
"""What a study may minimise: measure and embedder. For `fd`, the study file names the embedder."""


def metric_name(measure: str, embedder: str) -> str:
    """The name of a measure taken with an embedder: `fid`, `fd_vae`, `kid`, `precision`.

    `fid` and `kid` mean Inception's features of 2015-12-05 and nothing else.
    """
    suffix = "custom" if is_import_path(embedder) else embedder
    match measure:
        case "fd" | "fd_infinity":
            rest = measure.removeprefix("fd")
            return f"fid{rest}" if embedder == "inception" else f"fd_{suffix}{rest}"
        case "kid":
            return "kid" if embedder == "inception" else f"kid_{suffix}"
        case "sliced_wasserstein":
            return measure if embedder == "pixels" else f"{measure}_{suffix}"
    return measure


def is_import_path(name: str) -> bool:
    """Whether the name of an embedder is the import path of a user's own, `package.module:Name`."""
    return ":" in name


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` for the known name that a mistaken one means, else an empty string.

    That is one that differs in case and dashes alone, one that other tools call so, or the one most
    like it.
    """
    names = [*known]
    plain = normalised(name)
    same = [each for each in names if normalised(each) == plain]
    called = [e for e in names if plain in map(normalised, other_names(e).split())]
    like = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    meant = [*same, *called, *like]
    return f"; did you mean `{meant[0]}`?" if meant else ""
