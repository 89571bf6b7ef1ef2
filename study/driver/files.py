"""Names in the storage of a trial's checkpoints and sample grids."""

from __future__ import annotations

import re

from study.results.storage import Storage, join

_NAME = re.compile(r"trial-(\d+)-epoch-(\d+)\.pt")


def checkpoint_name(study: str, trial: int, epoch: int) -> str:
    """Name of the state of a trial after a number of whole epochs."""
    return join(study, "checkpoints", f"trial-{trial:04d}-epoch-{epoch:05d}.pt")


def samples_name(study: str, trial: int, epoch: int) -> str:
    """Name of the grid of a trial's samples at an epoch."""
    return join(study, "samples", f"trial-{trial:04d}-epoch-{epoch:05d}.png")


def newest_checkpoint(storage: Storage, study: str, trial: int) -> str | None:
    """Name of the trial's latest checkpoint, or None."""
    matches = [_NAME.fullmatch(name) for name in storage.files(join(study, "checkpoints"))]
    epochs = [int(match[2]) for match in matches if match and int(match[1]) == trial]
    return checkpoint_name(study, trial, max(epochs)) if epochs else None


def checkpoint_epoch(name: str) -> int:
    """The epoch in a checkpoint's name."""
    match = _NAME.fullmatch(name.rpartition("/")[2])
    assert match is not None
    return int(match[2])


def drop_older(storage: Storage, name: str) -> None:
    """Delete the trial's checkpoints of earlier epochs than this one."""
    folder, _, file = name.rpartition("/")
    this = _NAME.fullmatch(file)
    assert this is not None
    for other in storage.files(folder):
        match = _NAME.fullmatch(other)
        if match and int(match[1]) == int(this[1]) and int(match[2]) < int(this[2]):
            storage.delete(join(folder, other))
