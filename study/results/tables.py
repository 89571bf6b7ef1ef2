"""The five tables of the ledger: one dataclass a row, from which the Arrow schema follows.

A field's annotation is the whole definition of its column: type, nullability (`| None`) and
description; a mapping is a column of JSON text. The ledger stamps the columns of `Stamp` on every
row. `study.results.rows` reads the same dataclasses back.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from types import NoneType
from typing import Annotated, Any, Literal

import pyarrow as pa

from study.spec import Study

State = Literal["running", "complete", "pruned", "failed"]
ConfigValue = bool | int | float | str | None

END_STATES: tuple[State, ...] = ("complete", "pruned", "failed")
CONFIG_PREFIX = "config."


@dataclass(frozen=True, kw_only=True)
class Stamp:
    """What the ledger adds to each row."""

    study: Annotated[str, "name of the study"]
    written: Annotated[datetime, "when the row was appended; the newest row of a key wins"]
    sequence: Annotated[int, "number of the row in its writer's life; breaks ties of `written`"]


@dataclass(frozen=True, kw_only=True)
class LedgerRow:
    """What the rows of all tables have in common.

    Attributes:
        stamp: What the ledger added to the row; None of a row that was not read from there.
    """

    stamp: Stamp | None = dataclasses.field(default=None, compare=False, repr=False)

    @property
    def appended(self) -> tuple[datetime, int]:
        """Orders rows by when they were appended; rows without a stamp come first."""
        if self.stamp is None:
            return datetime.min.replace(tzinfo=UTC), 0
        return self.stamp.written, self.stamp.sequence


@dataclass(frozen=True, kw_only=True)
class TrialRow(LedgerRow):
    """A change of state of one trial, with everything known about the trial by then."""

    trial: Annotated[int, "number of the trial in its study, from 0"]
    state: Annotated[State, "running, complete, pruned or failed"]
    reason: Annotated[str, "why it was pruned or failed; never empty for these two"] = ""
    stage: Annotated[Literal["search", "final"], "of the search, or a finalist trained again"] = (
        "search"
    )
    repeats: Annotated[int | None, "of a final run, the search trial that it trains again"] = None
    value: Annotated[float | None, "the objective; of its last epoch if pruned"] = None
    epoch: Annotated[int | None, "last epoch that was reported"] = None
    images_seen: Annotated[int | None, "training images seen, repetitions included"] = None
    seed: Annotated[int, "seed of the trial's training and sampling"]
    started: Annotated[datetime, "when the trial first started"]
    ended: Annotated[datetime | None, "when it reached its end state"] = None
    train_seconds: Annotated[float | None, "seconds spent in training"] = None
    score_seconds: Annotated[float | None, "seconds spent in sampling and scoring"] = None
    parameters: Annotated[int | None, "parameters of the trained networks"] = None
    lane: Annotated[str, "lane that ran it"] = ""
    host: Annotated[str, "machine that ran it"] = ""
    spec: Annotated[
        Mapping[str, Any], "the whole filled configuration, as JSON: enough to rerun the trial"
    ]
    spec_hash: Annotated[str, "digest of `spec`"]
    picks: Annotated[
        Mapping[str, ConfigValue], "value of each search dimension by name, as JSON"
    ] = dataclasses.field(default_factory=dict)
    data_digest: Annotated[str, "digest of the prepared training images"] = ""
    skipped_pictures: Annotated[int | None, "pictures left out, as they cannot be read"] = None
    code_digest: Annotated[str, "digest of the code that ran"] = ""
    checkpoint: Annotated[str | None, "last checkpoint, relative to the storage"] = None
    config: Mapping[str, ConfigValue] = dataclasses.field(default_factory=dict)
    """Value of each parameter by its path; one column `config.<path>` each."""

    def __post_init__(self) -> None:
        """Refuse a row that contradicts itself."""
        if self.state in ("pruned", "failed") and not self.reason:
            raise ValueError(f"trial {self.trial} is {self.state}, but has no reason")
        if self.state == "complete" and (self.value is None or not math.isfinite(self.value)):
            raise ValueError(f"trial {self.trial} is complete, but its value is {self.value}")
        if (self.state in END_STATES) != (self.ended is not None):
            raise ValueError(f"trial {self.trial} is {self.state}, but `ended` is {self.ended}")

    @cached_property
    def study(self) -> Study:
        """`spec`, validated when first asked for: it may be older than today's study files.

        Raises:
            ValidationError: Today it is not valid.
        """
        return Study.model_validate(self.spec)


@dataclass(frozen=True, kw_only=True)
class ReportRow(LedgerRow):
    """What a trial reported at the end of an epoch."""

    trial: Annotated[int, "number of the trial in its study"]
    epoch: Annotated[int, "epochs done, from 1"]
    images_seen: Annotated[int, "training images seen so far, repetitions included"]
    seconds: Annotated[float, "seconds of training so far, scoring excluded"]
    loss: Annotated[float, "mean training loss of the epoch; of a GAN, its generator's"]
    discriminator_loss: Annotated[float | None, "of a GAN, its discriminator's"] = None
    value: Annotated[float | None, "the objective, where it was evaluated at this epoch"] = None
    validation_loss: Annotated[float | None, "mean loss on the validation split"] = None
    learning_rate: Annotated[float | None, "learning rate at the end of the epoch"] = None
    lane: Annotated[str, "lane that ran the epoch"] = ""


@dataclass(frozen=True, kw_only=True)
class ScoreRow(LedgerRow):
    """One evaluation of a trial's samples, with all that two scores must share to be compared."""

    trial: Annotated[int, "number of the trial in its study"]
    epoch: Annotated[int, "epoch of the weights that were scored"]
    stage: Annotated[
        Literal["search", "final", "rescore"],
        "during the search, of a finalist after it, or again from a checkpoint",
    ]
    metric: Annotated[str, "name of the metric: fid, fd_lenet, kid, ..."]
    value: Annotated[float, "the score"]
    spread: Annotated[float | None, "its standard error over the choice of images, if known"] = None
    samples: Annotated[int, "number of generated images"]
    sampler: Annotated[str, "sampler that generated them"]
    steps: Annotated[int | None, "steps of the sampler; null where it takes none"]
    seed: Annotated[int, "seed of the samples"]
    embedder: Annotated[str, "digest of the embedder"]
    reference: Annotated[str, "digest of the reference: image set, split, size, preprocessing"]
    weights: Annotated[Literal["averaged", "trained"], "the EMA's weights, or the last ones"] = (
        "averaged"
    )
    seconds: Annotated[float, "seconds of sampling and scoring"]


@dataclass(frozen=True, kw_only=True)
class ArtifactRow(LedgerRow):
    """A file that a trial left in the storage."""

    trial: Annotated[int, "number of the trial in its study"]
    epoch: Annotated[int, "epoch of the weights that are in it or made it"]
    kind: Annotated[Literal["checkpoint", "samples", "picture"], "what it is"]
    path: Annotated[str, "where it is, relative to the storage"]
    bytes: Annotated[int, "its size"]


@dataclass(frozen=True, kw_only=True)
class DiagnosticRow(LedgerRow):
    """One number that a diagnostic of a trained trial found; a curve is one row a point."""

    trial: Annotated[int, "number of the trial in its study"]
    epoch: Annotated[int, "epoch of the weights that were looked at"]
    diagnostic: Annotated[str, "name of the diagnostic: noise, bound, collapse, ..."]
    quantity: Annotated[str, "what the number is"]
    axis: Annotated[str, "what `x` is: t, level, images, ...; empty for a number of its own"] = ""
    x: Annotated[float | None, "where on the axis; null for a number of its own"] = None
    value: Annotated[float, "the number"]
    samples: Annotated[int, "number of images it was taken over"]
    sampler: Annotated[str, "sampler that generated them; empty if none did"] = ""
    steps: Annotated[int | None, "steps of the sampler; null where it takes none"] = None
    seed: Annotated[int, "seed of everything random in it"]
    embedder: Annotated[str, "digest of the embedder whose features it rests on, if any"] = ""
    reference: Annotated[str, "digest of the reference it is a distance to, if it is one"] = ""
    seconds: Annotated[float, "seconds that the whole diagnostic took"]


Row = TrialRow | ReportRow | ScoreRow | ArtifactRow | DiagnosticRow

ROW_TYPES: dict[str, type[Row]] = {
    "trials": TrialRow,
    "reports": ReportRow,
    "scores": ScoreRow,
    "artifacts": ArtifactRow,
    "diagnostics": DiagnosticRow,
}
TABLES: tuple[str, ...] = tuple(ROW_TYPES)

KEYS: dict[str, tuple[str, ...]] = {
    "trials": ("study", "trial"),
    "reports": ("study", "trial", "epoch"),
    "scores": (
        "study", "trial", "epoch", "stage", "metric", "samples",
        "sampler", "steps", "seed", "embedder", "reference", "weights",
    ),
    "artifacts": ("study", "trial", "kind", "path"),
    "diagnostics": (
        "study", "trial", "epoch", "diagnostic", "quantity", "axis", "x", "samples",
        "sampler", "steps", "seed", "embedder", "reference",
    ),
}  # fmt: skip
"""What identifies a row of a table: of several rows with one key, the newest counts."""


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
        if not isinstance(value, self.kind) or isinstance(value, bool):
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

_TABLE_OF: dict[type[LedgerRow], str] = {row_type: table for table, row_type in ROW_TYPES.items()}
_INT64 = range(-(2**63), 2**63)
_PARAMETER = re.compile(r"[^.\s]+(\.[^.\s]+)*")


def table_of(row_type: type[LedgerRow]) -> str:
    """Name of the table that rows of a type belong to."""
    return _TABLE_OF[row_type]


def to_arrow(row: Row, stamp: Stamp) -> pa.Table:
    """A row, validated, as a table of one row with its `config.*` columns.

    Raises:
        ValueError: A value's type or state is not what the schema says: a bug in the caller.
    """
    table = table_of(type(row))
    values = {**_fields(row), **_fields(stamp)}
    try:
        checked = [column.check(values[column.name]) for column in COLUMNS[table]]
        config = _config_columns(row.config) if isinstance(row, TrialRow) else {}
    except ValueError as error:
        raise ValueError(f"{table}, trial {row.trial}: {error}") from None
    schema = SCHEMAS[table]
    arrays = [pa.array([value], field.type) for value, field in zip(checked, schema, strict=True)]
    fields = [*schema, *(pa.field(name, array.type) for name, array in config.items())]
    return pa.Table.from_arrays([*arrays, *config.values()], schema=pa.schema(fields))


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


def _config_columns(config: Mapping[str, ConfigValue]) -> dict[str, pa.Array]:
    types = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}
    columns = {}
    for name, value in config.items():
        if not _PARAMETER.fullmatch(name):
            raise ValueError(f"{name!r} in `config` is not a parameter's path")
        if value is not None and type(value) not in types:
            raise ValueError(f"`config.{name}` is {value!r}, but must be bool, int, float or str")
        if type(value) is int and value not in _INT64:
            raise ValueError(f"`config.{name}` is {value}, but must fit in 64 bits")
        columns[CONFIG_PREFIX + name] = pa.array([value], types.get(type(value), pa.null()))
    return columns
