"""What the pictures of all diagnostics are made of: rows of images, and lines over an axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from study.results.picture_titles import set_title
from study.results.plot_style import COLOURS, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Numbers = NDArray[np.float64]

_CELL = 0.95  # inches that an image is wide
_GAP = 0.06  # between images, as a share of their width
_CAPTION = 0.24  # below images, as a share of their height
_NARROWEST = 4.5  # inches: titles want room
_NOISE_MAP = "RdBu_r"


def image_rows(
    rows: Mapping[str, Tensor],
    columns: Sequence[str],
    title: str,
    *,
    captions: Sequence[Sequence[str]] | None = None,
    noise: Sequence[str] = (),
) -> Figure:
    """Rows of images under column titles.

    Args:
        rows: Images by the row's name, [n, C, H, W] each, of one size: uint8, or float clamped to
            [-1, 1]. A row may have fewer images than there are columns: they stand to the right.
        columns: The columns' titles.
        title: Of the whole picture.
        captions: Text below each image, by row.
        noise: Names of the rows that show noise, all on one colour scale about 0, not clamped.
    """
    height, width = next(iter(rows.values())).shape[2:]
    gap = max(1, round(width * _GAP))
    below = round(height * _CAPTION) if captions else gap
    count = len(columns)
    limit = max((float(rows[name].abs().max()) for name in noise), default=1.0) or 1.0
    # One canvas, not a panel for each image: hundreds of panels take minutes to lay out.
    canvas = np.ones((len(rows) * (height + below), count * (width + gap), 3), np.float32)
    for row, (name, images) in enumerate(rows.items()):
        for column, image in enumerate(images, start=count - len(images)):
            shown = _noise_pixels(image, limit) if name in noise else _pixels(image)
            top, left = row * (height + below), column * (width + gap)
            canvas[top : top + height, left : left + width] = shown
    canvas = canvas[:, : -gap or None]
    label = 0.085 * max(map(len, rows)) + 0.15  # inches, by characters
    wide, high = canvas.shape[1] / width * _CELL, canvas.shape[0] / width * _CELL
    above = 0.15 + (0.25 if any(columns) else 0)
    figure = Figure(
        figsize=(max(wide + label + 0.8 * bool(noise), _NARROWEST), high + above + 0.1),
        layout="compressed",
    )
    panel = figure.subplots()
    panel.imshow(canvas, interpolation="nearest")
    panel.spines[:].set_visible(False)
    panel.tick_params(length=0, labelsize=9, top=False, labeltop=True, labelbottom=False)
    across = [column * (width + gap) + (width - 1) / 2 for column in range(count)]
    down = [row * (height + below) + (height - 1) / 2 for row in range(len(rows))]
    panel.set_xticks(across, columns)
    panel.set_yticks(down, list(rows))
    for row, texts in enumerate(captions or ()):
        for column, text in enumerate(texts, start=count - len(texts)):
            place = (across[column], row * (height + below) + height)
            panel.annotate(text, place, ha="center", va="top", fontsize=8)
    if noise:
        scale = ScalarMappable(Normalize(-limit, limit), _NOISE_MAP)
        figure.colorbar(scale, ax=panel, label="noise", shrink=0.75, pad=0.02)
    set_title(figure, title)
    return figure


def lines(
    panel: Axes,
    curves: Mapping[str, tuple[Any, Any]],
    *,
    x: str,
    y: str,
    title: str = "",
    scale: Literal["linear", "log"] = "linear",
    bold: Sequence[str] = (),
    marker: str | None = None,
    legend: bool = True,
) -> None:
    """Curves with a legend.

    Args:
        panel: Where to draw.
        curves: (x values, y values) by name.
        x: Label of the axis, with its unit.
        y: Label of the axis, with its unit.
        title: Of the panel.
        scale: Of the y axis.
        bold: Names of the curves that stand out.
        marker: Of each point.
        legend: Whether it has one.
    """
    for index, (name, (xs, ys)) in enumerate(curves.items()):
        stands_out = name in bold
        panel.plot(
            xs,
            ys,
            label=name,
            color=COLOURS[index % len(COLOURS)],
            linestyle="--" if index % 2 else "-",  # one below another can be seen
            linewidth=2.6 if stands_out else 1.4,
            zorder=3 if stands_out else 2,
            marker=marker,
            markersize=4,
        )
    panel.set(xlabel=x, ylabel=y, yscale=scale)
    panel.set_title(title, fontsize=10)
    tidy(panel)
    if legend and len(curves) > 1:
        panel.legend(frameon=False, fontsize=8)


def counted(count: int, noun: str) -> str:
    """A number of things in words: `1 step`, `20 steps`."""
    return f"{count} {noun}" + ("" if count == 1 else "s")


def _pixels(image: Tensor) -> NDArray[np.float32]:
    """An image [C, H, W] as colours, [H, W, 3 or 1] in 0..1."""
    if image.is_floating_point():
        unit = (image.detach().float().cpu().clamp(-1, 1) + 1) / 2
    else:
        unit = image.cpu().float() / 255
    pixels: NDArray[np.float32] = unit.permute(1, 2, 0).numpy()
    return pixels


def _noise_pixels(noise: Tensor, limit: float) -> NDArray[np.float32]:
    """Noise [C, H, W] from -limit to limit as colours; of colours, each channel has its own."""
    if len(noise) > 1:
        return _pixels(noise / limit)
    unit = (noise[0].cpu().numpy() / limit + 1) / 2
    colours: NDArray[np.float32] = colormaps[_NOISE_MAP](unit)[..., :3].astype(np.float32)
    return colours
