"""What of a folder is no part of an image set, and why: counted, and said in one line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


class Reason(Enum):
    """Why a file, folder or link is left out: what one is, and what several are."""

    NO_PICTURE = "file that is no picture", "files that are no pictures"
    UNREADABLE = "picture that can not be read", "pictures that can not be read"
    HIDDEN = "hidden file or folder", "hidden files or folders"
    DEAD_LINK = "link that leads nowhere", "links that lead nowhere"
    SEEN = "link to what is read already", "links to what is read already"
    CLOSED = "file or folder that may not be read", "files or folders that may not be read"


@dataclass(frozen=True)
class LeftOut:
    """A file, folder or link that is left out.

    Attributes:
        name: Its path in the folder that is read, with `/` between.
        reason: Why.
    """

    name: str
    reason: Reason


def describe_left_out(left_out: Sequence[LeftOut]) -> str | None:
    """One line: how many for each reason, with the first name of each. None if there are none."""
    if not left_out:
        return None
    parts = []
    for reason in Reason:
        names = [each.name for each in left_out if each.reason is reason]
        if names:
            noun = reason.value[len(names) > 1]
            parts.append(f"{len(names)} {noun} ({names[0]}{', ...' if len(names) > 1 else ''})")
    return f"left out: {', '.join(parts)}"
