"""Names in the storage of a trial's checkpoints and sample grids.

    checkpoints/trial-0003-epoch-00002-9c1e5b0a7f3d2e48.safetensors

The last part is a digest of the content: damage is noticed, and what two drivers write of one trial
has two names unless it is the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from study.results.content_digest import content_digest
from study.results.storage import Storage, join

_NAME = re.compile(
    r"trial-(?P<trial>\d+)-epoch-(?P<epoch>\d+)"
    r"(?:\.pt|-(?P<digest>[0-9a-f]{16})\.safetensors)"  # .pt: of version 0.1.0
)


def checkpoint_name(study: str, trial: int, epoch: int, data: bytes) -> str:
    """Name of the state of a trial after a number of whole epochs."""
    file = f"trial-{trial:04d}-epoch-{epoch:05d}-{content_digest(data)}.safetensors"
    return join(study, "checkpoints", file)


def samples_name(study: str, trial: int, epoch: int) -> str:
    """Name of the grid of a trial's samples at an epoch."""
    return join(study, "samples", f"trial-{trial:04d}-epoch-{epoch:05d}.png")


def is_damaged(name: str, data: bytes) -> bool:
    """Whether a checkpoint's content is not that which its name was made of."""
    digest = _match(name)["digest"]
    return digest is not None and digest != content_digest(data)


def checkpoint_epoch(name: str) -> int:
    """The epoch in a checkpoint's name."""
    return int(_match(name)["epoch"])


def checkpoint_trial(name: str) -> int | None:
    """The trial in a checkpoint's name; None if a file is no checkpoint."""
    match = _NAME.fullmatch(name.rpartition("/")[2])
    return None if match is None else int(match["trial"])


def checkpoints(storage: Storage, study: str) -> dict[int, list[str]]:
    """Names of all checkpoints of a study, by trial, those of earlier epochs first."""
    names: dict[int, list[str]] = {}
    folder = join(study, "checkpoints")
    for file in storage.files(folder):
        match = _NAME.fullmatch(file)
        if match is not None:
            names.setdefault(int(match["trial"]), []).append(join(folder, file))
    return {trial: sorted(files, key=checkpoint_epoch) for trial, files in names.items()}


def delete_files(storage: Storage, names: Iterable[str]) -> None:
    """Delete files; one that is not there is deleted already."""
    for name in names:
        try:
            storage.delete(name)
        except FileNotFoundError:
            continue


def _match(name: str) -> re.Match[str]:
    match = _NAME.fullmatch(name.rpartition("/")[2])
    assert match is not None, name
    return match
