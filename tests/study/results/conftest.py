from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.memory import (  # type: ignore[import-untyped]
    MemoryFile,
    MemoryFileSystem,
)
from ledger_rows import write_every_state
from pyarrow import fs as pafs

from study.results.storage import Storage


class ObjectStore(MemoryFileSystem):  # type: ignore[misc]
    """Objects in memory that appear when their put is complete, as in S3."""

    def _open(self, path: str, mode: str = "rb", **options: Any) -> MemoryFile:
        if mode == "wb":
            return _Put(self, self._strip_protocol(path))
        return MemoryFile(self, path, super()._open(path, mode, **options).getvalue())


class _Put(MemoryFile):  # type: ignore[misc]
    def close(self) -> None:
        self.fs.store[self.path] = MemoryFile(self.fs, self.path, self.getvalue())


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage.from_uri(str(tmp_path / "studies"))


@pytest.fixture(params=["folder", "object store"])
def any_storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    """A folder, and a store that is written by put alone, as S3 is."""
    if request.param == "folder":
        return Storage.from_uri(str(tmp_path / "studies"))
    filesystem = pafs.PyFileSystem(pafs.FSSpecHandler(ObjectStore()))
    root = f"{tmp_path.name}-{uuid.uuid4().hex}/studies"  # all memory file systems share one tree
    return Storage(f"s3://{root}", filesystem, root)


@pytest.fixture
def ranked(storage: Storage) -> Storage:
    """A study `s` with trials in every state."""
    write_every_state(storage)
    return storage
