"""A trial's checkpoints and sample grids in the storage: their names, writing and reading."""

from __future__ import annotations

import io
import re
from typing import Any

import torch

from study.execution.messages import StoredFile
from study.results.storage import Storage, join

_NAME = re.compile(r"trial-(\d+)-epoch-(\d+)\.pt")


def checkpoint_name(study: str, trial: int, epoch: int) -> str:
    """Where the state of a trial after so many whole epochs is kept."""
    return join(study, "checkpoints", f"trial-{trial:04d}-epoch-{epoch:05d}.pt")


def samples_name(study: str, trial: int, epoch: int) -> str:
    """Where the grid of a trial's samples at an epoch is kept."""
    return join(study, "samples", f"trial-{trial:04d}-epoch-{epoch:05d}.png")


def write_checkpoint(storage: Storage, name: str, state: dict[str, Any]) -> StoredFile:
    """Write tensors and plain values, under a temporary name first."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    data = buffer.getvalue()
    storage.write_atomic(name, data)
    return StoredFile(name, len(data))


def read_checkpoint(storage: Storage, name: str, device: torch.device | str) -> dict[str, Any]:
    """Read a checkpoint; only tensors and plain values are ever unpickled.

    Raises:
        FileNotFoundError: There is none of that name.
    """
    state = torch.load(io.BytesIO(storage.read(name)), map_location=device, weights_only=True)
    assert isinstance(state, dict)
    return state


def newest_checkpoint(storage: Storage, study: str, trial: int) -> str | None:
    """Name of the trial's latest checkpoint, or None."""
    found = [_NAME.fullmatch(name) for name in storage.files(join(study, "checkpoints"))]
    epochs = [int(match[2]) for match in found if match and int(match[1]) == trial]
    return checkpoint_name(study, trial, max(epochs)) if epochs else None


def drop_older(storage: Storage, name: str) -> None:
    """Delete the trial's checkpoints of earlier epochs than this one."""
    folder, _, file = name.rpartition("/")
    this = _NAME.fullmatch(file)
    assert this is not None
    for other in storage.files(folder):
        match = _NAME.fullmatch(other)
        if match and int(match[1]) == int(this[1]) and int(match[2]) < int(this[2]):
            storage.delete(join(folder, other))
