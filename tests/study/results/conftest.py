from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem  # type: ignore[import-untyped]
from ledger_rows import write_every_state
from pyarrow import fs as pafs

from study.results.storage import Storage


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage.from_uri(str(tmp_path / "studies"))


@pytest.fixture(params=["folder", "object store"])
def any_storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    """A folder, and a store that is written by put alone, as S3 is."""
    if request.param == "folder":
        return Storage.from_uri(str(tmp_path / "studies"))
    filesystem = pafs.PyFileSystem(pafs.FSSpecHandler(MemoryFileSystem()))
    root = f"{tmp_path.name}-{uuid.uuid4().hex}/studies"  # all memory file systems share one tree
    return Storage(f"s3://{root}", filesystem, root)


@pytest.fixture
def ranked(storage: Storage) -> Storage:
    """A study `s` with trials in every state."""
    write_every_state(storage)
    return storage
