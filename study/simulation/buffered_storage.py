"""A storage that keeps checkpoints in memory: a simulation writes thousands, and few are read."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field

import pyarrow as pa

from study.driver.files import checkpoint_trial
from study.results.storage import Storage


@dataclass(frozen=True)
class BufferedStorage(Storage):
    """A storage of which checkpoints are written at the end, or never.

    Attributes:
        checkpoints: Content of those that are in memory, by name.
    """

    checkpoints: dict[str, bytes] = field(default_factory=dict)

    @classmethod
    def over(cls, storage: Storage) -> BufferedStorage:
        """One that writes everything else where another one does."""
        return cls(storage.uri, storage.filesystem, storage.root)

    def write_atomic(self, name: str, data: bytes | pa.Buffer) -> None:
        """Write a file, a checkpoint into memory."""
        if checkpoint_trial(name) is None:
            super().write_atomic(name, data)
        else:
            self.checkpoints[name] = bytes(data)

    def read(self, name: str) -> bytes:
        """The content of a file."""
        content = self.checkpoints.get(name)
        return super().read(name) if content is None else content

    def files(self, folder: str) -> list[str]:
        """Names of the files right in a folder, sorted."""
        names = (name.rpartition("/") for name in self.checkpoints)
        return sorted({*super().files(folder), *(name[2] for name in names if name[0] == folder)})

    def delete(self, name: str) -> None:
        """Delete a file."""
        if self.checkpoints.pop(name, None) is None:
            super().delete(name)

    def write_out(self, trials: Container[int]) -> None:
        """Write the checkpoints of some trials."""
        for name, data in self.checkpoints.items():
            if checkpoint_trial(name) in trials:
                super().write_atomic(name, data)
