"""Files of a folder or a network share that readers see whole or not at all."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import pyarrow as pa


def replace_file(target: Path, data: bytes | pa.Buffer) -> None:
    """Write a file over any older one of that name; its folder is made if there is none.

    Raises:
        OSError: It cannot be written; the older one is as it was.
    """
    temporary = _beside(target)
    try:
        write_synced(temporary, data)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def create_file(target: Path, data: bytes) -> bool:
    """Write a file that is not there yet; of several processes that try at once, one does.

    Returns:
        Whether this call wrote it; else there is one of that name.

    Raises:
        OSError: It cannot be written.
    """
    temporary = _beside(target)
    try:
        write_synced(temporary, data)
        os.link(temporary, target)  # under a name that is free, or not at all, on a share too
    except FileExistsError:
        return False
    finally:
        temporary.unlink(missing_ok=True)
    return True


def write_synced(path: Path, data: bytes | pa.Buffer) -> None:
    """Write a file to the disk: else a power failure leaves a new name with no content."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _beside(target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    return target.with_name(f".{uuid.uuid4().hex}.tmp")
