"""The commands that a lane's workers read, and where a worker group picks up."""

from __future__ import annotations

from dataclasses import dataclass

from study.driver.messages import Assignment, Report


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
