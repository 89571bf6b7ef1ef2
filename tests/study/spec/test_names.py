"""The names that study files are checked by are those that exist, with the same options."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from pydantic import BaseModel
from section_options import FILLED, default, literal, same_options

from models import (
    FAMILIES,
    GAN_LOSSES,
    MORPH_SAMPLERS,
    PREDICTIONS,
    SAMPLERS,
    SCHEDULES,
    STARTS,
)
from study.data import DATASETS, SPLITS, Preparation, load_images
from study.spec import data, names, samplers
from study.spec.embedder_info import EMBEDDERS
from study.spec.measure_info import MEASURES
from study.spec.model import DDPM, GAN, CustomFamily, Model, Morphing
from study.spec.model.schedules import Schedule
from study.spec.short_form import kinds


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


TABLES: list[tuple[str, Any, Mapping[str, Callable[..., Any]], tuple[str, ...]]] = [
    # a union of sections, what it names, kinds that are no part of the table
    ("schedule", Schedule, SCHEDULES, ()),
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


def test_preparation() -> None:
    fields = {field.name: field.default for field in dataclasses.fields(Preparation)}
    assert set(data.Data.model_fields) == {"dataset", "split", *fields}
    for key, value in fields.items():
        assert default(data.Data, key) == value, key
    assert default(data.Data, "split") == "fraction"


def test_the_nearest_name_is_offered_only_if_it_is_near() -> None:
    assert names.nearest("epoch", ["epochs", "seed"]) == "; did you mean `epochs`?"
    assert names.nearest("zzz", ["epochs", "seed"]) == ""
