from __future__ import annotations

import dataclasses
from dataclasses import replace
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_rows import START, report, running, score

from study.results.columns import COLUMNS, SCHEMAS, check_row, concat, to_tables
from study.results.tables import KEYS, ROW_TYPES, TABLES, Row, Stamp

STAMP = Stamp(study="s", written=START, sequence=0)


def one_row_table(row: Row, stamp: Stamp) -> pa.Table:
    (table,) = to_tables([check_row(row, stamp)])
    return table


@pytest.mark.parametrize("table", TABLES)
def test_every_column_is_described_and_every_field_is_a_column(table: str) -> None:
    columns = {column.name for column in COLUMNS[table]}
    fields = {field.name for field in dataclasses.fields(ROW_TYPES[table])} - {"config", "stamp"}
    assert columns == fields | {"study", "written", "sequence"}
    assert all(column.description for column in COLUMNS[table])
    assert set(KEYS[table]) <= columns
    assert SCHEMAS[table].names == [column.name for column in COLUMNS[table]]


def test_the_core_columns_have_the_types_that_others_rely_on() -> None:
    trials = SCHEMAS["trials"]
    assert trials.field("trial").type == pa.int64()
    assert trials.field("started").type == pa.timestamp("us", tz="UTC")
    assert trials.field("value").type == pa.float64()
    assert trials.field("value").nullable
    assert not trials.field("state").nullable


@pytest.mark.parametrize(
    ("row", "match"),
    [
        (replace(running(0), trial="0"), "`trial` is '0'"),  # type: ignore[arg-type]
        (replace(running(0), trial=True), "`trial` is True"),
        (replace(score(0, 1.0), collapsed=1), "`collapsed` is 1"),  # type: ignore[arg-type]
        (replace(running(0), seed=1.0), "`seed` is 1.0"),  # type: ignore[arg-type]
        (replace(running(0), spec=None), "`spec` is None"),  # type: ignore[arg-type]
        (replace(running(0), state="paused"), "`state` is 'paused'"),  # type: ignore[arg-type]
        (replace(running(0), started=datetime(2026, 1, 1)), "must have a time zone"),
        (replace(score(0, 1.0), stage="rehearsal"), "`stage`"),  # type: ignore[arg-type]
        (replace(running(0), config={"a b": 1}), "not a parameter's path"),
        (replace(running(0), config={"a": [1]}), "`config.a` is"),  # type: ignore[dict-item]
        (replace(running(0), config={"a": 2**63}), "fit in 64 bits"),
    ],
)
def test_a_wrong_value_is_our_bug(row: Row, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        one_row_table(row, STAMP)


def test_an_int_may_stand_for_a_float() -> None:
    row = replace(report(0, 1), loss=1)
    assert one_row_table(row, STAMP)["loss"].to_pylist() == [1.0]


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False),
    st.text(st.characters(codec="utf-8"), max_size=5),
)


@given(st.lists(VALUES, max_size=8))
def test_mixed_parameters_keep_order_and_meaning(values: list[bool | int | float | str]) -> None:
    tables = [
        one_row_table(replace(running(i), config={"p": v}), STAMP) for i, v in enumerate(values)
    ]
    joined = concat(tables, SCHEMAS["trials"])
    assert len(joined) == len(values)
    if not values:
        return
    back = sorted(joined.to_pylist(), key=lambda row: int(row["trial"]))
    kinds = {type(value) for value in values if value is not None}
    for value, row in zip(values, back, strict=True):
        found = row["config.p"]
        if value is None:
            assert found is None
        elif kinds <= {int, float} or len(kinds) == 1:
            assert found == value
        else:
            assert isinstance(found, str)


def test_what_a_file_lacks_is_null_and_core_columns_come_first() -> None:
    old = one_row_table(running(0, a=1), STAMP).drop_columns(["code_digest"])
    joined = concat([old, one_row_table(running(1, b="x"), STAMP)], SCHEMAS["trials"])
    assert joined.column_names == [*SCHEMAS["trials"].names, "config.a", "config.b"]
    rows = {row["trial"]: row for row in joined.to_pylist()}
    assert rows[0]["code_digest"] is None
    assert rows[0]["config.b"] is None
    assert rows[1]["config.a"] is None


def test_time_zones_are_converted() -> None:
    assert START.tzinfo is UTC
    (row,) = one_row_table(running(3), STAMP).to_pylist()
    assert row["started"] == running(3).started
