"""Which study a name means: the one of that name, or the newest."""

from __future__ import annotations

from datetime import UTC, datetime

from pyarrow import fs as pafs

from study.results.ledger import file_time
from study.results.storage import STUDY_FILE, Storage, join
from study.spec.errors import UserError

NEWEST = "newest"
"""What stands for the newest study, where no study has this name."""


def resolve_study(storage: Storage, name: str | None = None) -> str:
    """The name of the study that is meant; it is in the storage.

    Args:
        storage: Where the study is.
        name: Its name; None, or `NEWEST` where no study is called so, means the newest.

    Raises:
        UserError: There is no such study (the message names the nearest), or none at all.
    """
    if name is None or (name == NEWEST and not storage.has_study(name)):
        return newest_study(storage)
    try:
        storage.require(name)
    except UserError as error:
        if not name.isdecimal():
            raise
        # Somebody leaves out the name, and means a trial.
        raise UserError(
            f"{error} A trial of the newest study is written `{NEWEST} {name}`"
        ) from None
    return name


def newest_study(storage: Storage) -> str:
    """Name of the study that was begun last.

    A study begins when the first row of a trial is written, which the file's name says; before
    that, when its name was claimed. No table is read.

    Raises:
        UserError: There is no study in this storage.
    """
    names = storage.studies()
    if not names:
        raise UserError(
            f"No study is in {storage.uri}: `study run quickstart` makes one, and --storage names "
            "another place"
        )
    return max(names, key=lambda name: (_begun(storage, name), name))


def _begun(storage: Storage, study: str) -> datetime:
    files = storage.files(join(study, "trials"))
    times = [time for time in map(file_time, files) if time is not None]
    if times:
        return min(times)
    info: pafs.FileInfo = storage.filesystem.get_file_info(storage.path(join(study, STUDY_FILE)))
    claimed: datetime | None = info.mtime
    return claimed or datetime.min.replace(tzinfo=UTC)
