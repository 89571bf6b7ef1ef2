"""A trained trial, read back from the storage, and images of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from models.family import Family
from models.precision import in_precision
from models.sampling import generate
from study.diagnostics.figures import counted
from study.driver.trial_weights import find_weights
from study.results.failures import have_all_failed
from study.results.image_grid import image_grid, titled
from study.results.leaderboard import read_leaderboard
from study.results.objective import scores_by_epoch
from study.results.picture_titles import picture_title
from study.results.reader import read_rows
from study.results.storage import Storage
from study.results.tables import ScoreRow, TrialRow
from study.scoring import Scorer
from study.spec import Sampling, Study, UserError
from study.worker.build import build_model
from study.worker.checkpoints import read_checkpoint
from study.worker.workbench import TrainingImages, Workbench


@dataclass(frozen=True, eq=False)
class LoadedTrial:
    """A trial's weights, with all that its score was made with.

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

    @property
    def sampler(self) -> str:
        """Its name: that of the family's own where the study says `auto`."""
        name = self.sampling.sampler
        return self.family.default_sampler if name == "auto" else name

    @property
    def sampling_text(self) -> str:
        """What makes its samples, in words."""
        return f"{self.sampler}, {counted(self.sampling.steps, 'step')}"

    def generate(self, count: int, seed: int) -> Tensor:
        """Images made as those that were scored, uint8 [count, C, H, W] on the family's device."""
        sampling = self.sampling
        with in_precision(self.spec.train.precision, self.family.device):
            return generate(
                self.family,
                count,
                sampler=sampling.sampler,
                steps=sampling.steps,
                seed=seed,
                options=sampling.options,
            )


def load_trial(
    storage: Storage,
    study: str,
    trial: int,
    *,
    averaged: bool = True,
    bench: Workbench | None = None,
) -> LoadedTrial:
    """Read a trial's last checkpoint.

    Args:
        storage: Where the study is.
        study: Its name.
        trial: The trial's number.
        averaged: Whether to take the averaged weights, or else those that training ended with.
        bench: Keeps images and scorers for several trials; by default one for this trial.

    Raises:
        UserError: There is no such study, trial or checkpoint.
    """
    weights = find_weights(storage, study, trial)
    spec = weights.row.study
    bench = bench or Workbench(storage, this_device())
    family = build_model(spec, 0, bench.towards(spec)).to(bench.device)
    saved = read_checkpoint(storage, weights.checkpoint, bench.device)["training"]
    family.load_state_dict(saved["ema" if averaged else "family"])
    return LoadedTrial(
        study=study,
        trial=trial,
        epoch=weights.epoch,
        spec=spec,
        family=family.eval().requires_grad_(False),
        images=bench.images(spec.data),
        scorer=lambda: bench.scorer(spec.data, spec.score),
    )


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


def sample_picture(
    storage: Storage, study: str, trial: int, count: int, seed: int = 0
) -> Image.Image:
    """The images of `sample_trial` in a grid, below a title that says whose they are.

    Raises:
        UserError: There is no such study, trial or checkpoint.
    """
    loaded = load_trial(storage, study, trial)
    images = loaded.generate(count, seed).cpu().numpy()
    score = weights_score(storage, loaded)
    title = picture_title(
        f"N = {count:,} samples by {loaded.sampling_text}, seed {seed}",
        study=study,
        trials=f"trial {trial} ({loaded.spec.model.family})",
        epoch=loaded.epoch,
        metric="no score" if score is None else score.metric,
        value=None if score is None else score.value,
        samples=None if score is None else score.samples,
    )
    return titled(image_grid(images, scale=max(1, 48 // images.shape[-1])), title)


def weights_score(storage: Storage, loaded: LoadedTrial) -> ScoreRow | None:
    """What a trial's weights scored in its study; None if they did not."""
    (trial,) = read_rows(storage, TrialRow, loaded.study, loaded.trial)
    rows = read_rows(storage, ScoreRow, loaded.study, loaded.trial)
    return scores_by_epoch(trial, rows).get(loaded.epoch)


def best_trial(storage: Storage, study: str) -> int:
    """The number of a study's best trial; of finalists, of the best one's best final run.

    Raises:
        UserError: There is no such study, it has no score yet, or its scores cannot be compared.
    """
    board = read_leaderboard(storage, study)
    leader = board.leader
    if leader is None:
        rows = board.rows.trials
        why = "every one failed" if have_all_failed(rows) else "name a trial"
        raise UserError(f"no trial of study '{study}' has a score yet: {why}")
    return leader.run


def this_device() -> torch.device:
    """The GPU, if this machine has one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
