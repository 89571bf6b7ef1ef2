"""What the pictures of all diagnostics are made of: rows of images, and lines over an axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from study.results.plots import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Numbers = NDArray[np.float64]

_CELL = 0.95  # inches a side
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
        rows: Images by the row's name, [n, C, H, W] each: uint8, or float clamped to [-1, 1]. A row
            may have fewer images than there are columns: they stand to the right.
        columns: The columns' titles.
        title: Of the whole picture.
        captions: Text below each image, by row.
        noise: Names of the rows that show noise, all on one colour scale about 0, not clamped.
    """
    count = len(columns)
    label = max(0.11 * max(map(len, rows)), 0.3)  # inches, by characters
    height = _CELL * len(rows) + 0.75 + (0.2 * len(rows) if captions else 0)
    figure = Figure(figsize=(_CELL * count + label + 0.6 * bool(noise), height))
    figure.set_layout_engine("constrained", w_pad=0.02, h_pad=0.02)
    panels = figure.subplots(len(rows), count, squeeze=False)
    limit = max((float(rows[name].abs().max()) for name in noise), default=1.0)
    shown = None
    for row, (name, images) in enumerate(rows.items()):
        empty = count - len(images)
        for column in range(count):
            panel = panels[row, column]
            panel.set(xticks=[], yticks=[])
            panel.spines[:].set_visible(False)
            if column >= empty:
                image = images[column - empty]
                if name in noise:
                    shown = _show_noise(panel, image, limit) or shown
                else:
                    panel.imshow(_pixels(image), cmap="gray", vmin=0, vmax=1)
                if captions is not None and captions[row]:
                    panel.set_xlabel(captions[row][column - empty], fontsize=8, labelpad=2)
            if row == 0:
                panel.set_title(columns[column], fontsize=9)
        panels[row, 0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9)
    if shown is not None:
        beside = [panels[row, -1] for row, name in enumerate(rows) if name in noise]
        figure.colorbar(shown, ax=beside, label="noise", shrink=0.9)
    figure.suptitle(title, fontsize=11)
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
            linestyle="-" if index < len(COLOURS) else "--",
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


def tidy(panel: Axes) -> None:
    """A light grid, and no frame on the right and above."""
    panel.grid(alpha=0.25, linewidth=0.6)
    panel.set_axisbelow(True)
    panel.spines[["top", "right"]].set_visible(False)


def _pixels(image: Tensor) -> NDArray[np.float32]:
    """An image [C, H, W] for `imshow`: [H, W] or [H, W, 3] in 0..1."""
    if image.is_floating_point():
        unit = (image.detach().float().cpu().clamp(-1, 1) + 1) / 2
    else:
        unit = image.cpu().float() / 255
    pixels: NDArray[np.float32] = unit.permute(1, 2, 0).numpy()
    return pixels[..., 0] if pixels.shape[-1] == 1 else pixels


def _show_noise(panel: Axes, noise: Tensor, limit: float) -> Any:
    """Noise [C, H, W] on a scale from -limit to limit; of colours, each channel has its own."""
    if len(noise) == 1:
        return panel.imshow(noise[0].cpu().numpy(), cmap=_NOISE_MAP, vmin=-limit, vmax=limit)
    panel.imshow(_pixels(noise / limit))
    return None
