"""Before a study goes on: what cannot be trusted in its storage is set aside, and told."""

from __future__ import annotations

from collections.abc import Iterable

from study.driver.files import checkpoints, is_damaged
from study.results.storage import Storage, join
from study.results.table_files import Damage, read_file, table_files
from study.results.tables import TABLES, TrialRow

FOLDER = "damaged"
"""Where it goes, below the study's folder."""


def set_aside_damaged_rows(storage: Storage, study: str) -> list[str]:
    """Take files of the tables away that are not what was written.

    Call it with the study's lease, before its rows are read.

    Returns:
        A line for each.

    Raises:
        OSError: The storage cannot be read or written.
    """
    lines = []
    for table in TABLES:
        for file in table_files(storage, study, table):
            content = read_file(storage, file)
            if isinstance(content, Damage):
                lines.append(_set_aside(storage, study, table, file, content.reason))
    return lines


def set_aside_damaged_checkpoints(
    storage: Storage, study: str, trials: Iterable[TrialRow]
) -> list[str]:
    """Take checkpoints away that are not what was written, of trials that are to go on.

    Args:
        storage: Where the study is.
        study: Its name.
        trials: The trials.

    Returns:
        A line for each.

    Raises:
        OSError: The storage cannot be read or written.
    """
    lines = []
    files = checkpoints(storage, study)
    for row in trials:
        for file in files.get(row.trial, []):
            if is_damaged(file, storage.read(file)):
                lines.append(_set_aside(storage, study, "checkpoints", file, "its content changed"))
    return lines


def has_lost_rows(storage: Storage, study: str) -> bool:
    """Whether rows of a study were ever lost, so that finished trials may lack some."""
    return any(storage.files(join(study, FOLDER, table)) for table in TABLES)


def _set_aside(storage: Storage, study: str, kind: str, file: str, reason: str) -> str:
    aside = join(study, FOLDER, kind, file.rpartition("/")[2])
    storage.move(file, aside)
    return f"{storage.locate(file)} is damaged ({reason}): it was moved to {storage.locate(aside)}"
