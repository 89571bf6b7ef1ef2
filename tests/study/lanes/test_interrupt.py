from __future__ import annotations

import os
import signal
import threading

import pytest

from study.lanes.interrupt import on_interrupt


def press() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_the_first_press_runs_the_action_and_the_second_raises() -> None:
    acted = threading.Event()
    before = signal.getsignal(signal.SIGINT)

    def twice() -> None:
        with on_interrupt(acted.set):
            press()
            assert acted.wait(5)
            press()

    with pytest.raises(KeyboardInterrupt):
        twice()
    assert signal.getsignal(signal.SIGINT) is before


def test_without_a_press_nothing_runs_and_handlers_come_back() -> None:
    acted = threading.Event()
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with on_interrupt(acted.set):
        assert signal.getsignal(signal.SIGINT) is not before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    assert not acted.is_set()


def test_outside_the_main_thread_it_does_nothing() -> None:
    failures: list[BaseException] = []

    def run() -> None:
        try:
            with on_interrupt(lambda: None):
                pass
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert failures == []
