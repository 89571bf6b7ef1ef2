"""What goes wrong in a simulation, and when. Seconds count from the simulation's start."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class WorkerDeath:
    """The workers of a lane die: its trial goes on from its last report in the same lane.

    Attributes:
        seconds: When.
        lane: Which lane, from 0; a lane that is not training has nothing to lose.
    """

    seconds: float
    lane: int


@dataclass(frozen=True)
class Preemption:
    """As a `WorkerDeath`, but the machine was taken away, which is no fault of the trial's.

    Attributes:
        seconds: When.
        lane: Which lane, from 0.
    """

    seconds: float
    lane: int


@dataclass(frozen=True)
class LaneLoss:
    """A lane is gone: another one is started in its place, and goes on with its trial.

    Attributes:
        seconds: When.
        lane: Which lane, from 0.
    """

    seconds: float
    lane: int


@dataclass(frozen=True)
class Interrupt:
    """Ctrl-C: trials stop where they are, and report it."""

    seconds: float


@dataclass(frozen=True)
class Kill:
    """The driver is killed: nothing more is decided, reported or written to the ledger."""

    seconds: float


@dataclass(frozen=True)
class StorageOutage:
    """The storage fails: nothing can be written, as on a full disk.

    Attributes:
        seconds: From when.
        until: When it can be written again.
        reads: Whether nothing can be read either, as where an endpoint is away.
        writes_arrive: Whether what is written arrives, and only the answer is lost.
    """

    seconds: float
    until: float
    reads: bool = False
    writes_arrive: bool = False


Fault = WorkerDeath | Preemption | LaneLoss | Interrupt | Kill | StorageOutage
