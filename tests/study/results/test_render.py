from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from study.results.query import query
from study.results.render import Format, cell, render
from study.results.storage import Storage

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


def test_lists_of_the_ledger_are_lists_in_json() -> None:
    answer = pa.table({"channels": ["[16, 32]", "cosine"], "spec": ['{"a": [1]}', None]})
    assert json.loads(render(answer, "json")) == [
        {"channels": [16, 32], "spec": {"a": [1]}},
        {"channels": "cosine", "spec": None},
    ]
    assert "[16, 32]" in render(answer, "table", 80)


@pytest.mark.parametrize(
    ("sql", "in_json", "in_csv"),
    [
        ("interval 90 second", "PT90S", "PT90S"),
        ("map {'a': 1}", {"a": 1}, '{"a": 1}'),
        ("[map {'a': 1}]", [{"a": 1}], '[{"a": 1}]'),
        ("{'x': [1, NULL], 'y': 'a,b'}", {"x": [1, None], "y": "a,b"}, None),
        ("[1.5, 'nan'::DOUBLE]", [1.5, None], "[1.5, null]"),
        ("[TIMESTAMP '2026-01-02 03:04:05']", ["2026-01-02T03:04:05"], None),
        ("TIMESTAMPTZ '2026-01-02 03:04:05+00'", "2026-01-02T03:04:05+00:00", None),
        ("TIMESTAMP_NS '2026-01-02 03:04:05'", "2026-01-02T03:04:05", "2026-01-02 03:04:05"),
        ("'infinity'::TIMESTAMP", "infinity", "infinity"),
        ("'-infinity'::DATE", "-infinity", "-infinity"),
        ("DATE '2026-01-02'", "2026-01-02", "2026-01-02"),
        ("TIME '10:00:00'", "10:00:00", "10:00:00"),
        (r"'a\xFF'::BLOB", "61ff", "61ff"),
        ("sum(3::BIGINT)", 3, "3"),
        ("1.50::DECIMAL(5, 2)", 1.5, "1.50"),
        ("'a'::ENUM('a', 'b')", "a", "a"),
        ("uuid '00000000-0000-0000-0000-000000000001'", f"{'0' * 8}-0000-0000-0000-{1:012}", None),
        ("union_value(k := 1)", 1, "1"),
        ("array_value(1, 2)", [1, 2], "[1, 2]"),
        ("'nan'::DOUBLE", None, "nan"),
        ("true", True, "true"),
        ("NULL", None, ""),
        ("NULL::INTEGER[]", None, ""),
    ],
)
def test_odd_types(tmp_path: Path, sql: str, in_json: object, in_csv: str | None) -> None:
    answer = query(Storage.from_uri(str(tmp_path)), f"SELECT {sql} AS it, 1 AS one")
    assert json.loads(render(answer, "json")) == [{"it": in_json, "one": 1}]
    (row,) = csv.DictReader(io.StringIO(render(answer, "csv")))
    assert row["one"] == "1"
    if in_csv is not None:
        assert row["it"] == in_csv
    elif not isinstance(in_json, str):
        assert json.loads(row["it"]) == in_json
    assert render(answer, "table", 80).endswith("1 row")


@pytest.mark.parametrize("form", ["table", "csv", "json"])
@pytest.mark.parametrize("width", [20, 80])
def test_columns_of_one_name_are_all_there(tmp_path: Path, form: Format, width: int) -> None:
    sql = "SELECT 11 AS trial, 22 AS trial, 33 AS trial"
    text = render(query(Storage.from_uri(str(tmp_path)), sql), form, width)
    for part in ("trial_1", "trial_2", "11", "22", "33"):
        assert part in text
