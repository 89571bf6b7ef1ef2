"""What a lane keeps warm between trials: the images on its device, and the scorer."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from study.data import Split, load_images, split, user_cache_folder
from study.results.storage import Storage
from study.scoring import Scorer, prepare_scorer
from study.spec.study import Data, Score


@dataclass(frozen=True, eq=False)
class TrainingImages:
    """A split data set, its training part on the device."""

    parts: Split
    on_device: Tensor  # uint8 [N, C, H, W]

    @property
    def digest(self) -> str:
        """Digest of the images trained on."""
        return self.parts.train.digest


@dataclass
class Workbench:
    """One worker's warm state. It holds no weights, no optimiser and no random state of a trial.

    Args:
        storage: Where the study's results go; embedders and references are cached beside them.
        device: Where the images and the embedder live.
    """

    storage: Storage
    device: torch.device
    _images: dict[Data, TrainingImages] = field(default_factory=dict)
    _scorers: dict[tuple[Data, str, int], Scorer] = field(default_factory=dict)

    def images(self, data: Data) -> TrainingImages:
        """The images of a `data:` section; loaded once in the worker's life."""
        if data not in self._images:
            parts = split(
                load_images(data.dataset, size=data.size), held_out=data.held_out, seed=data.seed
            )
            self._images[data] = TrainingImages(parts, parts.train.tensor().to(self.device))
        return self._images[data]

    def scorer(self, data: Data, score: Score) -> Scorer:
        """The scorer of a `score:` section; prepared once in the worker's life."""
        key = (data, score.metric, score.seed)
        if key not in self._scorers:
            parts = self.images(data).parts
            self._scorers[key] = prepare_scorer(
                metric=score.metric,
                train=parts.train,
                held_out=parts.held_out,
                cache_folder=cache_folder(self.storage),
                device=self.device,
                seed=score.seed,
            )
        return self._scorers[key]


def cache_folder(storage: Storage) -> Path:
    """Where embedders and reference statistics are cached.

    Beside the studies, so that all nodes of a cluster use one and the same embedder. An object
    store has no file locks: there the cache is the node's own.
    """
    return Path(storage.path(".cache")) if storage.is_local else user_cache_folder()
