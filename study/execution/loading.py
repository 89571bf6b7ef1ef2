"""A trained trial, read back from the storage. Knows no Ray."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from models.family import Family
from models.precision import in_precision
from models.sampling import generate
from study.execution.building import build_model
from study.execution.checkpoints import read_checkpoint
from study.execution.names import checkpoint_epoch, newest_checkpoint
from study.execution.workbench import TrainingImages, Workbench
from study.results.query import query
from study.results.storage import Storage
from study.scoring import Scorer
from study.spec import Sampling, Study, UserError


@dataclass(frozen=True, eq=False)
class LoadedTrial:
    """A trial's averaged weights, with all that its score was made with.

    Attributes:
        epoch: Of the weights.
        spec: The trial's filled-in study.
        family: In evaluation mode, on a GPU if there is one.
        images: What it was trained on and compared with.
        scorer: Prepares the scorer of its study.
    """

    study: str
    trial: int
    epoch: int
    spec: Study
    family: Family
    images: TrainingImages
    scorer: Callable[[], Scorer]

    @property
    def sampling(self) -> Sampling:
        """The sampler that scored it."""
        return self.spec.sampling

    def generate(self, count: int, seed: int) -> Tensor:
        """Images made as those that were scored, uint8 [count, C, H, W] on the family's device."""
        how = self.sampling
        with in_precision(self.spec.train.precision, self.family.device):
            return generate(
                self.family,
                count,
                sampler=how.sampler,
                steps=how.steps,
                seed=seed,
                options=how.options,
            )


def load_trial(storage: Storage, study: str, trial: int) -> LoadedTrial:
    """Read a trial's last checkpoint.

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
    name = newest_checkpoint(storage, study, trial)
    if name is None:
        state = rows["state"][0].as_py()
        raise UserError(f"trial {trial} of study '{study}' ({state}) left no checkpoint")
    spec = Study.model_validate(json.loads(rows["spec"][0].as_py()))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    bench = Workbench(storage, device)
    family = build_model(spec, 0, bench.towards(spec)).to(device)
    family.load_state_dict(read_checkpoint(storage, name, device)["training"]["ema"])
    return LoadedTrial(
        study=study,
        trial=trial,
        epoch=checkpoint_epoch(name),
        spec=spec,
        family=family.eval().requires_grad_(False),
        images=bench.images(spec.data),
        scorer=lambda: bench.scorer(spec.data, spec.score),
    )
