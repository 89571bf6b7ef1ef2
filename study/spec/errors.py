"""What a user's mistake raises, what a fault of the machine raises, and our own warnings."""

from __future__ import annotations

MOST_CHARACTERS = 600
"""Of a message: what is longer, such as a value that is quoted, is cut in its middle."""


class UserError(Exception):
    """A mistake in what the user gave us, in one line: what, where, the rule.

    The command line prints the message and exits with code 2; Python callers catch it. Everything
    else that escapes is a bug of ours and shows its traceback.
    """

    def __init__(self, message: str) -> None:
        super().__init__(_cut(" ".join(message.split())))


def _cut(line: str) -> str:
    """Begin and end of a line that is too long: where it is stands first, the rule last."""
    if len(line) <= MOST_CHARACTERS:
        return line
    half = (MOST_CHARACTERS - 5) // 2
    return f"{line[:half]} ... {line[-half:]}"


class MachineFault(Exception):
    """What a study needs to run has failed, in one line; it stays open, and can be resumed.

    It is no mistake of the user's, nor a bug: the command line exits with code 1.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


class StudyWarning(UserWarning):
    """Something that a person should know, in one line; the work goes on."""
