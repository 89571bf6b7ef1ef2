"""A whole study, typed: the plain spec that a study file with its holes filled must be."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from study.spec.model import Model
from study.spec.names import DATASETS, METRIC_EMBEDDERS, nearest
from study.spec.search import Search
from study.spec.section import Misfit, Section


class Data(Section):
    """The real images, and which of them are held out for scoring."""

    dataset: str = Field(description=f"A data set by name: {', '.join(DATASETS)}.")
    size: int | None = Field(
        None, ge=8, le=128, description="Resize to this side in pixels; null keeps the native size."
    )
    held_out: float = Field(
        0.2,
        gt=0,
        lt=1,
        description="Share of the images that are only compared with, never trained on.",
    )
    seed: int = Field(0, ge=0, lt=2**32, description="Seed of the split.")

    @field_validator("dataset")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in DATASETS:
            raise ValueError(
                f"unknown data set '{value}': "
                f"known are {', '.join(DATASETS)}{nearest(value, DATASETS)}"
            )
        return value

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of the images that networks see."""
        info = DATASETS[self.dataset]
        side = self.size or info.size
        return info.channels, side, side

    @property
    def training_images(self) -> int:
        """How many images one epoch sees, to within the split's rounding."""
        return round(DATASETS[self.dataset].images * (1 - self.held_out))


class Train(Section):
    """One trial's training."""

    epochs: int = Field(ge=1, le=100_000, description="Passes over the training images.")
    batch_size: int = Field(
        128, ge=1, le=65_536, description="Images in an optimiser step, over all workers together."
    )
    learning_rate: float = Field(gt=0, le=10, description="Step size of the optimiser.")
    optimizer: Literal["adam", "adamw", "sgd"] = Field("adam", description="The optimiser.")
    clip_norm: float | None = Field(1.0, gt=0, description="Clip the gradient's norm; null never.")
    weight_decay: float = Field(0.0, ge=0, le=1, description="The optimiser's weight decay.")
    ema_half_life: float = Field(
        2000.0,
        gt=0,
        description="Half-life of the averaged weights that samples come from, in images.",
    )


class Score(Section):
    """How a trial's images are compared with real ones."""

    metric: str = Field(
        "fd_vae", description=f"One of {', '.join(METRIC_EMBEDDERS)}; lower is better."
    )
    embedder: str | None = Field(
        None, description="The metric's embedder, if it is to be spelled out."
    )
    samples: int = Field(1000, ge=2, le=1_000_000, description="Generated images in a score.")
    sampler: Literal["ddim", "ancestral"] = Field("ddim", description="How images are generated.")
    steps: int = Field(50, ge=1, le=4000, description="Network evaluations for each image.")
    every: int = Field(1, ge=1, description="Score every so many epochs, and at the end.")
    seed: int = Field(
        0, ge=0, lt=2**32, description="Seed of the generated images and the embedder."
    )

    @field_validator("metric")
    @classmethod
    def _known_metric(cls, value: str) -> str:
        if value not in METRIC_EMBEDDERS:
            known = ", ".join(METRIC_EMBEDDERS)
            raise ValueError(
                f"unknown metric '{value}': known are {known}{nearest(value, METRIC_EMBEDDERS)}"
            )
        return value

    @field_validator("embedder")
    @classmethod
    def _known_embedder(cls, value: str | None) -> str | None:
        known = METRIC_EMBEDDERS.values()
        if value is not None and value not in known:
            raise ValueError(
                f"unknown embedder '{value}': known are {', '.join(known)}{nearest(value, known)}"
            )
        return value

    @model_validator(mode="after")
    def _embedder_fits(self) -> Self:
        meant = METRIC_EMBEDDERS[self.metric]
        if self.embedder not in (None, meant):
            raise Misfit(
                ("embedder",), f"'{self.embedder}' must be '{meant}', which {self.metric} means"
            )
        return self


class Scale(Section):
    """What a trial runs on."""

    workers_per_trial: int = Field(1, ge=1, le=1024, description="Ray Train workers in each lane.")
    cpus_per_worker: float = Field(1.0, gt=0, le=1024, description="CPU cores for each worker.")
    gpus_per_worker: float | None = Field(
        None,
        ge=0,
        le=64,
        description="GPUs for each worker; null takes one if the cluster has any.",
    )
    lanes: int | None = Field(
        None,
        ge=1,
        le=10_000,
        description="Trials at a time; null takes as many as fit the cluster.",
    )

    @field_validator("gpus_per_worker")
    @classmethod
    def _whole_above_one(cls, value: float | None) -> float | None:
        # Ray shares one GPU between workers, but hands out several only whole.
        if value is not None and value > 1 and not value.is_integer():
            raise ValueError(f"{value:g} must be a whole number, as it is above 1")
        return value


class Study(Section):
    """A complete, runnable configuration."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]{0,79}$")] = Field(
        description="The study's name: letters, digits, dots, dashes and underscores."
    )
    data: Data
    model: Model
    train: Train
    score: Score = Field(default_factory=lambda: Score())
    search: Search
    scale: Scale = Field(default_factory=lambda: Scale())

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Self:
        _, side, _ = self.data.image_shape
        factor = self.model.network.downsampling
        if side % factor:
            channels = list(self.model.network.channels)
            raise Misfit(
                ("model", "network", "channels"),
                f"images of {side}x{side} do not go through a network with channels {channels}: "
                f"the side must be divisible by {factor}",
            )
        if self.score.steps > self.model.timesteps:
            raise Misfit(
                ("score", "steps"),
                f"{self.score.steps} must be <= `model.timesteps` ({self.model.timesteps})",
            )
        return self

    def trial_config(self) -> dict[str, Any]:
        """What makes a trial what it is: everything but the name, the search and the scale."""
        return self.model_dump(mode="json", include={"data", "model", "train", "score"})

    def digest(self) -> str:
        """sha256 over the trial's configuration, in hex."""
        text = json.dumps(self.trial_config(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()
