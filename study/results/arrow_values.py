"""Arrow values as Python's own. Arrow can do that too, but imports pandas for a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

_EPOCH = datetime(1970, 1, 1)


def values(column: pa.ChunkedArray) -> list[Any]:
    """The values of a column; times with a time zone come in UTC, whole microseconds."""
    if not pa.types.is_timestamp(column.type):
        return list(column.to_pylist())
    epoch = _EPOCH if column.type.tz is None else _EPOCH.replace(tzinfo=UTC)
    microseconds = column.cast(pa.timestamp("us", column.type.tz), safe=False).cast(pa.int64())
    return [
        None if value is None else epoch + timedelta(microseconds=value)
        for value in microseconds.to_pylist()
    ]


def rows(table: pa.Table) -> list[dict[str, Any]]:
    """The rows of a table, each as a dict by column name."""
    columns = [values(column) for column in table.columns]
    return [dict(zip(table.column_names, row, strict=True)) for row in zip(*columns, strict=True)]
