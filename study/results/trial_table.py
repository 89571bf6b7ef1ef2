"""A table of trials for the terminal, with the parameters that vary, as many as fit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from study.results.config_differences import shorten, varying
from study.results.ranking import Z95
from study.results.render import cell
from study.results.tables import ConfigValue

_COLUMN_GAP = 2
_TEXT_COLUMNS = ("state", "interval")


def trial_table(
    columns: Mapping[str, Sequence[str]],
    configs: Sequence[Mapping[str, ConfigValue]],
    width: int | None,
    title: str,
    notes: Sequence[str],
) -> RenderableType:
    """Columns, those of the parameters that vary and fit, and lines of text around them.

    Args:
        columns: The cells of each column, by its header.
        configs: Value of each parameter by its path, for each row.
        width: Characters a line; those of the terminal by default.
        title: A line above, or nothing.
        notes: Lines below.
    """
    width = width or Console().width
    shown: dict[str, Sequence[str]] = dict(columns)
    names = varying(configs)
    # Parameters of one branch of a choice last: most rows have nothing to say there.
    names.sort(key=lambda name: sum(name not in config for config in configs))
    room = width - sum(map(_width, shown, shown.values()))
    left_out = []
    for name, short in shorten(names).items():
        cells = [cell(config.get(name)) for config in configs]
        if _width(short, cells) > room:
            left_out.append(short)
            continue
        shown[short] = cells
        room -= _width(short, cells)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for name, each in shown.items():
        own = name in columns and name not in _TEXT_COLUMNS
        number = own or all(_is_number(text) for text in each if text)
        table.add_column(Text(name), justify="right" if number else "left", no_wrap=True)
    for row in zip(*shown.values(), strict=True):
        table.add_row(*map(Text, row))
    lines = [f"differ too: {', '.join(left_out)}"] if left_out else []
    above = [Text(title)] if title else []
    return Group(*above, table, *map(Text, [*lines, *notes]))


def with_spread(value: float, spread: float | None) -> str:
    """A score with the half-width of its 95 % interval, both to the same digit."""
    if spread is None:
        return cell(value)
    half = Z95 * spread
    decimals = decimals_for(half)
    return f"{value:.{decimals}f} ± {half:.{decimals}f}"


def decimals_for(width: float) -> int:
    """Decimals that show two digits of a width, and no more of a value than is known."""
    return max(0, 1 - math.floor(math.log10(width))) if width > 0 else 4


def _width(header: str, cells: Sequence[str]) -> int:
    return max(len(header), *map(len, cells), 0) + _COLUMN_GAP


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
