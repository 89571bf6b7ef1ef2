"""Images from a trial's checkpoint, without Ray."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from study.results.storage import Storage
from study.trained.load import load_trial


def sample_trial(
    storage: Storage, study: str, trial: int, count: int, seed: int = 0
) -> NDArray[np.uint8]:
    """Generate images with a trial's averaged weights, and the sampler that scored it.

    Returns:
        [count, C, H, W] uint8.

    Raises:
        UserError: There is no such study, trial or checkpoint.
    """
    return load_trial(storage, study, trial).generate(count, seed).cpu().numpy()
