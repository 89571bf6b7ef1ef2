"""The storage of a simulation: checkpoints stay in memory, and it fails when it is to.

A simulation writes thousands of checkpoints, and few are read.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Container, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from study.driver.files import checkpoint_trial
from study.results.clock import SYSTEM_CLOCK, Clock
from study.results.outage import unless_unavailable
from study.results.storage import Storage
from study.simulation.faults import StorageOutage


@dataclass(frozen=True)
class BufferedStorage(Storage):
    """A storage of which checkpoints are written at the end, or never.

    Attributes:
        checkpoints: Content of those that are in memory, by name.
        outages: When it fails.
        clock: Says what time it is.
    """

    checkpoints: dict[str, bytes] = field(default_factory=dict)
    outages: Sequence[StorageOutage] = ()
    clock: Clock = SYSTEM_CLOCK

    @classmethod
    def over(
        cls,
        storage: Storage,
        outages: Sequence[StorageOutage] = (),
        clock: Clock = SYSTEM_CLOCK,
    ) -> BufferedStorage:
        """One that writes everything else where another one does."""
        return cls(storage.uri, storage.filesystem, storage.root, {}, outages, clock)

    @unless_unavailable("written")
    def write_atomic(self, name: str, data: bytes | pa.Buffer) -> None:
        """Write a file, a checkpoint into memory."""
        outage = self._outage()
        if outage is None or outage.writes_arrive:
            if checkpoint_trial(name) is None:
                super().write_atomic(name, data)
            else:
                self.checkpoints[name] = bytes(data)
        if outage is not None:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def read(self, name: str) -> bytes:
        """The content of a file."""
        self._fail_to_read()
        content = self.checkpoints.get(name)
        return super().read(name) if content is None else content

    def files(self, folder: str) -> list[str]:
        """Names of the files right in a folder, sorted."""
        self._fail_to_read()
        names = (name.rpartition("/") for name in self.checkpoints)
        return sorted({*super().files(folder), *(name[2] for name in names if name[0] == folder)})

    @unless_unavailable("written")
    def delete(self, name: str) -> None:
        """Delete a file."""
        if self._outage() is not None:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        if self.checkpoints.pop(name, None) is None:
            super().delete(name)

    def write_out(self, trials: Container[int]) -> None:
        """Write the checkpoints of some trials."""
        for name, data in self.checkpoints.items():
            if checkpoint_trial(name) in trials:
                super().write_atomic(name, data)

    def _outage(self) -> StorageOutage | None:
        now = self.clock.seconds()
        return next((one for one in self.outages if one.seconds <= now < one.until), None)

    @unless_unavailable("read")
    def _fail_to_read(self) -> None:
        outage = self._outage()
        if outage is not None and outage.reads:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
