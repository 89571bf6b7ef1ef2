"""Reading the ledger's tables as the dataclasses that were appended to them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from study.results.arrow_values import values
from study.results.columns import COLUMNS, CONFIG_PREFIX, Column
from study.results.parquet_tables import read_newest
from study.results.storage import Storage
from study.results.tables import LedgerRow, ScoreRow, Stamp, TrialRow, table_of
from study.spec.errors import UserError

AnyRow = TypeVar("AnyRow", bound=LedgerRow)


class ReadRows(Protocol):
    """A function that reads the newest row of each key of one of a study's tables."""

    def __call__(self, storage: Storage, row_type: type[AnyRow], study: str) -> list[AnyRow]:
        """The rows, in the order of the keys."""


@dataclass(frozen=True)
class StudyRows:
    """The newest rows of a study's trials and scores, from one snapshot."""

    study: str
    trials: tuple[TrialRow, ...]
    scores: tuple[ScoreRow, ...]


def read_study(storage: Storage, study: str) -> StudyRows:
    """Read what a study's leaderboard follows from.

    Raises:
        UserError: There is no such study.
    """
    storage.require(study)
    # In this order: what a trial wrote before it was seen to end is read after that.
    trials = read_rows(storage, TrialRow, study)
    return StudyRows(study, tuple(trials), tuple(read_rows(storage, ScoreRow, study)))


def read_rows(
    storage: Storage, row_type: type[AnyRow], study: str, trial: int | None = None
) -> list[AnyRow]:
    """Read the newest row of each key of one table, in the order of the keys (`tables.KEYS`).

    Args:
        storage: Where the study is.
        row_type: The type of the table's rows.
        study: The study's name; one that is not there has no rows.
        trial: The only trial whose rows are read; all by default.
    """
    table = read_newest(storage, table_of(row_type), [study])
    if trial is not None:
        table = table.filter(pc.equal(table["trial"], trial))
    return from_arrow(table, row_type)


def from_arrow(table: pa.Table, row_type: type[AnyRow]) -> list[AnyRow]:
    """Rows from a table of the ledger: the inverse of `columns.to_tables`.

    Values of `config` have the type of their column: see `columns.concat`.

    Raises:
        UserError: A row lacks what every row must have.
    """
    fields = {field.name: field for field in dataclasses.fields(row_type)}
    columns: dict[str, Iterable[Any]] = {
        column.name: _read_column(table, column, fields.get(column.name))
        for column in COLUMNS[table_of(row_type)]
    }
    stamps = [columns.pop(field.name) for field in dataclasses.fields(Stamp)]
    columns["stamp"] = (
        Stamp(study=study, written=written, sequence=sequence)
        for study, written, sequence in zip(*stamps, strict=True)
    )
    if "config" in fields:
        columns["config"] = _read_configs(table)
    names = tuple(columns)
    return [
        row_type(**dict(zip(names, row, strict=True)))
        for row in zip(*columns.values(), strict=True)
    ]


def _read_column(
    table: pa.Table, column: Column, field: dataclasses.Field[Any] | None
) -> list[Any]:
    """Values of a core column; the field's default where a ledger is older than the column."""
    read = values(table[column.name])
    if column.kind is Mapping:
        read = [None if text is None else json.loads(text) for text in read]
    if column.nullable or None not in read:
        return read
    if field is None or field.default is field.default_factory is dataclasses.MISSING:
        raise UserError(f"The ledger has a row without `{column.name}`, which every row must have")
    make = field.default_factory
    default = field.default if make is dataclasses.MISSING else None
    return [
        (default if make is dataclasses.MISSING else make()) if value is None else value
        for value in read
    ]


def _read_configs(table: pa.Table) -> list[dict[str, Any]]:
    """Value of each parameter of each trial, by its path; what a trial lacks is left out."""
    configs: list[dict[str, Any]] = [{} for _ in range(len(table))]
    for name in table.column_names:
        if name.startswith(CONFIG_PREFIX):
            path = name.removeprefix(CONFIG_PREFIX)
            for config, value in zip(configs, values(table[name]), strict=True):
                if value is not None:
                    config[path] = value
    return configs
