"""A trial's model and training options, from its filled-in study."""

from __future__ import annotations

import torch
from torch import Tensor

from models.augmentation import Augmentation
from models.build import build_family
from models.family import Family
from models.starts import MorphSet
from models.training_options import TrainingOptions
from study.spec import Study, UserError
from study.spec.study import Train


def build_model(spec: Study, seed: int, towards: Tensor | MorphSet | None) -> Family:
    """The trial's family on the CPU, with fresh weights.

    Args:
        spec: The filled-in study.
        seed: Chooses the weights.
        towards: What `Workbench.towards` gives.

    Raises:
        UserError: The study file's checks had let through what cannot be built.
    """
    # Given as plain values: `models` knows nothing of study files.
    model = spec.model.model_dump(mode="json", exclude={"towards"})
    try:
        return build_family(model, spec.data.image_shape, seed, towards=towards)
    except ValueError as error:
        raise UserError(str(error)) from error


def placeholder_morph_images(spec: Study) -> Tensor | None:
    """Noise in place of the images that a morphing model degrades towards; None for others."""
    if getattr(spec.model, "towards", None) is None:
        return None
    # As many as a mixture could want; noise, as equal images can be fitted by no mixture.
    shape = (1024, *spec.data.image_shape)
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


def training_options(train: Train, seed: int, images: int) -> TrainingOptions:
    """The options of the training loop.

    Args:
        train: The `train:` section.
        seed: The trial's.
        images: How many images an epoch has.
    """
    return TrainingOptions(
        batch_size=train.batch_size,
        learning_rate=train.learning_rate,
        seed=seed,
        optimizer=train.optimizer.kind,
        optimizer_options=train.optimizer.model_dump(exclude={"kind"}),
        weight_decay=train.weight_decay,
        clip_norm=train.clip_norm,
        ema_half_life=train.ema_half_life,
        warmup_images=train.warmup_images,
        decay=train.decay,
        total_images=train.epochs * images,
        l1=train.l1,
        l2=train.l2,
        precision=train.precision,
        compile=train.compile,
        augmentation=Augmentation(**train.augment.model_dump()),
    )
