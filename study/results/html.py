"""Tables and lines of text as HTML, for notebooks."""

from __future__ import annotations

from html import escape

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

WIDE = 100_000
"""Characters a line: a notebook scrolls, so that no column need be left out."""


def to_html(renderable: RenderableType) -> str:
    """What rich would print, as HTML: tables, texts, and groups of them. All text is escaped.

    Raises:
        TypeError: It is of another kind.
    """
    if isinstance(renderable, Group):
        return "".join(map(to_html, renderable.renderables))
    if isinstance(renderable, Table):
        return _table(renderable)
    if isinstance(renderable, str | Text):
        return f"<p>{_escaped(renderable)}</p>"
    raise TypeError(f"{renderable!r} of type {type(renderable).__name__} has no form in HTML")


def _table(table: Table) -> str:
    aligned = [f' style="text-align: {column.justify}"' for column in table.columns]
    head = _row("th", [column.header for column in table.columns], aligned)
    rows = zip(*(column.cells for column in table.columns), strict=True)
    body = "".join(_row("td", row, aligned) for row in rows)
    caption = f"<caption>{_escaped(table.title)}</caption>" if table.title else ""
    return f"<table>{caption}<thead>{head}</thead><tbody>{body}</tbody></table>"


def _row(tag: str, cells: object, aligned: list[str]) -> str:
    assert isinstance(cells, list | tuple)
    each = zip(cells, aligned, strict=True)
    return f"<tr>{''.join(f'<{tag}{style}>{_escaped(cell)}</{tag}>' for cell, style in each)}</tr>"


def _escaped(text: object) -> str:
    return escape(text.plain if isinstance(text, Text) else str(text))
