"""Ctrl-C: the first asks politely, the second is the usual KeyboardInterrupt."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType


@contextlib.contextmanager
def on_interrupt(action: Callable[[], None]) -> Iterator[None]:
    """Run `action` on a thread at the first SIGINT (or SIGTERM); a second one raises at once.

    The handler itself only sets an event: a signal can arrive in the middle of a call into Ray,
    and calling Ray again from there could wait for itself. Outside the main thread, where Python
    delivers no signals, this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed, over = threading.Event(), threading.Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def handle(number: int, frame: FrameType | None) -> None:
        for known, handler in before.items():
            signal.signal(known, handler)
        pressed.set()

    def wait() -> None:
        pressed.wait()
        if not over.is_set():
            action()

    for number in before:
        signal.signal(number, handle)
    waiter = threading.Thread(target=wait, name="interrupt", daemon=True)
    waiter.start()
    try:
        yield
    finally:
        over.set()
        pressed.set()
        for number, handler in before.items():
            signal.signal(number, handler)
