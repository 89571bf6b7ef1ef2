"""Where the time comes from: the system's clock, or one that a simulation moves on."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What rows are stamped by, and what is waited by."""

    def now(self) -> datetime:
        """The time of day, in UTC."""

    def seconds(self) -> float:
        """Seconds since some moment; never goes back."""

    def sleep(self, seconds: float, woken: threading.Event | None = None) -> None:
        """Let so many seconds go by, or fewer if the event is set meanwhile."""


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        """The time of day, in UTC."""
        return datetime.now(UTC)

    def seconds(self) -> float:
        """Seconds since some moment; never goes back."""
        return time.monotonic()

    def sleep(self, seconds: float, woken: threading.Event | None = None) -> None:
        """Let so many seconds go by, or fewer if the event is set meanwhile."""
        (woken or threading.Event()).wait(seconds)


SYSTEM_CLOCK: Clock = SystemClock()
