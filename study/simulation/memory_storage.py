"""A storage in memory, of which each operation can be made to fail."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa

from study.results.columns import CheckedRow
from study.results.ledger import Ledger
from study.results.reader import AnyRow
from study.results.storage import Storage
from study.results.table_files import table_files
from study.results.tables import KEYS, table_of

Hook = Callable[[str, str], None]
"""Called with an operation (`write`, `create`, `delete`) and the name of a file; it may raise."""


@dataclass(frozen=True)
class MemoryStorage(Storage):
    """Files in memory; names of studies are those of folders with a study file, as elsewhere.

    Attributes:
        folders: Content of each file, by folder and by name in it.
        before: Called before a file changes.
        after: Called when it has changed.
    """

    folders: dict[str, dict[str, bytes]] = field(default_factory=dict)
    before: Hook = field(default=lambda operation, name: None)
    after: Hook = field(default=lambda operation, name: None)

    @classmethod
    def empty(cls) -> MemoryStorage:
        """A storage without files, whose operations never fail."""
        return cls("memory", None, "memory")

    @property
    def is_local(self) -> bool:
        """It is written by put, as an object store is."""
        return False

    def write_atomic(self, name: str, data: bytes | pa.Buffer) -> None:
        """Write a file, over any older one of that name."""
        self.before("write", name)
        self._put(name, data)
        self.after("write", name)

    def create(self, name: str, data: bytes) -> bool:
        """Write a file that is not there yet; says whether this call wrote it."""
        self.before("create", name)
        is_new = not self.exists(name)
        if is_new:
            self._put(name, data)
        self.after("create", name)
        return is_new

    def read(self, name: str) -> bytes:
        """The content of a file."""
        folder, _, base = name.rpartition("/")
        try:
            return self.folders[folder][base]
        except KeyError:
            raise FileNotFoundError(name) from None

    def files(self, folder: str) -> list[str]:
        """Names of the files right in a folder, sorted."""
        return sorted(self.folders.get(folder, ()))

    def exists(self, name: str) -> bool:
        """Whether there is a file of that name."""
        folder, _, base = name.rpartition("/")
        return base in self.folders.get(folder, ())

    def delete(self, name: str) -> None:
        """Delete a file."""
        self.before("delete", name)
        folder, _, base = name.rpartition("/")
        if self.folders.get(folder, {}).pop(base, None) is None:
            raise FileNotFoundError(name)
        self.after("delete", name)

    def _put(self, name: str, data: bytes | pa.Buffer) -> None:
        folder, _, base = name.rpartition("/")
        self.folders.setdefault(folder, {})[base] = bytes(data)


class PickledLedger(Ledger):
    """A ledger whose files are pickled rows: thousands of studies take a minute, not an hour.

    All else is as in the Parquet ledger: which rows are written when, files' names, whose count.
    """

    def _encode(self, rows: Sequence[CheckedRow]) -> bytes:
        return pickle.dumps([replace(checked.row, stamp=checked.stamp) for checked in rows])


def read_all_rows(storage: Storage, row_type: type[AnyRow], study: str) -> list[AnyRow]:
    """Every row of one table that counts, in the order in which they were appended."""
    rows: list[AnyRow] = []
    for file in table_files(storage, study, table_of(row_type)):
        rows += pickle.loads(storage.read(file))
    return sorted(rows, key=lambda row: row.appended)


def read_pickled_rows(storage: Storage, row_type: type[AnyRow], study: str) -> list[AnyRow]:
    """The newest row of each key of one table, in the order of the keys: see `reader.read_rows`."""
    keys = KEYS[table_of(row_type)][1:]  # all are of one study
    newest = {
        tuple(getattr(row, key) for key in keys): row
        for row in read_all_rows(storage, row_type, study)
    }
    return [newest[key] for key in sorted(newest)]
