"""The picture of `study trust`: a row for each corruption, examples above curves."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from study.results.picture_titles import set_title
from study.results.plot_style import COLOURS, tidy
from study.trust.assessment import Assessment, MetricAssessment
from study.trust.assessment_report import headline, limit_text
from study.trust.corruptions import Corruption
from study.trust.dose_response import Response, threshold

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Inches: how wide the panels on the left come out, and how high the curves, a metric's lines of
# text, and the titles and labels around them.
_LEFT = 6.3
_CURVES = 2.3
_LINE = 0.44
_AROUND = 1.15
_CHARACTERS = 60  # in a line of a verdict
_MARKERS = "osD^vP"


def assessment_figure(assessment: Assessment) -> Figure:
    """Examples and scores of each corruption; stars mark the detection limits.

    On the left every score is a share of the same metric's score at the highest level. On the right
    is its excess over the score of clean images, in units of the largest difference that chance
    makes between two scores: above the line at 1, one score of N images suffices to detect it.
    Bands are one standard deviation of one score.
    """
    height, width = assessment.shape[1:]
    metrics = assessment.metrics
    above = [
        max(2 * _half(kind) * _LEFT / len(kind.levels) * height / width, _LINE * len(metrics))
        for kind in assessment.corruptions
    ]
    heights = [each + _CURVES + _AROUND for each in above]
    figure = Figure(figsize=(13, sum(heights) + 0.7), layout="constrained")
    legend = "stars: told apart from clean images; bands: one standard deviation of a score"
    set_title(figure, f"{headline(assessment)}\n{legend}")
    grid = figure.add_gridspec(len(heights), 1, hspace=0.04, height_ratios=heights)
    for index, kind in enumerate(assessment.corruptions):
        part = figure.add_subfigure(grid[index])
        title = f"{kind.title}" + (f" ({assessment.foreign})" if kind.replaces_images else "")
        part.suptitle(title, fontsize=12, fontweight="bold", x=0.01, ha="left")
        panels = part.subplots(2, 2, height_ratios=(above[index], _CURVES), width_ratios=(1.15, 1))
        _examples(panels[0, 0], kind, assessment.examples[kind.name])
        _legend(panels[0, 1], metrics, index, kind)
        _shares(panels[1, 0], metrics, index)
        _differences(panels[1, 1], metrics, index)
        for panel in panels[1]:
            panel.set_xlabel(kind.unit)
            panel.set_xticks(
                range(len(kind.levels)), [kind.level_text(each) for each in kind.levels]
            )
            panel.set_xlim(-0.5, len(kind.levels) - 0.5)
            tidy(panel)
    return figure


def _half(kind: Corruption) -> float:
    """Half the width of a level's examples, in levels: an inch wide at most."""
    return min(0.44, 0.5 * len(kind.levels) / _LEFT)


def _examples(panel: Axes, kind: Corruption, examples: NDArray[np.uint8]) -> None:
    """Examples of each level [levels, n, C, H, W], above the level's place on the axis below."""
    tiles = [_mosaic(each if kind.replaces_images else each[:4]) for each in examples]
    half = _half(kind)
    top = 2 * half * tiles[0].shape[0] / tiles[0].shape[1]
    for place, tile in enumerate(tiles):
        across = (place - half, place + half)
        panel.imshow(tile, extent=(*across, 0, top), interpolation="nearest", vmin=0, vmax=255)
    panel.set(xlim=(-0.5, len(tiles) - 0.5), ylim=(0, top), anchor="S")
    panel.set_axis_off()


def _mosaic(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Images [n, C, H, W] in a square, [h, w, 3]."""
    count, channels, height, width = images.shape
    across = max(1, int(np.sqrt(count)))
    gap = max(1, width // 14)
    shape = (across * (height + gap) - gap, across * (width + gap) - gap, 3)
    tile = np.full(shape, 255, np.uint8)
    for index, image in enumerate(images[: across**2]):
        top, left = index // across * (height + gap), index % across * (width + gap)
        shown = image if channels == 3 else image[:1].repeat(3, axis=0)
        tile[top : top + height, left : left + width] = shown.transpose(1, 2, 0)
    return tile


def _legend(panel: Axes, metrics: Sequence[MetricAssessment], index: int, kind: Corruption) -> None:
    """Each metric's line, and its verdict."""
    panel.set(xlim=(0, 1), ylim=(len(metrics), 0))
    panel.set_axis_off()
    for place, each in enumerate(metrics):
        response, middle = each.responses[index], place + 0.5
        panel.plot([0.0, 0.03, 0.06], [middle] * 3, **_style(place), markevery=[1], clip_on=False)
        name = textwrap.shorten(each.metric, 28)
        start = (
            "told from no level"
            if response.detection_limit is None
            else (f"told from {limit_text(response, kind)}")
        )
        text = f"{start}\n{textwrap.fill(response.verdict(kind.level_text), _CHARACTERS)}"
        texts = (
            panel.text(0.08, middle, name, va="center", fontsize=10),
            panel.text(0.29, middle, text, va="center", fontsize=9, linespacing=1.1),
        )
        for label in texts:
            label.set_in_layout(False)  # which would make the curves narrower


def _shares(panel: Axes, metrics: Sequence[MetricAssessment], index: int) -> None:
    for place, each in enumerate(metrics):
        response = each.responses[index]
        highest = response.scores[-1].mean
        scale = np.full(len(response.scores), highest if highest > 0 else 1.0)
        _curve(panel, response, scale, place, clean=0.0)
    panel.set_ylim(bottom=min(panel.dataLim.intervaly[0], 0.0))
    panel.set_title("score, as a share of that at the highest level", fontsize=9)


def _differences(panel: Axes, metrics: Sequence[MetricAssessment], index: int) -> None:
    for place, each in enumerate(metrics):
        response = each.responses[index]
        chance = np.array([threshold(response.scores[0], other) for other in response.scores])
        if chance.all():  # else nothing is chance
            _curve(panel, response, chance, place, clean=response.scores[0].mean, mark=1.0)
    panel.axhline(1, color="black", linewidth=1, linestyle=":", zorder=1)
    panel.set_yscale("symlog", linthresh=1, linscale=1)
    panel.set_yticks([-100, -30, -10, -3, -1, 0, 1, 3, 10, 30, 100, 300, 1000])
    panel.yaxis.set_major_formatter("{x:g}")
    low, high = panel.dataLim.intervaly
    panel.set_ylim(min(low * 1.2, -0.6), max(high * 1.2, 3.0))
    panel.set_title("score above clean images / largest difference due to chance (95%)", fontsize=9)


def _curve(
    panel: Axes,
    response: Response,
    scale: NDArray[np.float64],
    place: int,
    *,
    clean: float,
    mark: float | None = None,
) -> None:
    """A curve over the levels, which are equally far apart, with its band, and a star on it.

    Args:
        panel: Where to draw.
        response: The scores.
        scale: What each level's is divided by, after `clean` is taken off.
        place: The metric's place, for its style.
        clean: What is taken off.
        mark: The height of the star; that of the curve if none.
    """
    across = np.arange(len(scale))
    means = (np.array([each.mean for each in response.scores]) - clean) / scale
    spreads = np.array([each.spread for each in response.scores]) / scale
    colour = COLOURS[place % len(COLOURS)]
    panel.fill_between(across, means - spreads, means + spreads, color=colour, alpha=0.15, lw=0)
    panel.plot(across, means, **_style(place))
    if response.detection_limit is None:
        return
    at = float(
        np.interp(response.detection_limit, [each.level for each in response.scores], across)
    )
    height = (
        float(np.interp(at, across, means)) if mark is None or response.limit_is_bound else mark
    )
    star: dict[str, Any] = {
        "marker": "*",
        "markersize": 14,
        "color": colour,
        "markeredgecolor": "black",
    }
    panel.plot([at], [height], **star, markeredgewidth=0.7, zorder=4)


def _style(place: int) -> dict[str, Any]:
    return {
        "color": COLOURS[place % len(COLOURS)],
        "marker": _MARKERS[place % len(_MARKERS)],
        "markersize": 4,
        "linewidth": 1.6,
    }
