from __future__ import annotations

import threading

import pytest

from study.results import patience as patience_module
from study.results.outage import StorageUnavailable
from study.results.patience import LAST_SECONDS, LONGEST_PAUSE, Patience
from study.simulation.clock import SimulatedClock


class Flaky:
    """Fails until a time."""

    def __init__(self, clock: SimulatedClock, until: float) -> None:
        self.clock = clock
        self.until = until
        self.tries: list[float] = []

    def __call__(self) -> str:
        self.tries.append(self.clock.seconds())
        if self.clock.seconds() < self.until:
            raise StorageUnavailable("The storage /s cannot be written: No space left on device")
        return "done"


def test_it_is_tried_again_ever_more_slowly_until_it_works_and_said_twice() -> None:
    clock, lines = SimulatedClock(), list[str]()
    flaky = Flaky(clock, 100.0)
    assert Patience(clock=clock, say=lines.append).keep("rows", flaky) == "done"
    pauses = [b - a for a, b in zip(flaky.tries, flaky.tries[1:], strict=False)]
    assert pauses == sorted(pauses)
    assert pauses[0] < 1
    assert pauses[-1] == LONGEST_PAUSE
    assert 100 <= clock.seconds() < 100 + LONGEST_PAUSE
    began, ended = lines
    assert began.startswith("The storage /s cannot be written: No space left on device (since ")
    assert began.endswith("): the study waits, and goes on by itself")
    assert ended == "the storage is there again, after 1:46: the study goes on"


def test_an_outage_is_over_when_all_that_failed_is_done() -> None:
    clock, lines = SimulatedClock(), list[str]()
    patience = Patience(clock=clock, say=lines.append)
    flaky = Flaky(clock, 10.0)
    with pytest.raises(StorageUnavailable):
        patience.once("rows", flaky)
    patience.once("a sign of life", lambda: None)  # a small file still fits
    assert len(lines) == 1
    assert patience.problem is not None
    patience.keep("rows", flaky)
    assert len(lines) == 2
    assert patience.problem is None


def test_after_its_limit_it_gives_up() -> None:
    clock = SimulatedClock()
    with pytest.raises(StorageUnavailable, match="No space left"):
        Patience(60.0, clock).keep("rows", Flaky(clock, 1e9))
    assert 60 <= clock.seconds() <= 60 + LONGEST_PAUSE
    at_once = Flaky(clock, 1e9)
    with pytest.raises(StorageUnavailable):
        Patience(0.0, clock).keep("rows", at_once)
    assert len(at_once.tries) == 1


def test_who_is_to_hurry_gives_up_soon_and_a_hiccup_is_still_waited_out() -> None:
    clock = SimulatedClock()
    patience = Patience(clock=clock)
    patience.hurry()
    assert patience.keep("rows", Flaky(clock, LAST_SECONDS / 2)) == "done"
    before = clock.seconds()
    with pytest.raises(StorageUnavailable):
        patience.keep("rows", Flaky(clock, 1e9))
    assert clock.seconds() - before <= LAST_SECONDS + 1


def test_who_waits_hears_that_it_is_to_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience_module, "LAST_SECONDS", 0.01)
    monkeypatch.setattr(patience_module, "FIRST_PAUSE", 600.0)
    patience = Patience()  # on the system's clock
    failed = threading.Event()

    def fail() -> None:
        failed.set()
        raise StorageUnavailable("away")

    errors: list[Exception] = []

    def wait() -> None:
        try:
            patience.keep("rows", fail)
        except StorageUnavailable as error:
            errors.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    assert failed.wait(60)
    monkeypatch.setattr(patience_module, "FIRST_PAUSE", 0.01)
    patience.hurry()
    thread.join(60)
    assert not thread.is_alive()
    assert len(errors) == 1
