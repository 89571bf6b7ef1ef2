"""The weights of trained trials, looked up in the storage. Imports no torch."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from study.driver.files import checkpoint_epoch
from study.results.reader import read_rows
from study.results.storage import Storage, default_storage
from study.results.tables import TrialRow
from study.spec import FindTrial, TrainedTrial, UserError
from study.spec.weights import Weights


@dataclass(frozen=True)
class TrialWeights:
    """A trial that has weights.

    Attributes:
        study: The study's name.
        row: The trial's row in the ledger.
        checkpoint: Name in the storage of its last checkpoint.
    """

    study: str
    row: TrialRow
    checkpoint: str

    @property
    def trial(self) -> int:
        """The trial's number."""
        return self.row.trial

    @property
    def epoch(self) -> int:
        """Of the weights."""
        return checkpoint_epoch(self.checkpoint)


def find_weights(storage: Storage, study: str, trial: int) -> TrialWeights:
    """Find a trial's last checkpoint; of one that scored another's weights, that other's.

    Raises:
        UserError: There is no such study, trial or checkpoint.
    """
    storage.require(study)
    row = next(iter(read_rows(storage, TrialRow, study, trial)), None)
    if row is None:
        numbers = [row.trial for row in read_rows(storage, TrialRow, study)]
        has = f"has {min(numbers)} to {max(numbers)}" if numbers else "has none yet"
        raise UserError(f"no trial {trial} in study '{study}', which {has}")
    weights = row.spec.get("weights")
    name = row.checkpoint if weights is None else weights["checkpoint"]
    if name is None or not storage.exists(name):
        raise UserError(f"trial {trial} of study '{study}' ({row.state}) left no checkpoint")
    return TrialWeights(study, row, name)


def trained_in(uri: str | None) -> FindTrial:
    """What finds the trial that the `weights:` of a study file name.

    Args:
        uri: The storage to look into, opened only when asked; None means where studies go by
            default.
    """

    def find(study: str, trial: int) -> TrainedTrial:
        storage = Storage.from_uri(uri or default_storage())
        weights = find_weights(storage, study, trial)
        digest = _digest(storage.read(weights.checkpoint))
        return TrainedTrial(dict(weights.row.spec), weights.checkpoint, digest)

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
