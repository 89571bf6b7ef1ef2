"""Standard output and error in whatever encoding they have: what it lacks is replaced."""

from __future__ import annotations

import codecs
import sys
import unicodedata
from typing import TextIO

_PLAIN = {
    "±": "+/-", "×": "x", "…": "...", "—": "-", "–": "-", "·": "*", "•": "*", "→": "->", "←": "<-",
    "─": "-", "━": "-", "╸": "-", "╺": "-", "│": "|", "┃": "|", "≤": "<=", "≥": ">=", "√": "sqrt",
    "σ": "sigma", "α": "alpha", "β": "beta", "ε": "epsilon",
    "ß": "ss", "æ": "ae", "ø": "o", "’": "'", "‘": "'", "“": '"', "”": '"',
}  # fmt: skip
"""What stands for characters of ours that many encodings lack, in ASCII."""

_HANDLER = "fidtune"


def adapt_streams() -> None:
    """Make standard output and error print replacements where their encoding lacks a character.

    `±` becomes `+/-`, a letter loses its accent, and what has no likeness becomes `?`.
    """
    codecs.register_error(_HANDLER, _replace)
    for stream in (sys.stdout, sys.stderr):
        _adapt(stream)


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
