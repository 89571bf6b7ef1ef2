"""Generative models of small images: what they learn, how they train, how they sample.

Needs torch alone. `build_family` makes a family from a mapping, `train` trains it, `generate` makes
images of it:

    family = build_family(model, image_shape=(1, 16, 16), seed=0)
    state = TrainingState(family, TrainingOptions(batch_size=64, learning_rate=2e-3, seed=0))
    for step in train(state, images, epochs=8):
        ...
    samples = generate(state.ema, 64, sampler="ddim", steps=20, seed=0)
"""

from __future__ import annotations

from models.build import FAMILIES, build_family
from models.ddpm import DDPM
from models.divergence import Diverged
from models.family import Family, State
from models.images import to_float, to_uint8
from models.networks import NETWORKS, UNet
from models.samplers import SAMPLERS, Denoiser, ancestral, ddim
from models.sampling import generate
from models.schedules import SCHEDULES, Schedule
from models.seeding import derive_seed
from models.training import (
    OPTIMIZERS,
    Step,
    TrainingOptions,
    TrainingState,
    train,
    train_epoch,
)

__all__ = [
    "DDPM",
    "FAMILIES",
    "NETWORKS",
    "OPTIMIZERS",
    "SAMPLERS",
    "SCHEDULES",
    "Denoiser",
    "Diverged",
    "Family",
    "Schedule",
    "State",
    "Step",
    "TrainingOptions",
    "TrainingState",
    "UNet",
    "ancestral",
    "build_family",
    "ddim",
    "derive_seed",
    "generate",
    "to_float",
    "to_uint8",
    "train",
    "train_epoch",
]
