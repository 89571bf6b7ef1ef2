"""Appending to a study's tables: buffered rows, one new Parquet file a flush."""

from __future__ import annotations

import threading
import uuid
from datetime import UTC, datetime, timedelta
from types import TracebackType

import pyarrow as pa
from pyarrow import parquet

from study.results.clock import SYSTEM_CLOCK, Clock
from study.results.columns import SCHEMAS, CheckedRow, check_row, concat, to_tables
from study.results.storage import Storage, join
from study.results.tables import END_STATES, TABLES, Row, Stamp, TrialRow, table_of

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


class Ledger:
    """The writer of one study's tables. Threads may share it; each process opens its own.

    A flush writes one new file for each table that has rows, whole or not at all. It comes by
    itself when a trial ends, and at any append at least `max_age` seconds after the last flush, so
    that fast trials do not write a file a row. Leaving the context flushes what is left.
    """

    def __init__(
        self, storage: Storage, study: str, max_age: float = 2.0, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        """Write nothing yet.

        Args:
            storage: Where the study is; `Storage.claim` has made its folder.
            study: Its name.
            max_age: Least time between two flushes that no ended trial asked for, in seconds.
            clock: Says when a row is written.
        """
        self.storage = storage
        self.study = study
        self.max_age = max_age
        self._clock = clock
        self._lock = threading.RLock()
        self._rows: dict[str, list[CheckedRow]] = {table: [] for table in TABLES}
        self._flushed = -float("inf")
        self._written = datetime.min.replace(tzinfo=UTC)
        self._sequence = 0

    def __enter__(self) -> Ledger:
        """The ledger itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Flush what is left, whatever ended the context."""
        self.flush()

    def append(self, row: Row) -> None:
        """Append a row to the table it belongs to.

        Raises:
            ValueError: A value of the row has another type than its column: a bug in the caller.
            OSError: The storage cannot be written; the rows stay in the buffer.
        """
        with self._lock:
            stamp = Stamp(study=self.study, written=self._now(), sequence=self._sequence)
            self._rows[table_of(type(row))].append(check_row(row, stamp))
            self._sequence += 1
            ended = isinstance(row, TrialRow) and row.state in END_STATES
            if ended or self._clock.seconds() - self._flushed >= self.max_age:
                self.flush()

    def flush(self) -> None:
        """Write what is in the buffer.

        Raises:
            OSError: The storage cannot be written; rows not yet written stay in the buffer.
        """
        with self._lock:
            for table in _FLUSH_ORDER:
                if self._rows[table]:
                    self._write(table, concat(to_tables(self._rows[table]), SCHEMAS[table]))
                    self._rows[table] = []
            self._flushed = self._clock.seconds()

    def _now(self) -> datetime:
        """The time, but never earlier than a row before: the newest row has to be the newest."""
        self._written = max(self._clock.now(), self._written + timedelta(microseconds=1))
        return self._written

    def _write(self, table: str, rows: pa.Table) -> None:
        buffer = pa.BufferOutputStream()
        # Small files: statistics and dictionaries would be most of them.
        parquet.write_table(
            rows, buffer, compression="zstd", use_dictionary=False, write_statistics=False
        )
        name = f"{self._written:{_FILE_TIME}}-{uuid.uuid4().hex[:12]}.parquet"
        self.storage.write_atomic(join(self.study, table, name), buffer.getvalue())
