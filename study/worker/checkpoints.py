"""Writing and reading a trial's checkpoints."""

from __future__ import annotations

import io
from typing import Any

import torch

from study.driver.messages import StoredFile
from study.results.storage import Storage


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
    return parse_checkpoint(storage.read(name), device)


def parse_checkpoint(data: bytes, device: torch.device | str) -> dict[str, Any]:
    """The content of a checkpoint's file; only tensors and plain values are ever unpickled."""
    state = torch.load(io.BytesIO(data), map_location=device, weights_only=True)
    assert isinstance(state, dict)
    return state
