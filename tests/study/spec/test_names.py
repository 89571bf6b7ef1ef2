"""The names that study files are checked by are those that exist, with the same options."""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Callable, Container, Mapping
from typing import Any

import annotated_types
import pytest
from pydantic import BaseModel

import models
from models import (
    DISCRIMINATORS,
    FAMILIES,
    GAN_LOSSES,
    GENERATORS,
    MORPH_SAMPLERS,
    NETWORKS,
    OPTIMIZERS,
    PENALTIES,
    PREDICTIONS,
    REGRESSIONS,
    SAMPLERS,
    SCHEDULES,
    STARTS,
    VARIANCES,
    WEIGHTINGS,
    Augmentation,
    TrainingOptions,
    build_family,
)
from models.precision import Precision
from models.training_options import Decay
from study.data import DATASETS, SPLITS, Preparation, load_images
from study.spec import Study, data, names, samplers
from study.spec.embedder_info import EMBEDDERS
from study.spec.measure_info import MEASURES
from study.spec.model import DDPM, GAN, CustomFamily, Model, Morphing, losses, networks
from study.spec.model.networks import DCGANDiscriminator, DCGANGenerator
from study.spec.model.schedules import Schedule
from study.spec.short_form import kinds
from study.spec.train import Augment, EarlyStopping, Optimizer, Train

FILLED = {"timesteps", "image_shape", "towards", "out_channels", "latent", "parameters"}
"""Arguments that come from elsewhere than the section of the thing they are given to."""


def literal(section: type[BaseModel], key: str) -> tuple[str, ...]:
    return typing.get_args(section.model_fields[key].annotation)


def test_data_sets() -> None:
    assert set(names.DATASETS) == set(DATASETS)


@pytest.mark.parametrize("name", ["mnist5k", "digits", "photo_patches"])
def test_data_sets_are_what_they_are_said_to_be(name: str) -> None:
    info = names.DATASETS[name]
    assert load_images(name).images.shape == (info.images, info.channels, info.size, info.size)


def test_metrics_are_of_known_measures_and_embedders() -> None:
    for metric, (measure, embedder) in names.METRICS.items():
        assert measure in MEASURES
        if embedder is None:
            assert metric == measure  # and the study file names the embedder
        else:
            assert embedder in EMBEDDERS
            assert names.metric_name(measure, embedder) == metric


@pytest.mark.parametrize(
    ("measure", "embedder", "name"),
    [
        ("fd", "inception", "fid"),
        ("fd", "inception_clean", "fd_inception_clean"),
        ("fd", "my.features:Net", "fd_custom"),
        ("fd_infinity", "inception", "fid_infinity"),
        ("fd_infinity", "vae", "fd_vae_infinity"),
        ("kid", "inception", "kid"),
        ("kid", "lenet", "kid_lenet"),
        ("precision", "vae", "precision"),
        ("sliced_wasserstein", "vae", "sliced_wasserstein_vae"),
    ],
)
def test_metric_names(measure: str, embedder: str, name: str) -> None:
    assert names.metric_name(measure, embedder) == name


def default(section: type[BaseModel], key: str) -> Any:
    """What stands in a spec where the file says nothing, JSON-ready; a name for its short form."""
    field = section.model_fields[key]
    value = field.get_default(call_default_factory=True)
    kind = getattr(value, "kind", None)
    if kind is not None and value == type(value).model_validate({"kind": kind}):
        return kind
    return value


def same_options(
    section: type[BaseModel], function: Callable[..., Any], given: Container[str] = FILLED
) -> None:
    """Every key of the section is an option of the function, with an equal default."""
    parameters = {
        name: parameter
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD
    }
    keys = {key for key in section.model_fields if key not in ("kind", "family")}
    required = {
        name
        for name, parameter in parameters.items()
        if parameter.default is inspect.Parameter.empty and name not in given
    }
    assert required <= keys <= set(parameters)
    for key in keys:
        if not section.model_fields[key].is_required():
            found = parameters[key].default
            if found is not inspect.Parameter.empty:
                assert default(section, key) == found, key


TABLES: list[tuple[str, Any, Mapping[str, Callable[..., Any]], tuple[str, ...]]] = [
    # a union of sections, what it names, kinds that are no part of the table
    ("schedule", Schedule, SCHEDULES, ()),
    ("network", networks.Network, NETWORKS, ("custom",)),
    ("loss", losses.Loss, REGRESSIONS, ()),
    ("weighting", losses.Weighting, WEIGHTINGS, ()),
    ("variance", losses.Variance, VARIANCES, ()),
    ("penalty", losses.Penalty, PENALTIES, ()),
    ("generator", DCGANGenerator, GENERATORS, ()),
    ("discriminator", DCGANDiscriminator, DISCRIMINATORS, ()),
    ("start", samplers.Start, STARTS, ()),
    ("split", data.Split, SPLITS, ()),
]


@pytest.mark.parametrize(("union", "table", "extra"), [row[1:] for row in TABLES], ids=lambda _: "")
def test_kinds_and_their_options(
    union: Any, table: Mapping[str, Callable[..., Any]], extra: tuple[str, ...]
) -> None:
    sections = kinds(union)
    assert set(sections) == {*table, *extra}
    for kind in table:
        same_options(sections[kind], table[kind], {*FILLED, "count", "generator"})


def test_image_samplers() -> None:
    sections = kinds(samplers.Sampler)
    assert {*SAMPLERS} == {*samplers.samplers_of("ddpm")}
    assert {*MORPH_SAMPLERS} == {*samplers.samplers_of("morphing")}
    assert set(sections) == {"auto", *samplers.IMAGE_SAMPLERS}
    for kind, sampler in SAMPLERS.items():
        same_options(sections[kind], sampler, ("model", "x_T", "steps", "generator"))
    for kind in samplers.samplers_of("morphing"):
        assert default(sections[kind], "start") == "images"
    assert literal(sections["ancestral"], "variance") == ("fixed_small", "fixed_large", "learned")


def families() -> dict[str, type[BaseModel]]:
    (union, *_) = typing.get_args(Model)
    return {literal(section, "family")[0]: section for section in typing.get_args(union)}


def test_families_and_their_options() -> None:
    assert families() == {"ddpm": DDPM, "morphing": Morphing, "gan": GAN, "custom": CustomFamily}
    assert set(families()) == set(FAMILIES)
    for name, section in families().items():
        if name == "custom":
            continue  # its options are a mapping here, and nothing there
        same_options(section, FAMILIES[name], ("image_shape",))
    assert literal(DDPM, "prediction") == tuple(PREDICTIONS)
    assert set(literal(GAN, "loss")) == set(GAN_LOSSES)


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


def test_preparation() -> None:
    fields = {field.name: field.default for field in dataclasses.fields(Preparation)}
    assert set(data.Data.model_fields) == {"dataset", "split", *fields}
    for key, value in fields.items():
        assert default(data.Data, key) == value, key
    assert default(data.Data, "split") == "fraction"


SMALLEST = [
    {"family": "ddpm", "network": {"kind": "unet", "channels": [4, 8, 8]}},
    {"family": "ddpm", "network": {"kind": "convnext_unet", "channels": [4, 8, 8]}},
    {"family": "ddpm", "network": {"kind": "cnn", "channels": [4, 4]}},
    {"family": "ddpm", "network": {"kind": "dit", "patch": 4, "width": 8, "heads": 2, "depth": 1}},
    {"family": "gan", "generator": {"kind": "dcgan", "channels": [8, 4]}},
    {"family": "gan", "discriminator": {"kind": "dcgan", "channels": [4, 8]}},
]


@pytest.mark.parametrize("model", SMALLEST, ids=lambda model: "-".join(map(str, model.values())))
@pytest.mark.parametrize("side", [8, 10, 12, 14])
def test_the_sides_that_a_network_takes_are_those_it_is_said_to(
    model: dict[str, Any], side: int
) -> None:
    if model["family"] == "ddpm":
        model = {**model, "timesteps": 50, "schedule": "cosine"}
    tree = {
        "name": "sides",
        "data": {"dataset": "digits", "size": side},
        "model": model,
        "train": {"epochs": 1, "learning_rate": 0.1},
        "search": {"trials": 1},
    }
    try:
        study = Study.model_validate(tree)
    except ValueError:
        with pytest.raises(ValueError, match="divisible"):
            build_family(model, (1, side, side), 0)
    else:
        build_family(study.model.model_dump(mode="json"), study.data.image_shape, 0)
        assert all(side % part.downsampling == 0 for _, part in study.model.sized_parts())


def test_the_nearest_name_is_offered_only_if_it_is_near() -> None:
    assert names.nearest("epoch", ["epochs", "seed"]) == "; did you mean `epochs`?"
    assert names.nearest("zzz", ["epochs", "seed"]) == ""
