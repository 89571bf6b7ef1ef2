"""The `train:` section: one trial's training."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from study.spec.section import Section
from study.spec.short_form import ShortForm

Decay = Annotated[float, Field(ge=0, lt=1)]
Betas = Annotated[
    tuple[Decay, Decay],
    Field(strict=False, description="Decay of the two running means."),
]


class _AdamKind(Section):
    kind: str
    betas: Betas = (0.9, 0.999)


class Adam(_AdamKind):
    """Adam (Kingma & Ba 2015)."""

    kind: Literal["adam"]


class AdamW(_AdamKind):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019)."""

    kind: Literal["adamw"]


class SGD(Section):
    """Stochastic gradient descent."""

    kind: Literal["sgd"]
    momentum: Decay = Field(0.9, description="Share of the last step in the next.")


Optimizer = Annotated[Adam | AdamW | SGD, Field(discriminator="kind"), ShortForm("optimizer")]


class Augment(Section):
    """Random changes to each image that is learned from."""

    flip: float = Field(0.0, ge=0, le=1, description="Probability of a mirror image.")
    crop: float = Field(0.0, ge=0, le=0.5, description="Greatest shift, as a share of the side.")
    rotation: float = Field(0.0, ge=0, le=180, description="Greatest angle in degrees.")
    tilt: float = Field(0.0, ge=0, le=45, description="Greatest shear in degrees.")
    brightness: float = Field(0.0, ge=0, le=1, description="Greatest relative change.")
    contrast: float = Field(0.0, ge=0, le=1, description="Greatest relative change.")
    saturation: float = Field(0.0, ge=0, le=1, description="Greatest relative change.")
    hue: float = Field(0.0, ge=0, le=0.5, description="Greatest change, in whole turns.")


class EarlyStopping(Section):
    """A trial ends when its loss on held-out images has not improved for a while."""

    patience: int = Field(
        5, ge=1, description="Epochs without a better loss before the trial stops."
    )
    min_delta: float = Field(0.0, ge=0, description="Improvements smaller than this do not count.")


class Train(Section):
    """One trial's training."""

    epochs: int = Field(ge=1, le=100_000, description="Passes over the training images.")
    batch_size: int = Field(
        128, ge=1, le=65_536, description="Images in an optimiser step, over all workers together."
    )
    learning_rate: float = Field(gt=0, le=10, description="Step size of the optimiser.")
    optimizer: Optimizer = Field(
        default=Adam(kind="adam"), description="The optimiser, by name or with settings."
    )
    clip_norm: float | None = Field(1.0, gt=0, description="Clip the gradient's norm; null never.")
    weight_decay: float = Field(0.0, ge=0, le=1, description="The optimiser's weight decay.")
    ema_half_life: float = Field(
        2000.0,
        gt=0,
        description="Half-life of the averaged weights that samples come from, in images.",
    )
    warmup_images: int = Field(
        0, ge=0, description="The learning rate rises linearly over so many images."
    )
    decay: Literal["none", "cosine"] = Field(
        "none", description="How the learning rate falls until the last image."
    )
    l1: float = Field(0.0, ge=0, le=1, description="Times sum |w|, added to the loss.")
    l2: float = Field(0.0, ge=0, le=1, description="Times sum w^2, added to the loss.")
    validation_images: int = Field(
        256, ge=0, description="Held-out images whose loss is reported each epoch; 0 is none."
    )
    early_stopping: EarlyStopping | None = Field(
        None, description="End a trial whose validation loss no longer falls; null never."
    )
    precision: Literal["auto", "float32", "tf32", "bfloat16"] = Field(
        "auto", description="Arithmetic of the networks; auto is the best of the device."
    )
    compile: bool = Field(False, description="Compile the networks with torch.compile.")
    augment: Augment = Field(
        default_factory=lambda: Augment(),
        description="Random changes to the images that are learned from.",
    )
