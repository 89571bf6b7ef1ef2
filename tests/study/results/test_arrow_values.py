from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pyarrow as pa
import pytest

from study.results.arrow_values import rows

MOMENT = datetime(2026, 11, 20, 10, 30, 15, 123456)


@pytest.mark.parametrize("unit", ["us", "ns"])
def test_times_with_and_without_zone(unit: str) -> None:
    berlin = MOMENT.replace(tzinfo=timezone(timedelta(hours=1)))
    table = pa.table(
        {
            "naive": pa.array([MOMENT, None], pa.timestamp(unit)),
            "aware": pa.array([berlin, None], pa.timestamp(unit, "UTC")),
        }
    )
    first, second = rows(table)
    assert first == {"naive": MOMENT, "aware": berlin}
    assert first["aware"].tzinfo is UTC
    assert second == {"naive": None, "aware": None}


def test_everything_else_is_as_arrow_has_it() -> None:
    table = pa.table({"n": [1, None], "x": [0.5, 1.5], "text": ["a", ""], "list": [[1], None]})
    assert rows(table) == table.to_pylist()
    assert rows(table.slice(0, 0)) == []
