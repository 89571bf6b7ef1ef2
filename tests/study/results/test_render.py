from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from study.results.render import cell, render

ANSWER = pa.table(
    {
        "name": ["a,b", 'say "hi"', None],
        "score": [1.23456789, float("nan"), None],
        "at": pa.array([datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)] * 3, pa.timestamp("us", "UTC")),
        "parts": [[1, 2], [], None],
    }
)


def test_json() -> None:
    rows = json.loads(render(ANSWER, "json"))
    assert rows[0] == {
        "name": "a,b",
        "score": 1.23456789,
        "at": "2026-01-02T03:04:05+00:00",
        "parts": [1, 2],
    }
    assert rows[1]["score"] is None
    assert json.loads(render(ANSWER.slice(0, 0), "json")) == []


def test_csv() -> None:
    rows = list(csv.DictReader(io.StringIO(render(ANSWER, "csv"))))
    assert [row["name"] for row in rows] == ["a,b", 'say "hi"', ""]
    assert float(rows[0]["score"]) == 1.23456789
    assert rows[0]["at"].startswith("2026-01-02 03:04:05")
    assert json.loads(rows[0]["parts"]) == [1, 2]


@pytest.mark.parametrize("width", [60, 80, 140])
def test_a_table_fits(width: int) -> None:
    text = render(ANSWER, "table", width)
    assert max(map(len, text.splitlines())) <= width
    assert "2026-01-02 03:04:05" in text
    assert "1.235" in text
    assert text.endswith("3 rows")


def test_a_table_too_wide_is_shown_row_by_row() -> None:
    wide = pa.table({f"config.model.parameter_{i}": [i, i + 1] for i in range(20)})
    text = render(wide, "table", 80)
    assert max(map(len, text.splitlines())) <= 80
    assert "row 2" in text
    assert "config.model.parameter_19  20" in text


def test_long_text_is_cut() -> None:
    text = render(pa.table({"spec": ["x" * 500], "n": [1]}), "table", 80)
    assert max(map(len, text.splitlines())) <= 80
    assert "…" in text


def test_brackets_are_text_and_not_markup() -> None:
    assert "[16, 32]" in render(pa.table({"channels": ["[16, 32]"]}), "table", 80)
    assert "[bold]" in render(pa.table({"[bold]": ["[red]"]}), "table", 80)


def test_an_empty_answer_shows_its_columns() -> None:
    text = render(ANSWER.slice(0, 0), "table", 80)
    assert "score" in text
    assert text.endswith("0 rows")


def test_an_unknown_format() -> None:
    with pytest.raises(ValueError, match="'xml'"):
        render(ANSWER, "xml")  # type: ignore[arg-type]


def test_cells() -> None:
    assert cell(None) == ""
    assert cell(0.000123456) == "0.0001235"
    assert cell("two\nlines") == "two lines"
    assert cell(True) == "True"
