"""Writing and reading a trial's checkpoints."""

from __future__ import annotations

import io
import pickle
from typing import Any

import torch

from study.driver.files import checkpoint_name, is_damaged
from study.driver.messages import StoredFile
from study.results.storage import Storage
from study.spec.errors import UserError
from study.worker.tensor_tree import from_safetensors, to_safetensors
from study.worker.workbench import Workbench


def write_checkpoint(
    bench: Workbench, study: str, trial: int, epoch: int, state: dict[str, Any]
) -> StoredFile:
    """Write tensors and plain values, under a name that says what is in the file.

    Args:
        bench: Writes to the study's storage.
        study: Its name.
        trial: The trial's number.
        epoch: Whole epochs trained so far.
        state: What is to be read again.

    Raises:
        StorageUnavailable: The storage cannot be written for longer than the bench waits.
    """
    data = to_safetensors(state)
    return bench.write(checkpoint_name(study, trial, epoch, data), data)


def read_checkpoint(storage: Storage, name: str, device: torch.device | str) -> dict[str, Any]:
    """Read a checkpoint; nothing in it is ever executed.

    Raises:
        FileNotFoundError: There is none of that name.
        UserError: It is not what was written.
    """
    return parse_checkpoint(storage.read(name), name, device)


def parse_checkpoint(data: bytes, name: str, device: torch.device | str) -> dict[str, Any]:
    """The content of a checkpoint's file.

    Raises:
        UserError: It is not what was written.
    """
    if is_damaged(name, data):
        raise UserError(f"The checkpoint {name} is damaged: its content was changed")
    try:
        if name.endswith(".pt"):  # of version 0.1.0; only tensors and plain values are unpickled
            state = torch.load(io.BytesIO(data), map_location=device, weights_only=True)
        else:
            state = from_safetensors(data, device)
    except (ValueError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        reason = " ".join(str(error).split())[:200] or "it ends early"
        raise UserError(f"The checkpoint {name} is damaged: {reason}") from error
    if not isinstance(state, dict):
        raise UserError(f"The checkpoint {name} is damaged: it holds a {type(state).__name__}")
    return state
