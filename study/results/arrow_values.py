"""Arrow values as Python's own. Arrow can do that too, but imports pandas for a time."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa

_EPOCH = datetime(1970, 1, 1)


def values(column: pa.ChunkedArray) -> list[Any]:
    """The values of a column.

    Times with a time zone come in UTC, whole microseconds; a time or a date that Python has no
    value for (DuckDB's infinity, years beyond 9999) comes as text. Maps come as dicts.
    """
    if pa.types.is_timestamp(column.type):
        epoch = _EPOCH if column.type.tz is None else _EPOCH.replace(tzinfo=UTC)
        microseconds = column.cast(pa.timestamp("us", column.type.tz), safe=False).cast(pa.int64())
        return [
            None if value is None else _after(epoch, timedelta(microseconds=value))
            for value in microseconds.to_pylist()
        ]
    if pa.types.is_date32(column.type):
        days = column.cast(pa.int32()).to_pylist()
        return [None if value is None else _days_after(_EPOCH.date(), value) for value in days]
    if pa.types.is_nested(column.type):
        return [_nested(value, column.type) for value in column.to_pylist()]
    return list(column.to_pylist())


def rows(table: pa.Table) -> list[dict[str, Any]]:
    """The rows of a table whose columns have different names, each as a dict by column name."""
    columns = [values(column) for column in table.columns]
    return [dict(zip(table.column_names, row, strict=True)) for row in zip(*columns, strict=True)]


def _after(epoch: datetime, passed: timedelta) -> datetime | str:
    try:
        return epoch + passed
    except OverflowError:
        return "infinity" if passed > timedelta(0) else "-infinity"


def _days_after(epoch: date, days: int) -> date | str:
    try:
        return epoch + timedelta(days=days)
    except OverflowError:
        return "infinity" if days > 0 else "-infinity"


def _nested(value: Any, kind: pa.DataType) -> Any:
    """A list, a struct or a map, with the maps in it as dicts: Arrow gives lists of pairs."""
    if value is None:
        return None
    if pa.types.is_map(kind):
        return {key: _nested(item, kind.item_type) for key, item in value}
    if pa.types.is_struct(kind):
        return {field.name: _nested(value[field.name], field.type) for field in kind}
    if isinstance(value, list):
        return [_nested(item, kind.value_type) for item in value]
    return value
