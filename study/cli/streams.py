"""Standard output and error in whatever encoding they have: what it lacks is replaced."""

from __future__ import annotations

import codecs
import errno
import os
import sys
import unicodedata
from typing import TextIO

from study.spec.errors import UserError

_PLAIN = {
    "±": "+/-", "×": "x", "…": "...", "—": "-", "–": "-", "·": "*", "•": "*", "→": "->", "←": "<-",
    "─": "-", "━": "-", "╸": "-", "╺": "-", "│": "|", "┃": "|", "≤": "<=", "≥": ">=", "√": "sqrt",
    "σ": "sigma", "α": "alpha", "β": "beta", "ε": "epsilon",
    "ß": "ss", "æ": "ae", "ø": "o", "’": "'", "‘": "'", "“": '"', "”": '"',
}  # fmt: skip
"""What stands for characters of ours that many encodings lack, in ASCII."""

_HANDLER = "fidtune"


NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO})
"""Error numbers of what is written where it cannot be: on a full disk, for example."""


def adapt_streams() -> None:
    """Make standard output and error print replacements where their encoding lacks a character.

    `±` becomes `+/-`, a letter loses its accent, and what has no likeness becomes `?`.
    """
    codecs.register_error(_HANDLER, _replace)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # it was closed before we started (`>&-`)
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 (to the end)
        _adapt(getattr(sys, name))


def print_data(text: str) -> None:
    """Print JSON or CSV, for a program to read: what cannot be encoded is escaped, not replaced.

    In JSON that is the same text, as such characters only stand in strings.
    """
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        text = "".join(c if _fits(c, encoding) else _escaped(c) for c in text)
    print(text)


def flush_output() -> None:
    """Make sure that what was printed has arrived.

    Raises:
        UserError: It has not: the disk is full, for example. What is printed from now on is lost.
    """
    try:
        sys.stdout.flush()
    except OSError as error:
        with open(os.devnull, "w") as nowhere:  # the interpreter tries again at its end
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):  # whoever reads has seen enough
            raise UserError(f"The output cannot be written: {error.strerror}") from None


def _fits(character: str, encoding: str) -> bool:
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _escaped(character: str) -> str:
    r"""`\\uXXXX`, or two of them beyond the first 65,536 characters."""
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


def _adapt(stream: TextIO) -> None:
    reconfigure = getattr(stream, "reconfigure", None)  # a stream of a test or a notebook has none
    if reconfigure is not None:
        reconfigure(errors=_HANDLER)


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = "".join(map(_plain, error.object[error.start : error.end]))
    return text, error.end


def _plain(character: str) -> str:
    """A character in ASCII."""
    if character in _PLAIN:
        return _PLAIN[character]
    # A letter with an accent is the letter and the accent; half of a broken name is neither.
    letters = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode("ascii")
    return letters or "?"
