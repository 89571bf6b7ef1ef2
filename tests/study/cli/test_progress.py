from __future__ import annotations

import io
import os
from types import SimpleNamespace

import pytest

from study.cli import progress
from study.cli.progress import CLEAR, progress_line


class Terminal(io.StringIO):
    """A terminal of 20 characters a line."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    terminal = Terminal()
    monkeypatch.setattr(progress, "sys", SimpleNamespace(stderr=terminal))
    monkeypatch.setattr(progress.shutil, "get_terminal_size", lambda: os.terminal_size((20, 24)))
    return terminal


def test_on_a_terminal_the_line_is_overwritten_and_cleared(terminal: Terminal) -> None:
    with progress_line() as say:
        say("reading")
        say("measuring something long")
        say("")
        say("")
        say("at the end")
    assert terminal.getvalue().split(CLEAR) == [
        "", "reading", "measuring something", "", "at the end", "",
    ]  # fmt: skip


def test_nothing_is_left_where_nothing_was_said(terminal: Terminal) -> None:
    with progress_line() as say:
        say("")
    assert terminal.getvalue() == ""


def test_elsewhere_each_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_line() as say:
        say("reading")
        say("")
        say("measuring")
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "reading\nmeasuring\n")


def test_a_failure_clears_the_line(terminal: Terminal) -> None:
    def fail() -> None:
        with progress_line() as say:
            say("reading")
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    assert terminal.getvalue().endswith(CLEAR)
