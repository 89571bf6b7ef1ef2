"""Images from a trial's checkpoint, without Ray."""

from __future__ import annotations

import json

import numpy as np
import torch
from numpy.typing import NDArray

from models.build import build_family
from models.sampling import generate
from study.execution.checkpoints import read_checkpoint
from study.execution.names import newest_checkpoint
from study.results.query import query
from study.results.storage import Storage
from study.spec import Study, UserError


def sample_trial(
    storage: Storage, study: str, trial: int, count: int, seed: int = 0
) -> NDArray[np.uint8]:
    """Generate images with a trial's averaged weights, and the sampler that scored it.

    Returns:
        [count, C, H, W] uint8.

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
        raise UserError(
            f"trial {trial} of study '{study}' ({state}) left no checkpoint to sample from"
        )
    spec = Study.model_validate(json.loads(rows["spec"][0].as_py()))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    family = build_family(spec.model.model_dump(mode="json"), spec.data.image_shape, seed=0).to(
        device
    )
    family.load_state_dict(read_checkpoint(storage, name, device)["training"]["ema"])
    images = generate(family, count, sampler=spec.score.sampler, steps=spec.score.steps, seed=seed)
    return images.cpu().numpy()
