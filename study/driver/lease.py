"""Holding a study: one driver at a time, with signs of life for the others."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

from study.results.clock import SYSTEM_CLOCK, Clock
from study.results.lease_record import (
    HEARTBEAT_SECONDS,
    Heartbeat,
    LeaseRecord,
    accept,
    create_lease,
    is_alive,
    newest_number,
    read_heartbeat,
    read_lease,
    write_heartbeat,
)
from study.results.outage import StorageUnavailable
from study.results.patience import Patience
from study.results.process import this_process
from study.results.storage import Storage, join
from study.results.tables import TABLES
from study.spec.errors import UserError


class LeaseLost(UserError):
    """Another driver has taken the study over: nothing more of this one counts."""


class StudyGone(UserError):
    """The study's folder was deleted, or is no longer there: there is nothing to write into."""


class Lease:
    """A study that this process runs, until it is released or another one takes it over.

    Args:
        storage: Where the study is.
        study: Its name.
        record: This driver's record, which is in the storage.
        clock: Says when signs of life are given.

    Attributes:
        planned: How many trials the search has in all, for who looks at the study; 0 at first.
    """

    def __init__(
        self, storage: Storage, study: str, record: LeaseRecord, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self.record = record
        self.planned = 0
        self._storage = storage
        self._study = study
        self._clock = clock
        self._beats = 0

    @property
    def number(self) -> int:
        """Number of this driver of the study, from 1."""
        return self.record.number

    def check(self) -> None:
        """Make sure that the study is still this driver's.

        What is deleted must be checked for after the last row was written: see `take_lease`.

        Raises:
            LeaseLost: It is not.
            StudyGone: It is no longer in the storage.
            OSError: The storage cannot be read.
        """
        newest = newest_number(self._storage, self._study)
        if newest < self.number or not self._storage.has_study(self._study):
            raise StudyGone(
                f"The study '{self._study}' is no longer in {self._storage.uri}: its folder was "
                "deleted or moved while it ran, so that this run has ended"
            )
        if newest > self.number:
            newer = read_lease(self._storage, self._study)
            by = "" if newer is None else f" by {newer.process}"
            raise LeaseLost(f"The study '{self._study}' was taken over{by}: this run has ended")

    def beat(self) -> None:
        """Give a sign of life.

        Raises:
            LeaseLost: The study is not this driver's any more.
            StudyGone: It is no longer in the storage.
            OSError: The storage cannot be written.
        """
        self.check()  # a sign in a folder that was deleted would make it again
        self._beats += 1
        beat = Heartbeat(self._clock.now(), self._beats, planned=self.planned)
        write_heartbeat(self._storage, self._study, self.number, beat)

    def release(self) -> None:
        """Give the study back: the next driver need not wait.

        Raises:
            LeaseLost: The study is not this driver's any more.
            StudyGone: It is no longer in the storage.
            OSError: The storage cannot be written.
        """
        self.check()
        beat = Heartbeat(self._clock.now(), self._beats + 1, True, self.planned)
        write_heartbeat(self._storage, self._study, self.number, beat)


class HeldLease:
    """A context in which a lease gives signs of life by itself; it is released at the end.

    Args:
        lease: What is held.
        patience: Notes when a sign cannot be given, since the storage is away.

    Attributes:
        lost: Called once if the study is not this driver's any more, with the error; on a thread.
    """

    def __init__(self, lease: Lease, patience: Patience | None = None) -> None:
        self.lease = lease
        self.patience = patience or Patience()
        self.lost: Callable[[UserError], None] | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> Lease:
        """The lease."""
        self._thread.start()
        return self.lease

    def __exit__(self, *exception: object) -> None:
        """Release it."""
        self.release()

    def release(self) -> None:
        """Give no more signs of life, and the study back."""
        self._ended.set()
        self._thread.join()
        # The storage is away: the lease lapses. Or the study is another's, who has said so.
        with contextlib.suppress(OSError, UserError):
            self.lease.release()

    def _beat(self) -> None:
        while not self._ended.wait(HEARTBEAT_SECONDS):
            try:
                self.patience.once("a sign of life", self.lease.beat)
            except StorageUnavailable:
                continue  # so it may be for those who would take over
            except UserError as error:
                if self.lost is not None:
                    self.lost(error)
                return


def take_lease(
    storage: Storage, study: str, *, takeover: bool = False, clock: Clock = SYSTEM_CLOCK
) -> Lease:
    """Become the driver of a study.

    An earlier driver that comes back to life finds this one's record at its next check. Rows that
    it writes before it looks are not accepted. What it deletes, it deletes only after a check that
    follows its last row: either that row is among those accepted here, or the check fails.

    Args:
        storage: Where the study is.
        study: Its name; its folder is there.
        takeover: Take it over from a driver that seems to be alive.
        clock: Says when.

    Raises:
        UserError: Another driver holds the study.
        OSError: The storage cannot be written.
    """
    held = read_lease(storage, study)
    if held is not None and not takeover:
        _refuse_if_alive(storage, study, held, clock)
    number = 1 if held is None else held.number + 1
    record = LeaseRecord(number, this_process(), clock.now())
    if not create_lease(storage, study, record):
        newer = read_lease(storage, study)
        assert newer is not None
        raise UserError(_in_use(study, newer, "just now"))
    files = [name for table in TABLES for name in storage.files(join(study, table))]
    accept(storage, study, number, files)
    lease = Lease(storage, study, record, clock)
    lease.beat()
    return lease


def _refuse_if_alive(storage: Storage, study: str, held: LeaseRecord, clock: Clock) -> None:
    alive = is_alive(storage, study, held, clock)
    last = read_heartbeat(storage, study, held.number)
    if alive is None:
        # Clocks of two machines may differ: a driver that is alive gives another sign soon.
        deadline = clock.seconds() + 2 * HEARTBEAT_SECONDS
        pause = threading.Event()
        while clock.seconds() < deadline and not alive:
            pause.wait(0.5)
            alive = read_heartbeat(storage, study, held.number) != last
    if alive:
        ago = (clock.now() - (held.taken if last is None else last.written)).total_seconds()
        raise UserError(_in_use(study, held, f"{max(0, round(ago))} s ago"))


def _in_use(study: str, record: LeaseRecord, ago: str) -> str:
    return (
        f"The study '{study}' is run by {record.process}, whose last sign of life was {ago}: "
        "stop it there, or take it over with --takeover"
    )
