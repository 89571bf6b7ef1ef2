"""The names that study files are checked by are those that exist, with the same options."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from models import FAMILIES, NETWORKS, OPTIMIZERS, SAMPLERS, SCHEDULES
from study.data import DATASETS, load_images
from study.scoring import EMBEDDERS, METRICS
from study.search import SAMPLERS as SEARCH_SAMPLERS
from study.spec import model, names, search
from study.spec.study import Score, Train


def literal(section: type[BaseModel], key: str) -> tuple[str, ...]:
    return typing.get_args(section.model_fields[key].annotation)


def test_data_sets() -> None:
    assert set(names.DATASETS) == set(DATASETS)


@pytest.mark.parametrize("name", names.DATASETS)
def test_data_sets_are_what_they_are_said_to_be(name: str) -> None:
    info = names.DATASETS[name]
    assert load_images(name, size=None).images.shape == (
        info.images,
        info.channels,
        info.size,
        info.size,
    )


def test_metrics_and_embedders() -> None:
    assert dict(METRICS) == names.METRIC_EMBEDDERS
    assert set(METRICS.values()) <= set(EMBEDDERS)


def test_image_samplers() -> None:
    assert set(names.SAMPLERS) == set(SAMPLERS) == set(literal(Score, "sampler"))


def test_optimizers() -> None:
    assert set(literal(Train, "optimizer")) == set(OPTIMIZERS)


def test_search_samplers() -> None:
    assert set(names.SEARCH_SAMPLERS) == set(SEARCH_SAMPLERS)
    assert set(literal(search.Search, "sampler")) == set(SEARCH_SAMPLERS)


def test_pruners() -> None:
    kinds = [literal(pruner, "kind") for pruner in typing.get_args(search.Pruner)]
    assert [(name,) for name in names.PRUNERS] == kinds


def test_objectives() -> None:
    (objective, _) = typing.get_args(search.Search.model_fields["objectives"].annotation)
    assert typing.get_args(objective) == names.OBJECTIVES


def schedules() -> dict[str, type[BaseModel]]:
    (union, *_) = typing.get_args(model.Schedule)
    return {literal(section, "kind")[0]: section for section in typing.get_args(union)}


def same_options(
    section: type[BaseModel], function: Callable[..., Any], given: tuple[str, ...]
) -> None:
    """Every key of the section is an option of the function, with an equal default."""
    parameters = inspect.signature(function).parameters
    keys = {key for key in section.model_fields if key not in ("kind", "family")}
    required = {
        name
        for name, parameter in parameters.items()
        if parameter.default is inspect.Parameter.empty and name not in given
    }
    assert required <= keys <= set(parameters)
    for key in keys - required:
        default = section.model_fields[key].default
        if default is not PydanticUndefined:
            assert default == parameters[key].default, key


def test_schedules_and_their_options() -> None:
    assert set(schedules()) == set(SCHEDULES)
    for kind, section in schedules().items():
        same_options(section, SCHEDULES[kind], ("timesteps",))
        assert section.model_fields.keys() - {"kind"} == (
            inspect.signature(SCHEDULES[kind]).parameters.keys() - {"timesteps"}
        )


def test_networks_and_families_and_their_options() -> None:
    assert literal(model.UNet, "kind") == tuple(NETWORKS)
    same_options(model.UNet, NETWORKS["unet"], ("image_shape",))
    assert literal(model.DDPM, "family") == tuple(FAMILIES)
    same_options(model.DDPM, FAMILIES["ddpm"], ("image_shape",))


def test_the_nearest_name_is_offered_only_if_it_is_near() -> None:
    assert names.nearest("epoch", ["epochs", "seed"]) == "; did you mean `epochs`?"
    assert names.nearest("zzz", ["epochs", "seed"]) == ""
