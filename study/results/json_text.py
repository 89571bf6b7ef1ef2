"""JSON that every reading command prints with `--format json`, and that any parser takes.

Lists are lists, what is not a finite number is null, times are ISO 8601.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Set
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any

import pyarrow as pa


def json_text(tree: Any) -> str:
    """A tree of plain values, dataclasses, times and ledger values as JSON, indented."""
    return json.dumps(json_value(tree), indent=2, ensure_ascii=False, allow_nan=False)


def json_value(value: Any) -> Any:
    """A value as JSON has it: null for NaN and infinity, ISO 8601 for times, hex for bytes.

    Raises:
        TypeError: It is of a kind that JSON has nothing for.
    """
    match value:
        case None | bool() | int() | str() if not isinstance(value, Enum):
            return value
        case float():
            return float(value) if math.isfinite(value) else None
        case Mapping():
            return {str(key): json_value(item) for key, item in value.items()}
        case pa.MonthDayNano() | timedelta():
            return duration_text(value)
        case list() | tuple():
            return [json_value(item) for item in value]
        case Set():
            return sorted(map(json_value, value))
        case datetime() | date() | time():
            return value.isoformat()
        case Decimal():  # sums of integers
            return json_value(int(value) if value == value.to_integral_value() else float(value))
        case bytes():
            return value.hex()
        case Enum():
            return json_value(value.value)
        case PurePath():
            return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {field.name: json_value(getattr(value, field.name)) for field in fields}
    raise TypeError(f"{value!r} of type {type(value).__name__} has no form in JSON")


def decoded(value: Any) -> Any:
    """A value of the ledger: an option that is a list, and a column of JSON, are kept as text.

    `"[16, 32]"`, an option of `channels`, is the list, in a mapping or a list too; text that is no
    JSON list or object stays.
    """
    if isinstance(value, Mapping):
        return {name: decoded(item) for name, item in value.items()}
    if isinstance(value, list):
        return [decoded(item) for item in value]
    if isinstance(value, str) and value[:1] in ("[", "{"):
        try:
            return decoded(json.loads(value))
        except ValueError:
            return value
    return value


def duration_text(value: Any) -> str:
    """An interval by ISO 8601: `P1M2DT3.5S`; of months, days and seconds, as each is given.

    Args:
        value: Arrow's interval of months, days and nanoseconds, or a timedelta.
    """
    if isinstance(value, timedelta):
        months, days, seconds = 0, value.days, Decimal(value.seconds * 10**6 + value.microseconds)
        seconds /= 10**6
    else:
        months, days, seconds = value.months, value.days, Decimal(value.nanoseconds) / 10**9
    whole = f"{months}M" * bool(months) + f"{days}D" * bool(days)
    fraction = f"T{seconds.normalize():f}S" if seconds or not whole else ""
    return f"P{whole}{fraction}"
