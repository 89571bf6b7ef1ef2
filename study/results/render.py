"""A query's answer as text: a table for the terminal, CSV or JSON."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

import pyarrow as pa
from pyarrow import csv
from pyarrow.lib import StringBuilder
from rich import box
from rich.console import Console, Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from study.results.arrow_values import rows, values
from study.results.json_text import decoded, json_text, json_value

Format = Literal["table", "csv", "json"]

_WIDEST_CELL = 40
_COLUMN_GAP = 2


def render(answer: pa.Table, form: Format, width: int | None = None) -> str:
    """An answer as text that ends without a newline.

    `table` fits the terminal: long text is cut, and an answer with more columns than fit is shown
    one row below the other. `csv` and `json` are whole; `json` is a list of objects with times in
    ISO 8601, null for what is not a number, and lists where the ledger keeps them as text.

    Args:
        answer: What `query` returned.
        form: `table`, `csv` or `json`.
        width: Characters a line of a table; those of the terminal by default.

    Raises:
        ValueError: There is no such format.
    """
    if form == "json":
        objects = [{name: decoded(value) for name, value in row.items()} for row in rows(answer)]
        return json_text(objects)
    if form == "csv":
        return _csv(answer)
    if form == "table":
        return to_text(_table(answer, width or Console().width), width)
    raise ValueError(f"The format is {form!r}, but must be table, csv or json")


def to_text(renderable: RenderableType, width: int | None = None) -> str:
    """What rich would print, without colours, for a terminal of so many characters a line."""
    console = Console(file=io.StringIO(), width=width or Console().width, color_system=None)
    with console.capture() as capture:
        console.print(renderable)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def cell(value: object) -> str:
    """One value for people: four digits of a number, seconds of a time, nothing for null."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, bool | int | Decimal):
        return str(value)
    return " ".join(_text(value).split())


def _table(answer: pa.Table, width: int) -> RenderableType:
    columns = {
        name: [cell(value) for value in values(column)]
        for name, column in zip(answer.column_names, answer.columns, strict=True)
    }
    widths = {
        name: max(len(name), min(max(map(len, cells), default=0), _WIDEST_CELL))
        for name, cells in columns.items()
    }
    if sum(size + _COLUMN_GAP for size in widths.values()) > width and len(answer):
        return _records(columns, len(answer))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for name, field in zip(columns, answer.schema, strict=True):
        justify: Literal["left", "right"] = "right" if _is_number(field.type) else "left"
        table.add_column(Text(name), justify=justify, no_wrap=True, max_width=widths[name])
    for row in zip(*columns.values(), strict=True):
        table.add_row(*map(Text, row))
    return Group(table, _count(len(answer)))


def _records(columns: Mapping[str, Sequence[str]], count: int) -> RenderableType:
    """Rows below each other, a line for each column that has a value."""
    parts: list[RenderableType] = []
    for index in range(count):
        grid = Table.grid(padding=(0, 2))
        grid.add_column(no_wrap=True, min_width=max(map(len, columns)))
        grid.add_column(no_wrap=True, overflow="ellipsis")
        for name, cells in columns.items():
            if cells[index]:
                grid.add_row(Text(name), Text(cells[index]))
        parts += [Rule(f"row {index + 1}", align="left"), grid]
    return Group(*parts, _count(count))


def _count(count: int) -> Text:
    return Text("1 row" if count == 1 else f"{count:,} rows")


def _csv(answer: pa.Table) -> str:
    sink = pa.BufferOutputStream()
    columns = [column if _csv_can(column.type) else _as_text(column) for column in answer.columns]
    csv.write_csv(pa.Table.from_arrays(columns, names=answer.column_names), sink)
    return str(sink.getvalue().to_pybytes().decode().removesuffix("\n"))


def _csv_can(kind: pa.DataType) -> bool:
    """Whether Arrow writes such a column as people expect; all else is made text."""
    return _is_number(kind) or pa.types.is_boolean(kind) or pa.types.is_string(kind)


def _is_number(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind))


def _as_text(column: pa.ChunkedArray) -> pa.Array:
    builder = StringBuilder()  # `pa.array` would import pandas
    builder.append_values([None if value is None else _text(value) for value in values(column)])
    return builder.finish()


def _text(value: Any) -> str:
    """A value as text that says all of it: JSON for what has parts."""
    if isinstance(value, datetime):
        return str(value)
    plain = json_value(value)
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)
