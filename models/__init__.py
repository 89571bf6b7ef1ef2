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

from models.augmentation import Augmentation
from models.bound import Bound, bits_per_dim
from models.build import FAMILIES, build_family
from models.ddpm import DDPM, VARIANCES
from models.divergence import Diverged
from models.family import Family, State
from models.gan import GAN
from models.gan_losses import GAN_LOSSES, PENALTIES
from models.images import to_float, to_uint8
from models.morphing import Morphing
from models.networks import DISCRIMINATORS, GENERATORS, NETWORKS
from models.optimizers import OPTIMIZERS
from models.predictions import PREDICTIONS, Denoiser, Prediction
from models.regression_losses import REGRESSIONS, WEIGHTINGS
from models.samplers import MORPH_SAMPLERS, SAMPLERS
from models.sampling import generate
from models.schedules import SCHEDULES, Schedule
from models.seeding import derive_seed
from models.starts import STARTS
from models.training import Step, train, train_epoch
from models.training_options import TrainingOptions
from models.training_state import TrainingState
from models.validation import EarlyStopping, validation_loss

__all__ = [
    "DDPM",
    "DISCRIMINATORS",
    "FAMILIES",
    "GAN",
    "GAN_LOSSES",
    "GENERATORS",
    "MORPH_SAMPLERS",
    "NETWORKS",
    "OPTIMIZERS",
    "PENALTIES",
    "PREDICTIONS",
    "REGRESSIONS",
    "SAMPLERS",
    "SCHEDULES",
    "STARTS",
    "VARIANCES",
    "WEIGHTINGS",
    "Augmentation",
    "Bound",
    "Denoiser",
    "Diverged",
    "EarlyStopping",
    "Family",
    "Morphing",
    "Prediction",
    "Schedule",
    "State",
    "Step",
    "TrainingOptions",
    "TrainingState",
    "bits_per_dim",
    "build_family",
    "derive_seed",
    "generate",
    "to_float",
    "to_uint8",
    "train",
    "train_epoch",
    "validation_loss",
]
