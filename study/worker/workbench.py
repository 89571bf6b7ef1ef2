"""What a lane keeps warm between trials: the images on its device, and the scorer."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from models.starts import MorphSet
from study.data import SPLITS, ImageSet, Preparation, Split, load_images, split, user_cache_folder
from study.driver.messages import StoredFile
from study.results.patience import Patience
from study.results.storage import Storage
from study.scoring import Scorer, prepare_scorer
from study.spec import Study
from study.spec.data import Data
from study.spec.study import Score

WRITE_SECONDS = 60.0
"""How long a file is tried to be written where nobody says otherwise."""


@dataclass(frozen=True, eq=False)
class TrainingImages:
    """A split data set, its training part on the device."""

    whole: ImageSet
    parts: Split
    on_device: Tensor  # uint8 [N, C, H, W]

    @property
    def digest(self) -> str:
        """Digest of the images trained on."""
        return self.parts.train.digest

    @cached_property
    def held_out(self) -> Tensor:
        """The images held out, uint8 [M, C, H, W] on the device, in an order of chance."""
        images = self.parts.held_out.tensor()
        generator = torch.Generator().manual_seed(0)  # a share of them must be of every kind
        return images[torch.randperm(len(images), generator=generator)].to(self.on_device.device)


@dataclass(frozen=True)
class _ScorerSettings:
    """All that a scorer depends on: not how its images are generated, how many, or when."""

    data: Data
    metric: str
    embedder: str
    also: tuple[str, ...]
    against: str
    seed: int

    @classmethod
    def of(cls, data: Data, score: Score) -> _ScorerSettings:
        return cls(data, score.metric, score.embedder_name, score.also, score.against, score.seed)


@dataclass
class Workbench:
    """One worker's warm state. It holds no weights, no optimiser and no random state of a trial.

    Args:
        storage: Where the study's results go; embedders and references are cached beside them.
        device: Where the images and the embedder live.
        patience: Waits while the storage cannot be written.
    """

    storage: Storage
    device: torch.device
    patience: Patience = field(default_factory=lambda: Patience(limit=WRITE_SECONDS))
    _sets: dict[tuple[str, Preparation], ImageSet] = field(default_factory=dict)
    _images: dict[Data, TrainingImages] = field(default_factory=dict)
    _towards: dict[tuple[str, Preparation], MorphSet] = field(default_factory=dict)
    _scorers: dict[_ScorerSettings, Scorer] = field(default_factory=dict)

    def images(self, data: Data) -> TrainingImages:
        """The images of a `data:` section; loaded once in the worker's life."""
        if data not in self._images:
            whole = self._load(data.dataset, _preparation(data))
            options = data.split.model_dump(exclude={"kind"})
            parts = split(whole, SPLITS[data.split.kind](**options), seed=data.seed)
            on_device = parts.train.tensor().to(self.device)
            self._images[data] = TrainingImages(whole, parts, on_device)
        return self._images[data]

    @property
    def remarks(self) -> tuple[str, ...]:
        """What people should know of the images that were loaded, each sentence once."""
        lines = [f"{each.name}: {line}" for each in self._sets.values() for line in each.remarks]
        return tuple(dict.fromkeys(lines))

    def towards(self, spec: Study) -> MorphSet | None:
        """The images that a morphing model degrades towards, on the device; None for others.

        They are prepared as the study's own are, but for their number. What is fitted to them is a
        function of them alone, and stays with them from trial to trial.
        """
        towards = getattr(spec.model, "towards", None)
        if towards is None:
            return None
        preparation = _preparation(spec.data, fraction=None, count=towards.count)
        key = (towards.dataset, preparation)
        if key not in self._towards:
            self._towards[key] = MorphSet(self._load(*key).tensor().to(self.device))
        return self._towards[key]

    def scorer(self, data: Data, score: Score) -> Scorer:
        """The scorer of a `score:` section; prepared once in the worker's life."""
        settings = _ScorerSettings.of(data, score)
        if settings not in self._scorers:
            self._scorers[settings] = self._prepared(settings)
        return self._scorers[settings]

    def write(self, name: str, data: bytes) -> StoredFile:
        """Write a file to the storage, as soon as that can be written.

        Raises:
            StorageUnavailable: It cannot be written for longer than the patience lasts.
        """
        self.patience.keep("a file", lambda: self.storage.write_atomic(name, data))
        return StoredFile(name, len(data))

    def _prepared(self, settings: _ScorerSettings) -> Scorer:
        images = self.images(settings.data)
        everything = settings.against == "everything"
        return prepare_scorer(
            metric=settings.metric,
            embedder=settings.embedder,
            also=settings.also,
            train=images.whole if everything else images.parts.train,
            held_out=images.whole if everything else images.parts.held_out,
            learned=images.parts.train,
            cache_folder=cache_folder(self.storage),
            device=self.device,
            seed=settings.seed,
        )

    def _load(self, dataset: str, preparation: Preparation) -> ImageSet:
        key = (dataset, preparation)
        if key not in self._sets:  # splits of one set share it
            self._sets[key] = load_images(dataset, preparation)
        return self._sets[key]


def _preparation(data: Data, **changes: object) -> Preparation:
    """How a `data:` section has pictures prepared."""
    keys = ("fit", "background", "edges", "fraction", "count", "on_error", "seed", "levels")
    # The networks' shape is the study's: a set in other colours is brought to it.
    channels, _, size = data.image_shape
    settings = {key: getattr(data, key) for key in keys}
    return Preparation(**{**settings, "channels": channels, "size": size, **changes})


def cache_folder(storage: Storage) -> Path:
    """Where embedders and reference statistics are cached.

    Beside the studies, so that all nodes of a cluster use one and the same embedder. An object
    store has no file locks: there the cache is the node's own.
    """
    return Path(storage.path(".cache")) if storage.is_local else user_cache_folder()
