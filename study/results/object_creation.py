"""Creating an object that is not there yet, in a store that can only put, list and delete.

Arrow has no conditional put, and not every store that speaks S3 keeps one. But object stores list
what has been put. Each creator puts a mark beside the object, then lists: whoever finds its mark
alone may put the object, and takes its mark away only after that. Whoever finds another's mark
withdraws, and tries again a little later.
"""

from __future__ import annotations

import random
import time
import uuid

from pyarrow import fs as pafs

ATTEMPTS = 20
MARK_SECONDS = 60.0
"""A mark that is older than another by this was left by somebody who died."""


def create_by_marks(filesystem: pafs.FileSystem, path: str, data: bytes) -> bool:
    """Put an object that is not there yet; of several processes that try at once, one does.

    Args:
        filesystem: The store.
        path: The object's path there.
        data: Its content.

    Returns:
        Whether this call put it.

    Raises:
        OSError: The store cannot be reached or written.
    """
    for attempt in range(ATTEMPTS):
        if _exists(filesystem, path):
            return False
        began = time.monotonic()
        mark = f"{_prefix(path)}{uuid.uuid4().hex}"
        _put(filesystem, mark, b"")
        try:
            # Asked after the listing: a rival that is done has left the object.
            alone = not _has_rivals(filesystem, path, mark) and not _exists(filesystem, path)
            if alone and time.monotonic() - began < MARK_SECONDS / 2:
                _put(filesystem, path, data)
                return True
        finally:
            filesystem.delete_file(mark)
        time.sleep(random.uniform(0, 0.01 * 2 ** min(attempt, 6)))
    return False


def _has_rivals(filesystem: pafs.FileSystem, path: str, mark: str) -> bool:
    """Whether a listing shows another's mark, or is too old to show this one's."""
    folder, _, prefix = _prefix(path).rpartition("/")
    # By base names: some stores list paths with a slash in front.
    marks = {
        info.base_name: info.mtime
        for info in filesystem.get_file_info(pafs.FileSelector(folder, allow_not_found=True))
        if info.base_name.startswith(prefix)
    }
    own = mark.rpartition("/")[2]
    if own not in marks:
        return True
    mine = marks.pop(own)  # by the store's clock, as theirs
    return any(
        mine is None or other is None or (mine - other).total_seconds() < MARK_SECONDS
        for other in marks.values()
    )


def _prefix(path: str) -> str:
    """How the marks of an object's creators begin; listings of a storage leave them out."""
    folder, _, base = path.rpartition("/")
    return f"{folder}/.{base}.creating-"


def _exists(filesystem: pafs.FileSystem, path: str) -> bool:
    return bool(filesystem.get_file_info(path).type != pafs.FileType.NotFound)


def _put(filesystem: pafs.FileSystem, path: str, data: bytes) -> None:
    with filesystem.open_output_stream(path) as stream:
        stream.write(data)
