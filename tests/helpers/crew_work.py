"""What the processes of a crew do in the tests of crews."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

from study.spec import UserError


def numbers(count: int) -> Iterator[tuple[int, int]]:
    """Numbers with the process that made them."""
    for number in range(count):
        yield os.getpid(), number


def meets(folder: str, size: int) -> Iterator[int]:
    """Ends only if so many processes are in it at the same time."""
    path = os.path.join(folder, str(os.getpid()))
    with open(path, "w", encoding="ascii"):
        while len(os.listdir(folder)) < size:
            os.sched_yield()
    yield len(os.listdir(folder))


def never_ends(first: int | None) -> Iterator[int]:
    """Gives something, or nothing, and goes on for ever."""
    if first is not None:
        yield first
    threading.Event().wait()


def takes_memory(first: int | None, count: int) -> Iterator[int]:
    """Gives something, or nothing, and then takes so many bytes."""
    if first is not None:
        yield first
    yield len(bytearray(count))


def is_killed() -> Iterator[int]:
    """Ends as the kernel ends what takes too much memory."""
    os.kill(os.getpid(), signal.SIGKILL)
    yield 1


def is_wrong(kind: str) -> Iterator[int]:
    """Fails by a user's mistake, or by one of ours."""
    print("what a network of one's own prints")
    if kind == "user":
        raise UserError("precision: there is no such")
    raise KeyError(kind)
    yield 1
