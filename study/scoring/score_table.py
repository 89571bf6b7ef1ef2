"""Scores of a set of images as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

from study.spec.measure_info import MEASURES

if TYPE_CHECKING:
    from study.scoring.image_scores import Scores

ROOM = 110
"""A terminal of fewer columns has none for what each metric is."""


def score_table(scores: Scores, width: int = ROOM) -> Table:
    """The scores, a row each, for a terminal of so many columns."""
    table = Table(box=box.HORIZONTALS)
    table.add_column("metric", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("± s.e.", justify="right", no_wrap=True)
    table.add_column("better", no_wrap=True)
    if width >= ROOM:
        table.add_column("what it is")
    for measure, result in scores.measured.items():
        info = MEASURES[measure]
        spread = "" if result.spread is None else f"{result.spread:.2g}"
        row = (result.metric, f"{result.value:.5g}", spread, info.better, info.about)
        table.add_row(*row[: len(table.columns)])
    return table
