"""What the plots share: colours and dashes that can be told apart, axes, a light grid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from matplotlib.ticker import LogLocator, NullFormatter

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's palette: told apart with any kind of colour vision.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
GREY = "#B8B8B8"
DASHES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
MARKERS = "osD^vPX*<p"
_DECADES = 1.0  # a range that spans more goes on a logarithmic axis


def scale(panel: Axes, axis: Literal["x", "y"], values: pd.Series[Any]) -> None:
    """Make the axis logarithmic if the values span decades."""
    finite = values[np.isfinite(values)]
    if len(finite) and finite.min() > 0 and finite.max() > 10**_DECADES * finite.min():
        panel.set(**{f"{axis}scale": "log"})
        ticks = panel.xaxis if axis == "x" else panel.yaxis
        if finite.max() < 100 * finite.min():  # too few powers of ten to read it by
            ticks.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            ticks.set_major_formatter("{x:g}")
        ticks.set_minor_formatter(NullFormatter())


def tidy(panel: Axes) -> None:
    """A light grid, and no frame on the right and above."""
    panel.grid(alpha=0.25, linewidth=0.6)
    panel.set_axisbelow(True)
    panel.spines[["top", "right"]].set_visible(False)
