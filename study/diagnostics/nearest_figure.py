"""Generated images next to the real ones that are nearest to them in an embedder's features."""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from study.data.preparation import SIZES, Preparation
from study.data.preprocessing import Levels, apply_steps, steps
from study.data.streams import ImageStream
from study.diagnostics.figures import image_rows
from study.scoring.novelty import COPY_RATIO, Closeness

_ROWS = 5  # of each kind


def nearest_figure(
    generated: ImageStream, real: ImageStream, close: Closeness, embedder: str, seed: int
) -> Figure:
    """Some generated images, one a row, with their nearest real images from left to right.

    The upper rows are drawn at random; the lower ones are the closest to a real image, as a share
    of the distance to the nearest other one.

    Args:
        generated: The generated images.
        real: The real ones.
        close: How near each of the generated is to the nearest of the real ones.
        embedder: In whose features, for the title.
        seed: Chooses the upper rows.
    """
    order = np.random.default_rng(seed).permutation(len(generated))[:_ROWS]
    nearest, ratio = close.neighbours, close.ratio.cpu()
    closest = ratio.argsort(stable=True)[:_ROWS].numpy()
    rows = {_name(f"random {i + 1}", ratio[place]): int(place) for i, place in enumerate(order)}
    rows |= {_name(f"closest {i + 1}", ratio[place]): int(place) for i, place in enumerate(closest)}
    places = np.array([*rows.values()])
    copies = int((ratio < COPY_RATIO).sum())
    indices = nearest.indices[places].cpu().numpy()  # [rows, count]
    pictures = generated.at(places) + real.at(indices.ravel())
    shown = _of_one_shape(pictures)
    samples = shown[: len(rows)]
    neighbours = shown[len(rows) :].reshape(*indices.shape, *shown.shape[1:])
    return image_rows(
        {
            name: torch.cat([samples[row : row + 1], neighbours[row]])
            for row, name in enumerate(rows)
        },
        ["generated", "nearest", *(f"{k}." for k in range(2, indices.shape[1] + 1))],
        f"{len(rows)} of N = {len(generated):,} generated images and the nearest of {len(real):,} "
        f"real ones; {copies or 'no'} {'copy' if copies == 1 else 'copies'} "
        f"(ratio below {COPY_RATIO:.2f})\n"
        "left: distance to the nearest as a share of that to the nearest other image; "
        f"below: distance by {embedder}",
        captions=[_distances(nearest.distances[place].cpu().numpy()) for place in rows.values()],
    )


def _name(place: str, ratio: Tensor) -> str:
    return f"{place}   {'copy ' if ratio < COPY_RATIO else ''}{float(ratio):.2f}"


def _distances(distances: NDArray[np.float64]) -> list[str]:
    return ["", *(f"{distance:.3g}" for distance in distances)]


def _of_one_shape(pictures: list[Levels]) -> Tensor:
    """Pictures [C, H, W] of any shapes as uint8 [n, 3, side, side]: padded, never cut."""
    side = min(max(max(picture.shape[1:]) for picture in pictures), SIZES[-1])
    wanted = steps(Preparation(size=max(side, SIZES[0]), channels=3, fit="pad"))
    return torch.from_numpy(np.concatenate([apply_steps(p[None], wanted) for p in pictures]))
