from __future__ import annotations

import errno
import os
import pickle
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from study.results.outage import StorageUnavailable, is_outage
from study.results.storage import PROBE_BYTES, Storage
from study.spec.errors import UserError


@contextmanager
def no_room(size: int) -> Iterator[None]:
    """No file of this process may be larger: what a full disk is to whoever writes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


@pytest.mark.parametrize(
    "number",
    [
        errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO,
        errno.ESTALE, errno.ETIMEDOUT, errno.ECONNREFUSED, errno.EFBIG, errno.EMFILE, errno.ENODEV,
    ],
)  # fmt: skip
def test_what_may_pass_is_an_outage(number: int) -> None:
    assert is_outage(error(number))


@pytest.mark.parametrize(
    "number", [errno.ENOENT, errno.EEXIST, errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG]
)
def test_what_is_said_of_a_name_is_not(number: int) -> None:
    assert not is_outage(error(number))


def test_errors_of_object_stores_have_no_number() -> None:
    assert is_outage(OSError("AWS Error NETWORK_CONNECTION during HeadObject"))
    assert not is_outage(FileNotFoundError("Path does not exist 'bucket/file'"))


def test_a_write_that_fails_says_where_and_why_and_leaves_nothing(storage: Storage) -> None:
    storage.write_atomic("s/file", b"old")
    with no_room(1000), pytest.raises(StorageUnavailable) as caught:
        storage.write_atomic("s/file", b"x" * 2000)
    assert str(caught.value) == f"The storage {storage.uri} cannot be written: File too large"
    assert storage.read("s/file") == b"old"
    assert [path.name for path in Path(storage.path("s")).iterdir()] == ["file"]
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_a_disk_that_only_takes_small_files_is_refused(storage: Storage) -> None:
    with no_room(PROBE_BYTES - 1), pytest.raises(UserError, match="cannot be written: File too la"):
        storage.check_writable()
    with no_room(PROBE_BYTES):
        storage.check_writable()
    assert not [*Path(storage.root).glob(".probe-*")]
