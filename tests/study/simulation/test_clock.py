from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from study.simulation.clock import START, SimulatedClock


def test_time_stands_still_until_it_is_moved_on() -> None:
    clock = SimulatedClock()
    assert (clock.now(), clock.seconds()) == (START, 0.0)
    clock.move_to(90.5)
    assert clock.now() - START == timedelta(seconds=90.5)
    assert clock.seconds() == 90.5


def test_a_clock_starts_when_it_is_said_to() -> None:
    start = datetime(2030, 2, 3, tzinfo=UTC)
    assert SimulatedClock(start).now() == start


def test_time_never_goes_back() -> None:
    clock = SimulatedClock()
    clock.move_to(5.0)
    clock.move_to(5.0)
    with pytest.raises(ValueError, match=r"it is 5.0 s already, but the next event is at 4.9"):
        clock.move_to(4.9)


def test_a_process_that_stands_still_counts_no_seconds() -> None:
    clock = SimulatedClock()
    clock.move_to(5.0)
    clock.suspend(until=START + timedelta(seconds=60))
    assert (clock.now() - START, clock.seconds()) == (timedelta(seconds=60), 5.0)
    clock.suspend(until=START)  # that is past
    clock.move_to(6.0)
    assert clock.now() - START == timedelta(seconds=61)
