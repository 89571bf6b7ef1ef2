from __future__ import annotations

from typing import Any

import pytest
import torch
from specs import plain, study

from models.augmentation import Augmentation
from study.spec import Study, UserError
from study.worker.build import build_model, placeholder_morph_images, training_options

MORPHING = {
    "family": "morphing",
    "timesteps": 20,
    "schedule": {"kind": "cosine"},
    "network": {"kind": "unet", "channels": [8, 16]},
    "towards": {"dataset": "photo_patches"},
}


def morphing() -> Study:
    return Study.model_validate({**plain(), "model": MORPHING})


def test_weights_depend_on_the_seed_alone_and_fit_the_images() -> None:
    spec = study()
    first, again, other = (build_model(spec, seed, None).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)
    assert build_model(spec, 0, None).image_shape == spec.data.image_shape == (1, 8, 8)


def test_noise_of_the_images_shape_stands_in_for_what_is_morphed_towards() -> None:
    assert placeholder_morph_images(study()) is None
    noise = placeholder_morph_images(morphing())
    assert noise is not None
    assert noise.dtype == torch.uint8
    assert noise.shape[1:] == (1, 8, 8)
    assert len(noise.unique(dim=0)) == len(noise)
    assert build_model(morphing(), 0, noise).image_shape == (1, 8, 8)


def test_what_the_file_let_through_and_cannot_be_built_is_the_users_mistake() -> None:
    spec = study()
    network = spec.model.network.model_copy(update={"channels": (8, 8, 8, 8, 8)})
    model = spec.model.model_copy(update={"network": network})
    with pytest.raises(UserError, match="The images are 8x8, but with 5 `channels`"):
        build_model(spec.model_copy(update={"model": model}), 0, None)


TRAIN: dict[str, Any] = {
    "batch_size": 17,
    "learning_rate": 0.25,
    "weight_decay": 0.125,
    "clip_norm": None,
    "ema_half_life": 99.0,
    "warmup_images": 33,
    "decay": "cosine",
    "l1": 0.001,
    "l2": 0.002,
    "precision": "bfloat16",
    "compile": True,
}


def test_every_setting_of_the_training_reaches_the_loop() -> None:
    train = study(
        train={
            **TRAIN,
            "epochs": 3,
            "optimizer": {"kind": "adamw", "betas": [0.5, 0.75]},
            "augment": {"flip": 0.5, "hue": 0.25},
        }
    ).train
    options = training_options(train, 5, 1000)
    for key, value in TRAIN.items():
        assert getattr(options, key) == value, key
    assert (options.seed, options.total_images) == (5, 3000)
    assert options.optimizer == "adamw"
    assert options.optimizer_options == {"betas": (0.5, 0.75)}
    assert options.augmentation == Augmentation(flip=0.5, hue=0.25)


def test_no_setting_of_the_training_is_forgotten() -> None:
    """One that is new stands above, or is used elsewhere: add it where it belongs."""
    elsewhere = {"epochs", "optimizer", "augment", "validation_images", "early_stopping"}
    assert {*type(study().train).model_fields} == {*TRAIN} | elsewhere
