"""Several trained trials side by side: their samples, their denoising paths, their scores."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Generator, Tensor
from torch.nn.functional import interpolate

from models.ddpm import DDPM
from models.family import Family
from models.images import to_uint8
from models.morphing import Morphing
from study.diagnostics.figures import image_rows, lines
from study.diagnostics.paths import CLEAN, PREDICTED, denoising, pick
from study.results.image_grid import image_grid
from study.results.picture_titles import set_title

SAMPLES = 50
REAL = 10
PATHS = 5
COLUMNS = 5
STATES = 10
"""States of a path that are shown before the image that it ends in."""

_A_ROW = 6  # trials
_TITLE = 38  # characters that a trial's column is wide
_TITLE_LINES = 8


@dataclass(frozen=True, eq=False)
class DenoisingPath:
    """Images on their way through a sampler, uint8 [n, C, H, W] each.

    Attributes:
        states: What the sampler stood at.
        predicted: The clean images that were predicted from each of these.
    """

    states: Sequence[Tensor]
    predicted: Sequence[Tensor]


@dataclass(frozen=True, eq=False)
class Exhibit:
    """A trial to compare with others.

    Attributes:
        label: Which trial it is.
        differs: In what it differs from the others, in words.
        score: The score of its weights, with their epoch and N, in words.
        sampling: What made its samples, in words.
        real: Some of the images of its data, uint8 [n, C, H, W].
        samples: Images that it made, uint8 [N, C, H, W].
        path: `STATES` states of images on their way, then their end; None of a family that has no
            such way.
        timesteps: Those of its forward process, T; None as above.
        metric: What its scores are.
        scored: N, the number of images that were scored; None if none were.
        scores: By epoch.
        group: Scores are comparable within a group alone; None if it has none.
    """

    label: str
    differs: str
    score: str
    sampling: str
    real: Tensor
    samples: Tensor
    path: DenoisingPath | None
    timesteps: int | None
    metric: str
    scored: int | None
    scores: Mapping[int, float]
    group: int | None

    @property
    def summary(self) -> str:
        """All about it in one line."""
        return "; ".join(filter(None, (f"{self.label}: {self.score}", self.differs, self.sampling)))


def denoising_path(
    family: Family,
    generator: Generator,
    *,
    sampler: str,
    steps: int,
    options: Mapping[str, Any],
    count: int = PATHS,
) -> DenoisingPath | None:
    """`STATES` states of a sampler's way, and its end; None of a family that has no such way.

    They are nearest to evenly spaced timesteps, so that a sampler of few steps repeats some.

    Args:
        family: What samples.
        generator: The only source of randomness, on the family's device.
        sampler: The name of a sampler.
        steps: How many steps it takes.
        options: The sampler's own.
        count: How many images.
    """
    if not isinstance(family, DDPM | Morphing):
        return None
    way = denoising(family, count, generator, sampler=sampler, steps=steps, options=options)
    shown = _stops(family.schedule.timesteps)
    frames = pick(way, [*shown, CLEAN])
    predicted = [frame.x if frame.x0 is None else frame.x0 for frame in frames]
    return DenoisingPath(
        [to_uint8(frame.x).cpu() for frame in frames], [to_uint8(x0).cpu() for x0 in predicted]
    )


def samples_figure(exhibits: Sequence[Exhibit], note: str = "") -> Figure:
    """A column a trial: real images of its data in a first row, its samples below.

    Args:
        exhibits: The trials.
        note: What to know about their scores.
    """
    across = min(len(exhibits), _A_ROW)
    down = math.ceil(len(exhibits) / across)
    titles = [_title(exhibit) for exhibit in exhibits]
    room = 0.16 * max(title.count("\n") + 1 for title in titles)  # inches
    high = 2.6 * (REAL + SAMPLES) / COLUMNS / COLUMNS + room + 0.3
    figure = Figure(figsize=(max(2.75 * across, 5) + 0.3, high * down + 0.5), layout="constrained")
    ratios = [REAL, SAMPLES] * down
    panels = figure.subplots(2 * down, across, squeeze=False, height_ratios=ratios)
    for panel in panels.flat:
        panel.set_axis_off()
    for index, (exhibit, title) in enumerate(zip(exhibits, titles, strict=True)):
        row, column = divmod(index, across)
        upper, lower = panels[2 * row : 2 * row + 2, column]
        for panel, images in ((upper, exhibit.real), (lower, exhibit.samples)):
            grid = image_grid(images.numpy(), COLUMNS, scale=max(1, 64 // images.shape[-1]))
            panel.imshow(grid, cmap="gray", vmin=0, vmax=255)
        upper.set_title(title, fontsize=9)
    what = f"{REAL} real images, and below them N = {SAMPLES} random samples of each trial"
    set_title(figure, "\n".join(filter(None, [what, note])))
    return figure


def paths_figure(exhibits: Sequence[Exhibit], note: str = "") -> Figure | None:
    """Denoising paths of each trial from left to right, above the clean images predicted there.

    None if there are none.
    """
    shown = [(exhibit, exhibit.path) for exhibit in exhibits if exhibit.path is not None]
    if not shown:
        return None
    states = [state for _, path in shown for state in path.states]
    channels = max(state.shape[1] for state in states)
    side = max(state.shape[-1] for state in states)
    rows = {}
    for exhibit, path in shown:
        for i in range(len(path.states[0])):
            name = f"{exhibit.label}, {i + 1}"
            for row, images in ((name, path.states), (f"{name}: {PREDICTED}", path.predicted)):
                rows[row] = torch.stack([_alike(each, channels, side)[i] for each in images])
    several = {exhibit.timesteps for exhibit, _ in shown}
    columns = (
        [f"t = {t}" for t in _stops(next(iter(several)) or 1)]
        if len(several) == 1
        else [f"{1 - i / (STATES - 1):.2f} T" for i in range(STATES)]
    )
    without = [exhibit.label for exhibit in exhibits if exhibit.path is None]
    none = f"{', '.join(without)}: no such paths, as its family samples in one step"
    title = "\n".join(
        [
            f"Denoising paths of N = {PATHS} samples of each trial: the state at t, "
            "above the clean image predicted there",
            *(exhibit.summary for exhibit, _ in shown),
            *([none] if without else []),
            *filter(None, [note]),
        ]
    )
    return image_rows(rows, [*columns, "image"], title)


def scores_figure(exhibits: Sequence[Exhibit], note: str = "") -> Figure | None:
    """The score of each trial by epoch, a panel a group of comparable ones; None without any."""
    groups = sorted({exhibit.group for exhibit in exhibits if exhibit.group is not None})
    if not groups:
        return None
    figure = Figure(figsize=(6.5 * len(groups), 4.2), layout="constrained")
    panels = figure.subplots(1, len(groups), squeeze=False)[0]
    for panel, group in zip(panels, groups, strict=True):
        members = [exhibit for exhibit in exhibits if exhibit.group == group]
        curves = {_named(e): ([*e.scores], [*e.scores.values()]) for e in members}
        count = members[0].scored
        metric = members[0].metric + ("" if count is None else f", N = {count:,}")
        lines(panel, curves, x="epoch", y=f"{metric} (less is better)", marker=".", legend=False)
        panel.legend(  # below the panel, where it covers no curve
            loc="upper left", bbox_to_anchor=(0, -0.15), frameon=False, fontsize=9
        )
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    set_title(figure, "\n".join(filter(None, ["Score by epoch", note])))
    return figure


def _stops(timesteps: int) -> list[int]:
    return [round((timesteps - 1) * (1 - i / (STATES - 1))) for i in range(STATES)]


def _title(exhibit: Exhibit) -> str:
    title = [exhibit.label, *textwrap.wrap(exhibit.differs, _TITLE)]
    if len(title) >= _TITLE_LINES:
        title = [*title[: _TITLE_LINES - 2], f"{title[_TITLE_LINES - 2][: _TITLE - 2]} …"]
    return "\n".join([*title, exhibit.score])


def _named(exhibit: Exhibit) -> str:
    name = f"{exhibit.label}: {exhibit.differs}" if exhibit.differs else exhibit.label
    return textwrap.fill(name, 2 * _TITLE)


def _alike(images: Tensor, channels: int, side: int) -> Tensor:
    """Images uint8 [n, C, H, W] with `channels` channels and of that side, pixels as squares."""
    if images.shape[-1] != side:
        images = interpolate(images, size=(side, side), mode="nearest-exact")
    return images.expand(-1, channels, -1, -1)
