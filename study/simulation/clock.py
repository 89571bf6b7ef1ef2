"""Simulated time: it stands still until the event loop moves it on."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 1, tzinfo=UTC)
"""The time of day at which every simulation begins that goes on with none."""


class SimulatedClock:
    """A `study.results.clock.Clock` for a simulation.

    Args:
        start: The time of day at second 0, in UTC.
    """

    def __init__(self, start: datetime = START) -> None:
        self._start = start
        self._seconds = 0.0

    def now(self) -> datetime:
        """The simulated time of day, in UTC."""
        return self._start + timedelta(seconds=self._seconds)

    def seconds(self) -> float:
        """Simulated seconds since the start."""
        return self._seconds

    def suspend(self, until: datetime) -> None:
        """The process stands still: the time of day goes on, its seconds do not.

        Args:
            until: The time of day at which it goes on; nothing happens if that is past.
        """
        self._start += max(timedelta(0), until - self.now())

    def sleep(self, seconds: float, woken: threading.Event | None = None) -> None:
        """Move on by so many seconds: nothing else happens meanwhile."""
        self._seconds += seconds

    def move_to(self, seconds: float) -> None:
        """Make it so many seconds since the start.

        Raises:
            ValueError: That is in the past.
        """
        if seconds < self._seconds:
            raise ValueError(f"it is {self._seconds} s already, but the next event is at {seconds}")
        self._seconds = seconds
