"""Storage that cannot be used for a while: which errors mean that, and the one that says so.

A full disk, a share that does not answer, an endpoint that is away: what failed may work later.
That a file is not there, or is a folder, is a fact, and stays one however often it is asked.
"""

from __future__ import annotations

import errno
import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_FACTS = frozenset(
    {
        errno.ENOENT, errno.EEXIST, errno.EISDIR, errno.ENOTDIR, errno.ENOTEMPTY,
        errno.ENAMETOOLONG, errno.EINVAL, errno.ELOOP, errno.EXDEV,
    }
)  # fmt: skip
"""Error numbers that say something of a name, and nothing of the storage."""

LONGEST_CAUSE = 300
"""Characters of an error that are shown; those of object stores tell a long story."""


class StorageUnavailable(OSError):
    """The storage cannot be read or written now, in one line: where, and why."""


def is_outage(error: OSError) -> bool:
    """Whether an error is the storage's, so that what failed may work later.

    Errors of object stores have no number: Arrow gives one of its own to what is not there.
    """
    if isinstance(error, StorageUnavailable):
        return True
    kinds = (FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError)
    return not isinstance(error, kinds) and error.errno not in _FACTS


def cause(error: OSError) -> str:
    """What an error says, in one line."""
    line = " ".join(str(error.strerror or error).split()) or type(error).__name__
    return line if len(line) <= LONGEST_CAUSE else f"{line[: LONGEST_CAUSE - 3]}..."


class Place(Protocol):
    """What has an address."""

    @property
    def uri(self) -> str:
        """The address."""


_Self = TypeVar("_Self", bound=Place)


def unless_unavailable(
    doing: str,
) -> Callable[[Callable[Concatenate[_Self, P], T]], Callable[Concatenate[_Self, P], T]]:
    """Decorate a method of a storage: errors that may pass are raised as `StorageUnavailable`.

    Args:
        doing: What cannot be done then, as in `written`.
    """

    def decorate(method: Callable[Concatenate[_Self, P], T]) -> Callable[Concatenate[_Self, P], T]:
        @functools.wraps(method)
        def call(self: _Self, /, *args: P.args, **options: P.kwargs) -> T:
            try:
                return method(self, *args, **options)
            except StorageUnavailable:
                raise
            except OSError as error:
                if not is_outage(error):
                    raise
                raise StorageUnavailable(
                    f"The storage {self.uri} cannot be {doing}: {cause(error)}"
                ) from error

        return call

    return decorate
