"""The networks of a study file are those that can be built, with the same options."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from pydantic import ValidationError
from section_options import FILLED, same_options

from models import DISCRIMINATORS, GENERATORS, NETWORKS, build_family
from study.spec import Study
from study.spec.model import networks
from study.spec.model.networks import DCGANDiscriminator, DCGANGenerator, DiT
from study.spec.short_form import kinds

TABLES: list[tuple[str, Any, Mapping[str, Callable[..., Any]], tuple[str, ...]]] = [
    # a union of sections, what it names, kinds that are no part of the table
    ("network", networks.Network, NETWORKS, ("custom",)),
    ("generator", DCGANGenerator, GENERATORS, ()),
    ("discriminator", DCGANDiscriminator, DISCRIMINATORS, ()),
]


@pytest.mark.parametrize(("union", "table", "extra"), [row[1:] for row in TABLES], ids=lambda _: "")
def test_networks_and_their_options(
    union: Any, table: Mapping[str, Callable[..., Any]], extra: tuple[str, ...]
) -> None:
    sections = kinds(union)
    assert set(sections) == {*table, *extra}
    for kind in table:
        same_options(sections[kind], table[kind], {*FILLED, "count", "generator"})


SMALLEST: list[dict[str, Any]] = [
    {"family": "ddpm", "network": {"kind": "unet", "channels": [4, 8, 8]}},
    {"family": "ddpm", "network": {"kind": "convnext_unet", "channels": [4, 8, 8]}},
    {"family": "ddpm", "network": {"kind": "cnn", "channels": [4, 4]}},
    {"family": "ddpm", "network": {"kind": "dit", "patch": 4, "width": 8, "heads": 2, "depth": 1}},
    {"family": "gan", "generator": {"kind": "dcgan", "channels": [8, 4]}},
    {"family": "gan", "discriminator": {"kind": "dcgan", "channels": [4, 8]}},
]


def test_every_network_has_its_sides_tested() -> None:
    tested = {model["network"]["kind"] for model in SMALLEST if "network" in model}
    assert tested == set(NETWORKS)


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


@pytest.mark.parametrize(
    ("width", "heads", "rule"),
    [(12, 8, "12 must be divisible by the 8 `heads`"), (10, 5, "10 must be divisible by 4")],
)
def test_a_width_that_cannot_be_shared_out_is_refused_as_the_network_refuses_it(
    width: int, heads: int, rule: str
) -> None:
    with pytest.raises(ValidationError, match=rule):
        DiT(kind="dit", width=width, heads=heads)
    with pytest.raises(ValueError, match="`width`"):
        NETWORKS["dit"]((1, 8, 8), width=width, heads=heads)
