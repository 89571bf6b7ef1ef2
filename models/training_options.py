"""How to train: the options of the training loop, checked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from models.augmentation import Augmentation
from models.optimizers import OPTIMIZERS, Decay, rate_share
from models.precision import Precision


@dataclass(frozen=True)
class TrainingOptions:
    """How to train.

    Attributes:
        batch_size: Images in a batch, over all workers.
        learning_rate: The optimizer's, at its full height.
        seed: Chooses the order of the images and the draws of the family.
        optimizer: A name in `OPTIMIZERS`.
        optimizer_options: Its own options.
        weight_decay: The optimizer's.
        clip_norm: Scale the gradient down to this norm where it is longer; None leaves it as it is.
        ema_half_life: Of the weight average, in images seen.
        ema_ramp: The half-life's upper bound, as a share of the images seen.
        warmup_images: Images over which the learning rate rises.
        decay: `cosine` lets it fall to 0 at `total_images`.
        total_images: Images seen in the whole run; needed for the decay.
        l1: Weight of the penalty sum |w|.
        l2: Weight of the penalty sum w^2.
        precision: Of the networks' arithmetic, see `models.precision`.
        compile: Compile the networks with torch.compile; takes a C++ compiler, and a minute.
        augmentation: Random changes to the images learned from.
    """

    batch_size: int
    learning_rate: float
    seed: int
    optimizer: str = "adam"
    optimizer_options: Mapping[str, Any] = field(default_factory=dict)
    weight_decay: float = 0.0
    clip_norm: float | None = 1.0
    ema_half_life: float = 2_000.0
    ema_ramp: float = 0.05
    warmup_images: int = 0
    decay: Decay = "none"
    total_images: int = 0
    l1: float = 0.0
    l2: float = 0.0
    precision: Precision = "auto"
    compile: bool = False
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ValueError: If one is unknown or out of its range.
        """
        _require("batch_size", self.batch_size, self.batch_size >= 1, ">= 1")
        _require("learning_rate", self.learning_rate, 0 < self.learning_rate < math.inf, "> 0")
        for name in ("weight_decay", "l1", "l2"):
            _require(name, getattr(self, name), 0 <= getattr(self, name) < math.inf, ">= 0")
        _require(
            "clip_norm",
            self.clip_norm,
            self.clip_norm is None or self.clip_norm > 0,
            "> 0, or none",
        )
        _require("ema_half_life", self.ema_half_life, self.ema_half_life >= 0, ">= 0")
        _require("ema_ramp", self.ema_ramp, self.ema_ramp > 0, "> 0")
        _require("warmup_images", self.warmup_images, self.warmup_images >= 0, ">= 0")
        for name, known in (
            ("optimizer", tuple(OPTIMIZERS)),
            ("decay", get_args(Decay)),
            ("precision", get_args(Precision)),
        ):
            value = getattr(self, name)
            _require(name, repr(value), value in known, f"one of {', '.join(known)}")
        _require(
            "total_images",
            self.total_images,
            self.decay == "none" or self.total_images > self.warmup_images,
            f"> `warmup_images` ({self.warmup_images}) for the learning rate to decay",
        )

    def rate_at(self, images_seen: int) -> float:
        """The learning rate of the batch after `images_seen` images."""
        return self.learning_rate * rate_share(
            images_seen,
            warmup_images=self.warmup_images,
            decay=self.decay,
            total_images=self.total_images,
        )


def _require(name: str, value: object, holds: bool, rule: str) -> None:
    if not holds:
        raise ValueError(f"The value of `{name}` is {value}, but must be {rule}")
