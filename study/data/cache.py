"""A folder of results that are costly to make: made once, verified whenever they are read.

Any number of processes, on any number of machines that share the folder, may ask for the same key
at once: one makes it, the others wait and read. Files appear under their name only when complete.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

from filelock import FileLock

from study.spec.errors import UserError

T = TypeVar("T")

_logger = logging.getLogger(__name__)


def user_cache_folder() -> Path:
    """The user's own cache folder: `$XDG_CACHE_HOME/fidtune`, by default `~/.cache/fidtune`."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # The XDG specification has a relative path ignored.
    return (base if base.is_absolute() else Path.home() / ".cache") / "fidtune"


def get_or_make(
    folder: Path,
    key: str,
    *,
    make: Callable[[], T],
    save: Callable[[T], bytes],
    load: Callable[[bytes], T],
) -> T:
    """Return what `folder` holds under `key`, making it first if it is missing or damaged.

    The payload lies in `folder/key`, and its SHA-256 in `folder/key.sha256`, as `sha256sum --check`
    reads it. Whoever made the result gets it through `load` too, so that the first caller sees no
    other value than the next one.

    Args:
        folder: Where results are kept; created if missing.
        key: A file name that says all that the result depends on (a digest, and an ending).
        make: Makes the result. Called by one process at a time, and only if it is needed.
        save: Turns the result into bytes.
        load: Turns those bytes into the result again.

    Raises:
        UserError: If the folder can not be read or written.
    """
    path = folder / key
    payload = _read_verified(path)
    if payload is None:
        with _locked(path):
            # Another process may have made it while this one waited.
            payload = _read_verified(path)
            if payload is None:
                if path.exists():
                    _logger.warning("Cached file %s is damaged; making it again", path)
                payload = save(make())
                _write(path, payload)
    return load(payload)


def _read_verified(path: Path) -> bytes | None:
    """The payload at `path`, or None if it is not there or not what was written.

    A reader that holds no lock may meet a writer between its two renames, and find a payload that
    disagrees with its digest: then it takes the lock, and looks again.
    """
    try:
        with _os_errors_as_user_errors(path):
            payload = path.read_bytes()
            stored = _digest_path(path).read_bytes()
    except FileNotFoundError:
        return None
    return payload if stored == _digest_line(path, payload) else None


def _write(path: Path, payload: bytes) -> None:
    for target, content in ((path, payload), (_digest_path(path), _digest_line(path, payload))):
        temporary = target.with_name(f"{target.name}.{uuid4().hex}.tmp")
        try:
            with _os_errors_as_user_errors(path):
                temporary.write_bytes(content)
                temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    lock = FileLock(path.with_name(f"{path.name}.lock"))
    with _os_errors_as_user_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _os_errors_as_user_errors(path: Path) -> Iterator[None]:
    """Report a folder that can not be used as the user's mistake; a missing file is none."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UserError(
            f"The cache folder {path.parent} can not be used ({error}); "
            "it must be a folder that can be read and written"
        ) from error


def _digest_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _digest_line(path: Path, payload: bytes) -> bytes:
    return f"{hashlib.sha256(payload).hexdigest()}  {path.name}\n".encode()
