from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from study.results.json_text import decoded, duration_text, json_text, json_value


@dataclass(frozen=True)
class Point:
    x: float
    name: str = "p"


class Colour(StrEnum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (float("nan"), None),
        (float("-inf"), None),
        (True, True),
        ((1, 2.5), [1, 2.5]),
        ({"a": {3, 1}}, {"a": [1, 3]}),
        ({1: float("inf")}, {"1": None}),
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02T03:04:05+00:00"),
        (date(2026, 1, 2), "2026-01-02"),
        (time(10), "10:00:00"),
        (timedelta(seconds=90), "PT90S"),
        (Decimal("60"), 60),
        (Decimal("1.50"), 1.5),
        (b"ab\x00", "616200"),
        (Path("a/b"), "a/b"),
        (Colour.RED, "red"),
        (Point(float("nan")), {"x": None, "name": "p"}),
    ],
)
def test_values(value: Any, plain: Any) -> None:
    assert json_value(value) == plain
    assert type(json_value(value)) is type(plain)
    assert json.loads(json_text(value)) == plain


def test_what_json_has_nothing_for() -> None:
    with pytest.raises(TypeError, match="type object has no form in JSON"):
        json_value(object())


@pytest.mark.parametrize(
    ("months", "days", "nanoseconds", "text"),
    [
        (0, 0, 0, "PT0S"),
        (14, 3, 0, "P14M3D"),
        (0, 0, 60_000_000_000, "PT60S"),
        (0, -1, -1_500_000_000, "P-1DT-1.5S"),
        (0, 1, 100 * 10**9, "P1DT100S"),
    ],
)
def test_durations(months: int, days: int, nanoseconds: int, text: str) -> None:
    assert duration_text(pa.MonthDayNano([months, days, nanoseconds])) == text


def test_lists_are_lists() -> None:
    assert decoded("[16, 32]") == [16, 32]
    assert decoded('{"a": "[1]"}') == decoded({"a": "[1]"}) == {"a": [1]}
    assert decoded(["[1]", "x"]) == [[1], "x"]
    for text in ("[no json", "cosine", "16", "", "null"):
        assert decoded(text) == text
    assert decoded(3) == 3
