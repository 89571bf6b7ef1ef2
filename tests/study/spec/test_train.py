"""The keys of `train:` are the options of the training loop."""

from __future__ import annotations

import dataclasses
import inspect
import typing

import annotated_types
import pytest
from section_options import default, literal, same_options

import models
from models import OPTIMIZERS, Augmentation, TrainingOptions
from models.precision import Precision
from models.training_options import Decay
from study.spec.short_form import kinds
from study.spec.train import Augment, EarlyStopping, Optimizer, Train


def test_optimizers() -> None:
    sections = kinds(Optimizer)
    assert set(sections) == set(OPTIMIZERS)
    for kind, section in sections.items():
        same_options(section, OPTIMIZERS[kind], ("parameters", "learning_rate", "weight_decay"))


def test_training_options() -> None:
    same = {
        *("batch_size", "learning_rate", "optimizer", "weight_decay", "clip_norm"),
        *("ema_half_life", "warmup_images", "decay", "l1", "l2", "precision", "compile"),
    }
    fields = {field.name: field for field in dataclasses.fields(TrainingOptions)}
    for key in same - {"batch_size", "learning_rate", "optimizer"}:
        assert default(Train, key) == fields[key].default, key
    assert same <= set(fields)
    assert set(Train.model_fields) - same == {
        *("epochs", "validation_images", "early_stopping", "augment")
    }
    assert default(Train, "optimizer") == fields["optimizer"].default
    assert literal(Train, "decay") == typing.get_args(Decay)
    assert set(literal(Train, "precision")) == set(typing.get_args(Precision))
    early = inspect.signature(models.EarlyStopping).parameters
    assert set(EarlyStopping.model_fields) <= set(early)


def test_augmentation_and_its_bounds() -> None:
    same_options(Augment, Augmentation)
    for name, field in Augment.model_fields.items():
        (most,) = [m.le for m in field.metadata if isinstance(m, annotated_types.Le)]
        Augmentation(**{name: most})
        with pytest.raises(ValueError, match=name):
            Augmentation(**{name: most + 1e-6})
