"""Who runs a study, as files beside its tables, and which rows count after it changed hands.

    <study>/lease/000002.json        the second driver that has ever run the study
    <study>/lease/000002.accepted    how many files of earlier drivers count
    <study>/lease/000002.heartbeat   its latest sign of life

Each driver has a number, one higher than the one before, and numbers the files that it writes. A
driver that takes over lists what is there: what an earlier one writes after that (it was only
thought to be dead) has a higher number than was accepted, and is not read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from study.results.clock import SYSTEM_CLOCK, Clock
from study.results.process import Process, exists_here
from study.results.storage import Storage, join

FOLDER = "lease"
HEARTBEAT_SECONDS = 5.0
"""A driver gives a sign of life so often."""
LAPSE_SECONDS = 30.0
"""A driver that gave none for so long is thought to be dead."""
_RECORD = re.compile(r"(\d{6})\.json")
_ACCEPTED = re.compile(r"(\d{6})\.accepted")
_DRIVER_FILE = re.compile(r"\w+Z-d(\d{6})-(\d{8})-[0-9a-f]+\.parquet")  # see `table_files`


@dataclass(frozen=True)
class LeaseRecord:
    """A driver that has held a study.

    Attributes:
        number: From 1, in the order in which they held it.
        process: The driver.
        taken: When it took the study.
    """

    number: int
    process: Process
    taken: datetime


@dataclass(frozen=True)
class Heartbeat:
    """A driver's sign of life.

    Attributes:
        written: When, by the driver's own clock.
        count: How many there were before it.
        released: Whether the driver has ended in good order, and holds the study no more.
        planned: How many trials the study's search has in all; 0 if that is not known yet.
    """

    written: datetime
    count: int
    released: bool = False
    planned: int = 0


def newest_number(storage: Storage, study: str) -> int:
    """Number of the newest driver of a study; 0 if it never had one."""
    names = (_RECORD.fullmatch(name) for name in storage.files(join(study, FOLDER)))
    return max((int(match[1]) for match in names if match), default=0)


def read_lease(storage: Storage, study: str) -> LeaseRecord | None:
    """The newest driver of a study, or None if it never had one."""
    number = newest_number(storage, study)
    if not number:
        return None
    fields = json.loads(storage.read(_name(study, number, "json")))
    process = Process(**fields["process"])
    return LeaseRecord(number, process, datetime.fromisoformat(fields["taken"]))


def create_lease(storage: Storage, study: str, record: LeaseRecord) -> bool:
    """Make a driver the newest one, unless another one has come before it; says whether."""
    fields = {"process": vars(record.process), "taken": record.taken.isoformat()}
    return storage.create(_name(study, record.number, "json"), _encode(fields))


def read_heartbeat(storage: Storage, study: str, number: int) -> Heartbeat | None:
    """The latest sign of life of a driver, or None if it never gave one."""
    try:
        fields = json.loads(storage.read(_name(study, number, "heartbeat")))
    except FileNotFoundError:
        return None
    fields["written"] = datetime.fromisoformat(fields["written"])
    return Heartbeat(**fields)


def write_heartbeat(storage: Storage, study: str, number: int, beat: Heartbeat) -> None:
    """Leave a sign of life.

    Raises:
        OSError: The storage cannot be written.
    """
    fields = {**vars(beat), "written": beat.written.isoformat()}
    storage.write_atomic(_name(study, number, "heartbeat"), _encode(fields))


def is_alive(
    storage: Storage, study: str, record: LeaseRecord, clock: Clock = SYSTEM_CLOCK
) -> bool | None:
    """Whether a study's driver is alive; None if that cannot be said, as its last sign is old."""
    beat = read_heartbeat(storage, study, record.number)
    if beat is not None and beat.released:
        return False
    here = exists_here(record.process)
    if here is not None:
        return here
    written = record.taken if beat is None else beat.written
    return True if (clock.now() - written).total_seconds() < LAPSE_SECONDS else None


def driver_mark(number: int, count: int) -> str:
    """What stands in the name of a table's file that a driver writes: its `count`-th, from 1."""
    return f"d{number:06d}-{count:08d}"


@dataclass(frozen=True)
class Accepted:
    """Which files of a study's drivers count.

    Attributes:
        since: Of this driver and of later ones, all do.
        counts: Of each driver before it, as many as this; of one that is not named, none.
    """

    since: int = 0
    counts: Mapping[int, int] = field(default_factory=dict)

    def __contains__(self, file: str) -> bool:
        """Whether a file of a table counts, by its name; one that no driver wrote always does."""
        match = _DRIVER_FILE.fullmatch(file)
        if match is None or int(match[1]) >= self.since:
            return True
        return int(match[2]) <= self.counts.get(int(match[1]), 0)


def accept(storage: Storage, study: str, number: int, files: Iterable[str]) -> None:
    """Say that of the files of drivers before one, those that are there count, and no others.

    Args:
        storage: Where the study is.
        study: Its name.
        number: The driver that has taken over; its lease has been created.
        files: Names of all files in the study's tables, listed after that.

    Raises:
        OSError: The storage cannot be written.
    """
    before = read_accepted(storage, study)
    counts: dict[int, int] = {}
    for match in (_DRIVER_FILE.fullmatch(file) for file in files if file in before):
        if match and int(match[1]) < number:
            # A driver writes one file after another: all up to its highest number are there.
            counts[int(match[1])] = max(counts.get(int(match[1]), 0), int(match[2]))
    fields = {str(driver): count for driver, count in sorted(counts.items())}
    storage.write_atomic(_name(study, number, "accepted"), _encode(fields))


def read_accepted(storage: Storage, study: str) -> Accepted:
    """Which files of drivers count. Read it after the files were listed."""
    names = (_ACCEPTED.fullmatch(name) for name in storage.files(join(study, FOLDER)))
    since = max((int(match[1]) for match in names if match), default=0)
    if not since:
        return Accepted()
    fields = json.loads(storage.read(_name(study, since, "accepted")))
    return Accepted(since, {int(driver): count for driver, count in fields.items()})


def _name(study: str, number: int, kind: str) -> str:
    return join(study, FOLDER, f"{number:06d}.{kind}")


def _encode(fields: Mapping[str, Any]) -> bytes:
    return json.dumps(fields, indent=1).encode()
