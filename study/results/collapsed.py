"""What tables say of trials whose images have collapsed (`study.scoring.collapse` says what is)."""

from __future__ import annotations

from collections.abc import Iterable


def any_collapsed(marks: Iterable[bool | None]) -> bool | None:
    """Whether any of several scores is of collapsed images; None if it is known of none."""
    known = [mark for mark in marks if mark is not None]
    return any(known) if known else None


def marked(state: str, collapsed: bool | None) -> str:
    """A trial's state for people, with the mark."""
    return f"{state}, collapsed" if collapsed else state


def collapsed_notes(marks: Iterable[tuple[int, bool | None]]) -> Iterable[str]:
    """A line that names the trials that have collapsed, if there are any.

    Args:
        marks: Numbers of trials, each with its mark.
    """
    trials = [str(trial) for trial, collapsed in marks if collapsed]
    if trials:
        noun = "trial" if len(trials) == 1 else "trials"
        yield (
            f"collapsed ({noun} {', '.join(trials)}): the images hardly vary, or their recall is 0"
        )
