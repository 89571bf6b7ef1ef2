"""What happens in a study, as values that displays and tests listen to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from study.driver.messages import Report
from study.spec import Picks


@dataclass(frozen=True)
class TrialStarted:
    """A trial was handed out; `repeats` is the search trial that a final run trains again."""

    number: int
    picks: Picks
    repeats: int | None = None


@dataclass(frozen=True)
class TrialReported:
    """A trial sent a report.

    Attributes:
        report: What it sent.
        best: Whether its score was better than all before.
        ranked: Whether its score may be compared with those of other trials.
    """

    report: Report
    best: bool
    ranked: bool = False


@dataclass(frozen=True)
class TrialEnded:
    """A trial is over, or was interrupted (state `running`, to be continued)."""

    number: int
    state: str  # complete, pruned, failed or running
    reason: str
    value: float | None
    epoch: int
    metric: str  # of the value


@dataclass(frozen=True)
class SearchStopped:
    """The search has ended before all its planned trials."""

    trials: int  # handed out in all
    planned: int
    reason: str

    def __str__(self) -> str:
        return f"the search ends after {self.trials} of {self.planned} trials: {self.reason}"


Event = TrialStarted | TrialReported | TrialEnded | SearchStopped
Listener = Callable[[Event], None]
