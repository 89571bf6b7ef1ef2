"""Columns of the ledger's tables: the Arrow schemas that follow from the row dataclasses.

`check_row` validates a row, `to_tables` makes Arrow tables of many; `study.results.reader` is the
way back.
"""

from __future__ import annotations

import dataclasses
import json
import re
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import NoneType
from typing import Annotated, Any, Literal

import pyarrow as pa

from study.results.tables import ROW_TYPES, ConfigValue, Row, Stamp, TrialRow, table_of

CONFIG_PREFIX = "config."
"""Of the columns of `trials` that hold the parameters, one each."""


@dataclass(frozen=True)
class Column:
    """One core column of a table; of `kind` Mapping it holds JSON text."""

    name: str
    kind: type[Any]
    nullable: bool
    choices: tuple[str, ...]
    description: str

    @property
    def arrow(self) -> pa.Field:
        """The column as an Arrow field."""
        types = {
            bool: pa.bool_(),
            int: pa.int64(),
            float: pa.float64(),
            str: pa.string(),
            datetime: pa.timestamp("us", tz="UTC"),
            Mapping: pa.string(),
        }
        return pa.field(self.name, types[self.kind], nullable=self.nullable)

    def check(self, value: object) -> object:
        """The value as it goes into the table.

        Raises:
            ValueError: Its type is not the column's, or it is none of the column's choices.
        """
        if value is None and self.nullable:
            return None
        if self.kind is float and type(value) is int:
            return float(value)
        # To Python a bool is an int; to the table it is none.
        if not isinstance(value, self.kind) or isinstance(value, bool) != (self.kind is bool):
            raise ValueError(f"`{self.name}` is {value!r}, but must be of type {self._type}")
        if self.choices and value not in self.choices:
            raise ValueError(f"`{self.name}` is {value!r}, but must be one of {self.choices}")
        if isinstance(value, datetime) and value.tzinfo is None:
            raise ValueError(f"`{self.name}` is {value!r}, but must have a time zone")
        return json.dumps(dict(value)) if isinstance(value, Mapping) else value

    @property
    def _type(self) -> str:
        return f"{self.kind.__name__} or None" if self.nullable else self.kind.__name__


def _columns(row_type: type) -> tuple[Column, ...]:
    columns = []
    for name, hint in typing.get_type_hints(row_type, include_extras=True).items():
        if typing.get_origin(hint) is not Annotated:
            continue  # `config` is many columns, `stamp` has its own
        annotation, description = typing.get_args(hint)
        choices: tuple[str, ...] = ()
        nullable = NoneType in typing.get_args(annotation)
        if nullable:
            (annotation,) = (kind for kind in typing.get_args(annotation) if kind is not NoneType)
        origin = typing.get_origin(annotation)
        if origin is Literal:
            annotation, choices = str, typing.get_args(annotation)
        elif origin is not None:
            annotation = origin
        columns.append(Column(name, annotation, nullable, choices, description))
    return tuple(columns)


_STUDY, *_STAMPS = _columns(Stamp)

COLUMNS: dict[str, tuple[Column, ...]] = {
    table: (_STUDY, *_columns(row_type), *_STAMPS) for table, row_type in ROW_TYPES.items()
}
"""The core columns of each table; `trials` has `config.*` columns besides."""

SCHEMAS: dict[str, pa.Schema] = {
    table: pa.schema([column.arrow for column in columns]) for table, columns in COLUMNS.items()
}
"""Arrow schema of the core columns of each table."""

_INT64 = range(-(2**63), 2**63)
_PARAMETER = re.compile(r"[^.\s]+(\.[^.\s]+)*")


@dataclass(frozen=True)
class CheckedRow:
    """A row, validated, as the values of its columns.

    Attributes:
        table: The table that it belongs to.
        core: Values of the core columns, in their order.
        config: Value of each `config.*` column, by name.
        types: Arrow types of those, by name.
        row: The row itself.
        stamp: What the ledger adds to it.
    """

    table: str
    core: tuple[object, ...]
    config: Mapping[str, ConfigValue]
    types: Mapping[str, pa.DataType]
    row: Row
    stamp: Stamp


def check_row(row: Row, stamp: Stamp) -> CheckedRow:
    """Validate a row.

    Raises:
        ValueError: A value's type or state is not what the schema says: a bug in the caller.
    """
    table = table_of(type(row))
    values = {**_fields(row), **_fields(stamp)}
    config = row.config if isinstance(row, TrialRow) else {}
    try:
        core = tuple(column.check(values[column.name]) for column in COLUMNS[table])
        types = {CONFIG_PREFIX + name: _config_type(name, value) for name, value in config.items()}
    except ValueError as error:
        raise ValueError(f"{table}, trial {row.trial}: {error}") from None
    config = {CONFIG_PREFIX + name: value for name, value in config.items()}
    return CheckedRow(table, core, config, types, row, stamp)


def to_tables(rows: Iterable[CheckedRow]) -> list[pa.Table]:
    """Rows of one table as Arrow tables: one for all that have the same `config.*` columns."""
    groups: dict[tuple[tuple[str, pa.DataType], ...], list[CheckedRow]] = {}
    for row in rows:
        groups.setdefault(tuple(row.types.items()), []).append(row)
    return [_to_table(types, alike) for types, alike in groups.items()]


def _to_table(types: Sequence[tuple[str, pa.DataType]], rows: Sequence[CheckedRow]) -> pa.Table:
    schema = SCHEMAS[rows[0].table]
    columns = zip(*(row.core for row in rows), strict=True)
    arrays = [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)]
    arrays += [pa.array([row.config[name] for row in rows], kind) for name, kind in types]
    fields = [*schema, *(pa.field(name, kind) for name, kind in types)]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def concat(tables: Sequence[pa.Table], core: pa.Schema) -> pa.Table:
    """The rows of all tables under one schema: the core columns, then all others by name.

    A column that a table lacks is null there. A column of integers here and floating-point numbers
    there becomes floating-point; of any other mixture, text.
    """
    groups: dict[pa.Schema, list[pa.Table]] = {}
    for table in tables:  # few schemas, many tables: unify each schema once
        groups.setdefault(table.schema, []).append(table)
    names = sorted({name for schema in groups for name in schema.names} - set(core.names))
    types = {
        name: _promote(s.field(name).type for s in groups if name in s.names) for name in names
    }
    fields = [field.with_nullable(True) for field in core]
    target = pa.schema([*fields, *(pa.field(name, kind) for name, kind in types.items())])
    if not groups:
        return _conform(None, target)
    return pa.concat_tables([_conform(pa.concat_tables(g), target) for g in groups.values()])


def _conform(table: pa.Table | None, target: pa.Schema) -> pa.Table:
    """The table with the columns of a schema; no table is one without rows."""
    if table is not None and table.schema.equals(target):
        return table
    rows = 0 if table is None else len(table)
    arrays = [
        pa.nulls(rows, field.type)
        if table is None or field.name not in table.column_names
        else table[field.name].cast(field.type, safe=False)
        for field in target
    ]
    return pa.Table.from_arrays(arrays, schema=target)  # `pa.table` would import pandas


def _promote(types: Iterable[pa.DataType]) -> pa.DataType:
    kinds = {kind for kind in types if kind != pa.null()}
    if len(kinds) == 1:
        return kinds.pop()
    return pa.float64() if kinds == {pa.int64(), pa.float64()} else pa.string()


def _fields(row: Row | Stamp) -> dict[str, Any]:
    return {field.name: getattr(row, field.name) for field in dataclasses.fields(row)}


_CONFIG_TYPES = {
    bool: pa.bool_(),
    int: pa.int64(),
    float: pa.float64(),
    str: pa.string(),
    NoneType: pa.null(),
}


def _config_type(name: str, value: object) -> pa.DataType:
    if not _PARAMETER.fullmatch(name):
        raise ValueError(f"{name!r} in `config` is not a parameter's path")
    if type(value) not in _CONFIG_TYPES:
        raise ValueError(f"`config.{name}` is {value!r}, but must be bool, int, float or str")
    if type(value) is int and value not in _INT64:
        raise ValueError(f"`config.{name}` is {value}, but must fit in 64 bits")
    return _CONFIG_TYPES[type(value)]
