"""Film strips: images turning into noise, and noise turning into images."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from matplotlib.figure import Figure

from models.ddpm import DDPM
from models.morphing import Morphing
from study.diagnostics.figures import counted, image_rows
from study.diagnostics.paths import (
    CLEAN,
    PREDICTED,
    Frame,
    degrading,
    denoising,
    every,
    first,
    noising,
    pick,
)
from study.diagnostics.subject import Finding, Subject

IMAGES = 2
PATHS = 5
COLUMNS = 5
"""Two pictures of a strip are T / COLUMNS timesteps apart: 200 of 1000."""

PATH_COLUMNS = 11


def strips_figure(
    clean: torch.Tensor, forward: Sequence[Frame], backward: Sequence[Frame], sampler: str
) -> Figure:
    """Images on their way to noise, above others on their way back, by timestep.

    Below each way back are the clean images that were predicted on it.

    Args:
        clean: The images that the forward way starts from, [n, C, H, W].
        forward: At rising timesteps.
        backward: At the same timesteps, or near, then clean ones; read from right to left.
        sampler: What took the way back, in words.
    """
    columns = ["clean", *(f"t = {frame.t}" for frame in forward)]
    rows = {
        f"forward {i + 1}  →": torch.stack([clean[i], *(frame.x[i] for frame in forward)])
        for i in range(len(clean))
    }
    end, way = backward[-1], backward[:-1]
    for i in range(len(end.x)):
        rows[f"backward {i + 1}  ←"] = torch.stack([end.x[i], *(frame.x[i] for frame in way)])
        if all(frame.x0 is not None for frame in way):
            predicted = torch.stack([frame.x0[i] for frame in way if frame.x0 is not None])
            rows[f"{PREDICTED} {i + 1}"] = predicted
    title = (
        f"{len(clean)} training images on their way to noise, "
        f"and {len(end.x)} samples on their way back by {sampler}, above what was predicted there"
    )
    return image_rows(rows, columns, title)


def paths_figure(frames: Sequence[Frame], sampler: str) -> Figure:
    """Random ways from noise to images from left to right, above the predicted clean images."""
    columns = ["image" if frame.t == CLEAN else f"t = {frame.t}" for frame in frames]
    rows = {}
    for i in range(len(frames[0].x)):
        rows[f"path {i + 1}"] = torch.stack([frame.x[i] for frame in frames])
        if all(frame.x0 is not None for frame in frames):
            predicted = torch.stack([frame.x0[i] for frame in frames if frame.x0 is not None])
            rows[f"{PREDICTED} {i + 1}"] = predicted
    title = f"Denoising paths of N = {len(frames[0].x)} samples by {sampler}"
    return image_rows(
        rows, columns, f"{title}: the state at t, above the clean image predicted there"
    )


def diagnose(subject: Subject) -> Finding:
    """Strips every fifth of T, and 5 random paths, with the sampler that scored the trial."""
    family = subject.family
    assert isinstance(family, DDPM | Morphing)
    last = family.schedule.timesteps - 1
    stops = every(last + 1, max(1, (last + 1) // COLUMNS))
    clean = subject.batch(subject.train, IMAGES, "strips")
    generator = subject.generator("strips")
    if isinstance(family, Morphing):
        forward = degrading(family, clean, stops, generator)
    else:
        forward = noising(family.schedule, clean, stops, generator)
    shown = {round(i * last / (PATH_COLUMNS - 2)) for i in range(PATH_COLUMNS - 1)}
    sampling = f"{subject.sampler}, {counted(subject.steps, 'step')}"
    way = denoising(
        family,
        PATHS,
        subject.generator("paths"),
        sampler=subject.sampler,
        steps=subject.steps,
        options=subject.options,
    )
    # One way for both pictures: sampling it is what takes the time.
    frames = pick(way, [*stops, CLEAN, *shown])
    backward = [first(f, len(clean)) for f in frames[: len(stops) + 1]]
    path = sorted({f.t: f for f in frames[len(stops) :]}.values(), key=lambda f: -f.t)
    return Finding(
        headline=f"{PATHS} paths by {sampling}",
        pictures={
            "strips": strips_figure(clean, forward, backward, sampling),
            "paths": paths_figure(path, sampling),
        },
    )
