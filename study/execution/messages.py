"""What passes between driver, lanes and workers: small values that pickle, and no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

Outcome = Literal["running", "done", "interrupted", "failed"]


@dataclass(frozen=True)
class Assignment:
    """A trial for a lane.

    Attributes:
        spec: The plain study, holes filled, as JSON-ready values.
        checkpoint: Name in the storage of the checkpoint to go on from; None starts afresh.
    """

    study: str
    number: int
    seed: int
    spec: dict[str, Any]
    checkpoint: str | None = None


@dataclass(frozen=True)
class EpochResult:
    """One epoch of training. `seconds` counts the trial's training from its start."""

    epoch: int  # from 1
    images_seen: int
    seconds: float
    loss: float
    discriminator_loss: float | None = None
    validation_loss: float | None = None
    learning_rate: float | None = None


@dataclass(frozen=True)
class ScoreResult:
    """One evaluation, with everything that says what it is."""

    epoch: int
    metric: str
    value: float
    samples: int
    sampler: str  # with the options that are not its defaults
    steps: int
    seed: int
    embedder: str
    reference: str
    seconds: float


@dataclass(frozen=True)
class StoredFile:
    """A file that a worker wrote, by its name in the storage."""

    name: str
    bytes: int


@dataclass(frozen=True)
class Report:
    """What a lane answers to 'train to the next report'.

    Attributes:
        outcome: `running` wants to go on, `done` has trained its last epoch, or stopped
            early, `interrupted` was asked to stop and did, `failed` cannot go on.
        reason: Why it failed, or was done before its last epoch; empty otherwise.
        epoch: Whole epochs trained so far.
        epochs: Those since the last report.
        skipped: Pictures of the data set that cannot be read and were left out.
        seconds: Training time so far; `score_seconds`: scoring time so far.
    """

    number: int
    outcome: Outcome
    epoch: int
    images_seen: int
    seconds: float
    score_seconds: float
    parameters: int = 0
    data_digest: str = ""
    skipped: tuple[str, ...] = ()
    reason: str = ""
    epochs: tuple[EpochResult, ...] = ()
    score: ScoreResult | None = None
    checkpoint: StoredFile | None = None
    samples: StoredFile | None = None
    lane: str = ""
    host: str = ""

    def signed(self, lane: str, host: str) -> Report:
        """The same report with who sent it."""
        return replace(self, lane=lane, host=host)


def failed(number: int, reason: str, last: Report | None = None) -> Report:
    """The report of a trial that cannot go on, with what it had reached before."""
    if last is None:
        return Report(number, "failed", 0, 0, 0.0, 0.0, reason=reason)
    return replace(last, outcome="failed", reason=reason, epochs=(), score=None, samples=None)


@dataclass(frozen=True)
class Assign:
    """Command: begin this trial."""

    assignment: Assignment


@dataclass(frozen=True)
class Advance:
    """Command: train to the next report."""


@dataclass(frozen=True)
class Quit:
    """Command: return from the worker loop."""


Command = Assign | Advance | Quit


@dataclass(frozen=True)
class Position:
    """Where a worker group that starts (or starts again) picks up."""

    sequence: int  # number of the first command to read
    assignment: Assignment | None  # the trial in hand, with its last checkpoint
    last: Report | None = None  # what it reported last


@dataclass(frozen=True)
class Progress:
    """What a lane is doing, for people."""

    lane: str
    state: Literal["starting", "idle", "training", "scoring", "closed"]
    trial: int | None = None
    epoch: int = 0
    epochs: int = 0
    batch: int = 0
    batches: int = 0
    loss: float | None = None


@dataclass(frozen=True)
class WorkerSettings:
    """What a worker is told when its lane starts."""

    study: str
    lane: str
    mailbox: Any  # actor handle of the study's `Mailbox`
    storage: str
    cpus: float
    gpus: float
    folder: str = ""  # looked into for networks that are named by import path
