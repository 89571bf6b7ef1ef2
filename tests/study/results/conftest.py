from __future__ import annotations

import uuid
from dataclasses import replace
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem  # type: ignore[import-untyped]
from ledger_rows import complete, pruned, report, running, score, write
from pyarrow import fs as pafs

from study.results.storage import Storage
from study.results.tables import Row


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
    storage.claim("s", "")
    failed = replace(complete(3, 1.0), state="failed", value=None, reason="the loss is nan")
    rows: list[Row] = [
        *(score(0, 5.0), complete(0, 5.0, lr=0.1, size=28)),
        *(score(1, 3.0), complete(1, 3.0, lr=0.01, size=28)),
        *(score(2, 3.0, epoch=1), pruned(2, 3.0, lr=0.01, size=28, schedule__cosine__offset=0.5)),
        *(failed, running(4), report(4, 1, value=0.5)),
    ]
    write(storage, "s", *rows)
    return storage
