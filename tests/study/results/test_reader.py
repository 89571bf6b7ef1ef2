from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest
from ledger_rows import (
    START,
    artifact,
    complete,
    diagnostic,
    final,
    report,
    running,
    score,
    write,
)
from pydantic import ValidationError
from specs import study

from study.results.columns import SCHEMAS, check_row, concat, to_tables
from study.results.parquet_tables import read_table
from study.results.reader import from_arrow, read_rows, read_study
from study.results.storage import Storage
from study.results.tables import ReportRow, Row, ScoreRow, Stamp, TrialRow, table_of
from study.spec import Study
from study.spec.errors import UserError

STAMP = Stamp(study="s", written=START, sequence=7)
ROWS: list[Row] = [
    replace(complete(0, 1.5, lr=0.1, kind="a"), picks={"lr": 0.1}, spec={"a": [1, {"b": None}]}),
    replace(final(2, 0), skipped_pictures=3, parameters=12, checkpoint="s/c.pt"),
    report(0, 1),
    score(0, 1.5),
    artifact(0, "s/a.png"),
    diagnostic(0, 0.1, x=500.0),
]


def one_row_table(row: Row, stamp: Stamp) -> pa.Table:
    (table,) = to_tables([check_row(row, stamp)])
    return table


def without(row: Row, *columns: str) -> pa.Table:
    """A row as an older version of the ledger would have written it."""
    old = one_row_table(row, STAMP).drop_columns(list(columns))
    return concat([old], SCHEMAS[table_of(type(row))])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: type(row).__name__)
def test_what_is_read_is_what_was_appended(storage: Storage, row: Row) -> None:
    storage.claim("s", "")
    write(storage, "s", row)
    (back,) = read_rows(storage, type(row), "s")
    assert back == row
    assert back.stamp is not None
    assert back.stamp.study == "s"
    assert back.stamp.written - START > timedelta(days=-1)
    (again,) = from_arrow(one_row_table(row, STAMP), type(row))
    assert (again, again.stamp) == (row, STAMP)


def test_the_newest_row_of_each_key_in_the_order_of_the_keys(storage: Storage) -> None:
    storage.claim("s", "")
    write(storage, "s", running(2), running(0), complete(2, 4.0), report(2, 2), report(2, 1))
    assert [(t.trial, t.state) for t in read_rows(storage, TrialRow, "s")] == [
        (0, "running"),
        (2, "complete"),
    ]
    assert [r.epoch for r in read_rows(storage, ReportRow, "s")] == [1, 2]
    assert [t.trial for t in read_rows(storage, TrialRow, "s", trial=2)] == [2]
    assert read_rows(storage, TrialRow, "s", trial=1) == []
    assert read_rows(storage, TrialRow, "other") == []


def test_trials_and_scores_of_one_snapshot(storage: Storage) -> None:
    for name in ("s", "other"):
        storage.claim(name, "")
        write(storage, name, score(0, 1.0), complete(0, 1.0))
    rows = read_study(storage, "s")
    assert rows.study == "s"
    assert ([t.trial for t in rows.trials], [s.value for s in rows.scores]) == ([0], [1.0])
    with pytest.raises(UserError, match="did you mean 's'"):
        read_study(storage, "ss")


@pytest.mark.parametrize(
    ("row", "columns", "expected"),
    [
        (complete(0, 1.0), ("stage", "repeats"), {"stage": "search", "repeats": None}),
        (complete(0, 1.0), ("picks",), {"picks": {}}),
        (complete(0, 1.0), ("parameters", "skipped_pictures"), {"parameters": None}),
        (complete(0, 1.0), ("code_digest", "lane"), {"code_digest": "", "lane": ""}),
        (score(0, 1.0), ("weights", "spread"), {"weights": "averaged", "spread": None}),
        (report(0, 1), ("discriminator_loss", "lane"), {"discriminator_loss": None, "lane": ""}),
    ],
)
def test_a_column_that_came_later_has_its_default(
    row: Row, columns: tuple[str, ...], expected: dict[str, Any]
) -> None:
    (back,) = from_arrow(without(row, *columns), type(row))
    assert {name: getattr(back, name) for name in expected} == expected
    assert back == row  # which has the defaults there


def test_a_row_without_what_every_row_has_is_an_error() -> None:
    with pytest.raises(UserError, match="a row without `spec`") as caught:
        from_arrow(without(complete(0, 1.0), "spec"), TrialRow)
    assert "\n" not in str(caught.value)


def test_the_configuration_is_validated_once_and_only_when_asked_for(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.claim("s", "")
    spec = study()
    write(storage, "s", replace(running(0), spec=spec.model_dump(mode="json")), running(1))
    calls: list[object] = []
    validate: Callable[..., Study] = Study.model_validate

    def count(tree: object) -> Study:
        calls.append(tree)
        return validate(tree)

    monkeypatch.setattr(Study, "model_validate", count)
    valid, old = read_rows(storage, TrialRow, "s")
    assert calls == []
    assert valid.study == spec
    assert valid.study is valid.study
    assert len(calls) == 1
    with pytest.raises(ValidationError):  # of a version that is no more
        _ = old.study


def test_reading_parses_each_text_once_and_validates_no_study(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that thousands of trials are read in a moment."""
    storage.claim("s", "")
    tree = study().model_dump(mode="json")
    rows = [one_row_table(replace(complete(i, 1.0), spec=tree), STAMP) for i in range(20)]
    table = concat(rows, SCHEMAS["trials"]).combine_chunks()
    parsed: list[str] = []
    validated: list[Study] = []

    def parse(text: str) -> Any:
        parsed.append(text)
        return loads(text)

    loads = json.loads
    monkeypatch.setattr("study.results.reader.json.loads", parse)
    monkeypatch.setattr("study.spec.study.check_fit", validated.append)
    trials = from_arrow(table, TrialRow)
    assert trials[-1].spec == tree
    assert len(parsed) == 2 * len(trials)  # `spec` and `picks`
    assert validated == []
    assert trials[0].study is trials[0].study
    assert len(validated) == 1


def test_the_views_for_people_keep_json_text(storage: Storage) -> None:
    storage.claim("s", "")
    write(storage, "s", replace(running(0), spec={"a": 1}, picks={"b": 0.5}))
    (row,) = read_table(storage, "trials").to_pylist()
    assert (row["spec"], row["picks"]) == ('{"a": 1}', '{"b": 0.5}')


def test_scores_keep_where_no_steps_are_taken(storage: Storage) -> None:
    storage.claim("s", "")
    write(storage, "s", replace(score(0, 1.0), steps=None))
    assert read_rows(storage, ScoreRow, "s")[0].steps is None
