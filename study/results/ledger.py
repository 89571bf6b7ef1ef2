"""Appending to a study's tables: buffered rows, one new Parquet file a flush."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

import pyarrow as pa

from study.results.clock import SYSTEM_CLOCK, Clock
from study.results.columns import COLUMNS, SCHEMAS, CheckedRow, check_row, concat, to_tables
from study.results.outage import StorageUnavailable
from study.results.patience import Patience
from study.results.storage import Storage, join
from study.results.table_files import file_name, to_parquet
from study.results.tables import END_STATES, TABLES, Row, Stamp, TrialRow, table_of
from study.spec.errors import UserError

# A trial that is seen to have ended must have its scores and reports there: trials go last.
_FLUSH_ORDER = tuple(reversed(TABLES))

_FILE_TIME = "%Y%m%dT%H%M%S%fZ"


def file_time(name: str) -> datetime | None:
    """When the last row in a file of the ledger was written, by the file's name, in UTC.

    None of a file that no ledger has written.
    """
    try:
        return datetime.strptime(name.partition("-")[0], _FILE_TIME).replace(tzinfo=UTC)
    except ValueError:
        return None


class Driver(Protocol):
    """Who holds the study that a ledger is of."""

    @property
    def number(self) -> int:
        """Which driver of the study it is, from 1."""

    def check(self) -> None:
        """Raise a `UserError` if it holds the study no more."""


class Ledger:
    """The writer of one study's tables. Threads may share it; each process opens its own.

    A flush writes one new file for each table that has rows, whole or not at all. It comes by
    itself when a trial begins or ends, and otherwise at most `max_age` seconds after a row was
    appended, so that fast trials do not write a file a row: at the next append, or in a context
    (`with`) by a thread, whatever comes next. Leaving the context flushes what is left.

    While the storage cannot be written, rows are kept, and a flush waits as long as `patience` has
    it: whoever appends goes no further than what is recorded.
    """

    def __init__(
        self,
        storage: Storage,
        study: str,
        max_age: float = 2.0,
        clock: Clock = SYSTEM_CLOCK,
        driver: Driver | None = None,
        patience: Patience | None = None,
    ) -> None:
        """Write nothing yet.

        Args:
            storage: Where the study is; `Storage.claim` has made its folder.
            study: Its name.
            max_age: Least time between two flushes that no trial asked for, in seconds.
            clock: Says when a row is written.
            driver: Who runs the study; None if the rows are not those of a run.
            patience: Waits while the storage cannot be written; None gives up at the first error.
        """
        self.storage = storage
        self.study = study
        self.max_age = max_age
        self._clock = clock
        self._driver = driver
        self.patience = patience or Patience(limit=0.0, clock=clock)
        self._lock = threading.RLock()
        self._appended = threading.Condition(self._lock)
        self._closed = False
        self._thread: threading.Thread | None = None
        self._rows: dict[str, list[CheckedRow]] = {table: [] for table in TABLES}
        self._flushed = -float("inf")
        self._written = datetime.min.replace(tzinfo=UTC)
        self._sequence = 0
        self._durable = -1
        self._files = 0

    def __enter__(self) -> Ledger:
        """The ledger itself."""
        self._thread = threading.Thread(target=self._flush_in_time, name="ledger", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        """Flush what is left, whatever ended the context; after an error it does not wait long."""
        if any(exception):
            self.patience.hurry()
        with self._lock:
            self._closed = True
            self._appended.notify_all()
        if self._thread is not None:
            self._thread.join()
        self.flush()

    @property
    def due(self) -> float | None:
        """When rows that wait are to be written, in the clock's seconds; None if none wait."""
        with self._lock:
            return self._flushed + self.max_age if any(self._rows.values()) else None

    @property
    def durable(self) -> int:
        """Number of the last row that is on disk, with all before it; -1 if none is."""
        return self._durable

    def check_driver(self) -> None:
        """Make sure that the study is still its driver's.

        Raises:
            UserError: Another driver has taken it over, or its folder is gone.
        """
        if self._driver is not None:
            self._driver.check()

    def append(self, *rows: Row) -> int:
        """Append rows to the tables they belong to; they are written together.

        Returns:
            The last row's number (see `durable`).

        Raises:
            ValueError: A value of the row has another type than its column: a bug in the caller.
            OSError: The storage cannot be written; the rows stay in the buffer.
            UserError: Another driver has taken the study over, or its folder is gone.
        """
        with self._lock:
            checked = []
            for row in rows:
                stamp = Stamp(study=self.study, written=self._now(), sequence=self._sequence)
                checked.append((table_of(type(row)), check_row(row, stamp)))
                self._sequence += 1
            for table, checked_row in checked:
                self._rows[table].append(checked_row)
            last = self._sequence - 1
            is_old = self._clock.seconds() - self._flushed >= self.max_age
            self._appended.notify_all()
        if is_old or any(map(_is_notable, rows)):
            self.flush()
        return last

    def flush(self) -> None:
        """Write what is in the buffer.

        Raises:
            OSError: The storage cannot be written; rows not yet written stay in the buffer.
            UserError: Another driver has taken the study over, or its folder is gone.
        """
        try:
            self.patience.keep("rows", self._write_all)
        except StorageUnavailable as error:
            raise StorageUnavailable(
                f"{error}; {self._unwritten()} not on disk: `study resume {self.study}` goes on "
                "from what is"
            ) from error

    def _write_all(self) -> None:
        with self._lock:
            if any(self._rows.values()):
                self.check_driver()
            for table in _FLUSH_ORDER:
                if self._rows[table]:
                    self._write(table, self._rows[table])
                    self._rows[table] = []
            self._flushed = self._clock.seconds()
            self._durable = self._sequence - 1

    def _unwritten(self) -> str:
        """How many rows are in the buffer, and of which trials."""
        with self._lock:
            rows = [row for rows in self._rows.values() for row in rows]
        columns = {table: [column.name for column in COLUMNS[table]] for table in TABLES}
        trials = sorted({int(str(row.core[columns[row.table].index("trial")])) for row in rows})
        names = ", ".join(map(str, trials[:10])) + (", ..." if len(trials) > 10 else "")
        which = f"trial {names}" if len(trials) == 1 else f"trials {names}"
        return f"1 row of {which} is" if len(rows) == 1 else f"{len(rows)} rows of {which} are"

    def _now(self) -> datetime:
        """The time, but never earlier than a row before: the newest row has to be the newest."""
        self._written = max(self._clock.now(), self._written + timedelta(microseconds=1))
        return self._written

    def _write(self, table: str, rows: Sequence[CheckedRow]) -> None:
        data = self._encode(rows)
        stamp = f"{self._written:{_FILE_TIME}}"
        writer: tuple[int, int] | None = None
        if self._driver is not None:
            self._files += 1  # one that could not be written leaves a gap, which does no harm
            writer = self._driver.number, self._files
        name = file_name(stamp, data, writer)
        self.storage.write_atomic(join(self.study, table, name), data)

    def _encode(self, rows: Sequence[CheckedRow]) -> bytes | pa.Buffer:
        """Rows of one table as a file's content."""
        return to_parquet(concat(to_tables(rows), SCHEMAS[rows[0].table]))

    def _flush_in_time(self) -> None:
        """Write rows that nothing else writes, as soon as they are old enough."""
        while self._wait_until_due():
            # Who appends next is told of an error; until then, try again.
            with contextlib.suppress(OSError, UserError):
                self.flush()
            self._flushed = self._clock.seconds()

    def _wait_until_due(self) -> bool:
        """Whether rows are due, or there will be no more."""
        with self._lock:
            while not self._closed:
                due = self.due
                wait = None if due is None else due - self._clock.seconds()
                if wait is not None and wait <= 0:
                    return True
                self._appended.wait(wait)
            return False


def _is_notable(row: Row) -> bool:
    """Whether a row says that a trial has begun or ended.

    A number that people have seen must not come back with another configuration.
    """
    return isinstance(row, TrialRow) and (row.epoch is None or row.state in END_STATES)
