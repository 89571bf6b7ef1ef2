"""Trained trials, found in the storage. Imports no torch."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from study.driver.files import checkpoint_epoch, newest_checkpoint
from study.results.query import query
from study.results.storage import Storage, default_storage
from study.spec import Trained, TrainedTrial, UserError
from study.spec.weights import Weights


@dataclass(frozen=True)
class Found:
    """A trial that has weights.

    Attributes:
        spec: Its plain study, as it stands in the ledger.
        checkpoint: Name in the storage of its last checkpoint.
    """

    study: str
    trial: int
    spec: dict[str, Any]
    checkpoint: str

    @property
    def epoch(self) -> int:
        """Of the weights."""
        return checkpoint_epoch(self.checkpoint)


def find_trained(storage: Storage, study: str, trial: int) -> Found:
    """Find a trial's last checkpoint; of one that scored another's weights, that other's.

    Raises:
        UserError: There is no such study, trial or checkpoint.
    """
    storage.require(study)
    rows = query(storage, f"select spec, state from trials where trial = {trial:d}", [study])
    if rows.num_rows == 0:
        numbers = query(storage, "select min(trial) as a, max(trial) as b from trials", [study])
        low, high = numbers["a"][0].as_py(), numbers["b"][0].as_py()
        has = "has none yet" if low is None else f"has {low} to {high}"
        raise UserError(f"no trial {trial} in study '{study}', which {has}")
    spec = json.loads(rows["spec"][0].as_py())
    weights = spec.get("weights")
    name = newest_checkpoint(storage, study, trial) if weights is None else weights["checkpoint"]
    if name is None:
        state = rows["state"][0].as_py()
        raise UserError(f"trial {trial} of study '{study}' ({state}) left no checkpoint")
    return Found(study, trial, spec, name)


def trained_in(uri: str | None) -> Trained:
    """What finds the trial that the `weights:` of a study file name.

    Args:
        uri: The storage to look into, opened only when asked; None means where studies go by
            default.
    """

    def find(study: str, trial: int) -> TrainedTrial:
        storage = Storage.from_uri(uri or default_storage())
        found = find_trained(storage, study, trial)
        return TrainedTrial(found.spec, found.checkpoint, _digest(storage.read(found.checkpoint)))

    return find


def read_weights_file(storage: Storage, weights: Weights) -> bytes:
    """The checkpoint that a study scores.

    Raises:
        UserError: It is gone, or not the one that the study was written for.
    """
    assert weights.checkpoint is not None  # a study that was read is complete in itself
    whose = f"of trial {weights.trial} of study '{weights.study}'"
    try:
        data = storage.read(weights.checkpoint)
    except FileNotFoundError:
        raise UserError(
            f"the checkpoint {weights.checkpoint} {whose} is not in {storage.uri}"
        ) from None
    if _digest(data) != weights.digest:
        raise UserError(
            f"the checkpoint {weights.checkpoint} {whose} has changed since this study was made"
        )
    return data


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
