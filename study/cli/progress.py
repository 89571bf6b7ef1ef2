"""A line on standard error that says what a command is at, where that takes a while."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

CLEAR = "\r\x1b[2K"
"""To the begin of the line, and nothing on it."""


@contextmanager
def progress_line() -> Iterator[Callable[[str], None]]:
    """Shows what is being done: on a terminal one line, which is overwritten; else a line each.

    Told an empty text, it says nothing until the next one; so it does at the end.
    """
    stream, terminal = sys.stderr, sys.stderr.isatty()
    shown = False

    def say(what: str) -> None:
        nonlocal shown
        if not terminal:
            if what:
                print(what, file=stream, flush=True)
            return
        if shown or what:
            width = shutil.get_terminal_size().columns - 1  # a full line would wrap
            print(CLEAR + what[:width], end="", file=stream, flush=True)
        shown = bool(what)

    try:
        yield say
    finally:
        say("")
