"""What stands above a picture: what it shows, and of which study, trial, epoch, metric and N."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FONT_SIZE = 10.5  # points
_LINE = 0.18  # inches that a line of a title is high
_CHARACTER = 0.083  # inches that a character of it is wide, on average
_MARGIN = 0.3  # inches beside a title, both sides together


def picture_title(
    what: str = "",
    *,
    study: str = "",
    trials: int | str | None = None,
    epoch: int | None = None,
    metric: str = "",
    value: float | None = None,
    samples: int | None = None,
) -> str:
    """What a picture shows in a first line, and whose it is in a second one.

    Args:
        what: What it shows, with the number of images that it rests on. Empty for the second line
            alone.
        study: The study's name.
        trials: The trial's number, or which trials, in words.
        epoch: Of the trial's weights.
        metric: What its score is.
        value: Its score.
        samples: N, the number of generated images that were scored.
    """
    scored = metric if value is None else f"{metric} {value:.4g}".strip()
    if scored and samples is not None:
        scored += f" (N = {samples:,} images)"
    parts = [
        study and f"study {study}",
        "" if trials is None else f"trial {trials}" if isinstance(trials, int) else trials,
        "" if epoch is None else f"epoch {epoch}",
        scored,
    ]
    return "\n".join(filter(None, [what, ", ".join(filter(None, parts))]))


def set_title(figure: Figure, title: str) -> None:
    """Put a title above a figure; its lines are wrapped to the figure's width.

    The figure grows by the lines that it did not have before, so that panels keep their size.
    """
    width, height = figure.get_size_inches()
    characters = max(20, int((width - _MARGIN) / _CHARACTER))
    wrapped = [part for line in title.splitlines() for part in textwrap.wrap(line, characters)]
    had = figure.get_suptitle()
    more = len(wrapped) - (had.count("\n") + 1 if had else 0)
    figure.set_size_inches(width, height + _LINE * more)
    figure.suptitle("\n".join(wrapped), fontsize=FONT_SIZE)


def add_title(figure: Figure, line: str) -> None:
    """Put a line below the title that a figure has."""
    set_title(figure, "\n".join(filter(None, [figure.get_suptitle(), line])))
