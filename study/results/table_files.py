"""The Parquet files of a table: their names, which of them count, and whether they are whole.

    20261127T104512123456Z-d000002-00000017-9c1e5b0a7f3d2e48.parquet   of the study's second driver
    20261127T104513654321Z-41f0c2a6d8b37e95.parquet                    of a command beside it

The last part is a digest of what was written, so that damage is noticed wherever it is in the file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import pyarrow as pa
from pyarrow import parquet

from study.results.content_digest import content_digest
from study.results.lease_record import driver_mark, read_accepted
from study.results.storage import Storage, join
from study.spec.errors import StudyWarning, UserError

# Version 0.1.0 had 12 random digits in the place of the digest.
_NAME = re.compile(
    r"\d{8}T\d{12}Z-(?:d\d{6}-\d{8}-)?(?P<digest>[0-9a-f]{12}|[0-9a-f]{16})\.parquet"
)


class DamagedFileWarning(StudyWarning):
    """A file of the ledger was left out, since it is not what was written."""


@dataclass(frozen=True)
class Damage:
    """A file that cannot be trusted.

    Attributes:
        file: Its name in the storage.
        reason: What is wrong with it.
        place: Where people find it.
    """

    file: str
    reason: str
    place: str

    def __str__(self) -> str:
        """One line."""
        return f"{self.place} is damaged ({self.reason}), and is left out"


def file_name(stamp: str, data: bytes | pa.Buffer, driver: tuple[int, int] | None = None) -> str:
    """Name for a new file.

    Args:
        stamp: When it is written; files sort by it.
        data: Its content.
        driver: Number of the study's driver that writes it, and how many it has written with this
            one; None if no driver does.
    """
    mark = "" if driver is None else f"-{driver_mark(*driver)}"
    return f"{stamp}{mark}-{content_digest(data)}.parquet"


def to_parquet(rows: pa.Table) -> pa.Buffer:
    """Rows as a file's content."""
    buffer = pa.BufferOutputStream()
    # Small files: statistics and dictionaries would be most of them.
    parquet.write_table(
        rows,
        buffer,
        compression="zstd",
        use_dictionary=False,
        write_statistics=False,
        write_page_checksum=True,
    )
    return buffer.getvalue()


def table_files(storage: Storage, study: str, table: str) -> list[str]:
    """Names in the storage of the files of a study's table that count, oldest first."""
    files = [name for name in storage.files(join(study, table)) if name.endswith(".parquet")]
    accepted = read_accepted(storage, study)
    return [join(study, table, name) for name in files if name in accepted]


def read_file(storage: Storage, file: str) -> pa.Table | Damage:
    """Read one file, if it is what was written.

    Raises:
        UserError: It vanished.
        OSError: The storage cannot be read.
    """
    try:
        data = storage.read(file)
    except FileNotFoundError:
        raise UserError(
            f"The file {storage.locate(file)} vanished while the ledger was read"
        ) from None
    match = _NAME.fullmatch(file.rpartition("/")[2])
    if match is None:
        return Damage(file, "it has no name of the ledger's", storage.locate(file))
    if len(match["digest"]) == 16 and match["digest"] != content_digest(data):
        return Damage(file, "its content was changed", storage.locate(file))
    try:
        source = pa.BufferReader(data)
        return parquet.ParquetFile(source, page_checksum_verification=True).read(use_threads=False)
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        return Damage(file, reason, storage.locate(file))
