"""The five tables of the ledger: one dataclass a row, from which the Arrow schema follows.

A field's annotation is the whole definition of its column: type, nullability (`| None`) and
description; a mapping is a column of JSON text. The ledger stamps the columns of `Stamp` on every
row. `study.results.columns` makes the schema; `study.results.reader` reads the same dataclasses
back.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal

if TYPE_CHECKING:
    from study.spec import Study

State = Literal["running", "complete", "pruned", "failed"]
ConfigValue = bool | int | float | str | None

END_STATES: tuple[State, ...] = ("complete", "pruned", "failed")


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
    collapsed: Annotated[
        bool | None, "whether the images of its last score hardly vary, or have a recall of 0"
    ] = None
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
        from study.spec import Study  # late: to read a ledger takes no model of a study file

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
    variation: Annotated[
        float | None, "total variance of the images' features, as a share of the real ones'"
    ] = None
    collapsed: Annotated[bool | None, "whether the images hardly vary, or have a recall of 0"] = (
        None
    )
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

_TABLE_OF: dict[type[LedgerRow], str] = {row_type: table for table, row_type in ROW_TYPES.items()}


def table_of(row_type: type[LedgerRow]) -> str:
    """Name of the table that rows of a type belong to."""
    return _TABLE_OF[row_type]
