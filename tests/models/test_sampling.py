from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from models import Family, build_family, generate
from models.networks import UNet

OPTIONS: dict[str, Any] = {"sampler": "ancestral", "steps": 3, "seed": 5, "chunk_size": 4}


@pytest.fixture
def family(model: dict[str, Any]) -> Family:
    """A family whose zero-initialised layers are not zero, as after some training."""
    built = build_family(model, (1, 8, 8), seed=0)
    for parameter in built.parameters():
        torch.nn.init.normal_(parameter, std=0.2, generator=torch.Generator().manual_seed(0))
    return built


@pytest.fixture
def whole(family: Family) -> Tensor:
    return generate(family, 18, **OPTIONS)


@pytest.mark.parametrize("world", [1, 2, 3, 5, 8])
def test_the_shares_of_any_number_of_workers_join_to_the_images_of_one(
    family: Family, whole: Tensor, world: int
) -> None:
    shares = [generate(family, 18, rank=rank, world=world, **OPTIONS) for rank in range(world)]
    assert torch.equal(torch.cat(shares), whole)


def test_images_are_uint8_and_differ(family: Family, whole: Tensor) -> None:
    assert whole.shape == (18, 1, 8, 8)
    assert whole.dtype == torch.uint8
    assert len({tuple(image.flatten().tolist()) for image in whole}) == 18
    assert len(generate(family, 0, **OPTIONS)) == 0


def test_the_seed_and_nothing_else_chooses_the_images(family: Family, whole: Tensor) -> None:
    torch.manual_seed(99)
    assert torch.equal(generate(family, 18, **OPTIONS), whole)
    assert not torch.equal(generate(family, 18, **{**OPTIONS, "seed": 6}), whole)
    # chunks are independent of how many follow
    assert torch.equal(generate(family, 8, **OPTIONS), whole[:8])


def test_the_family_samples_in_evaluation_mode_and_comes_back_as_it_was(family: Family) -> None:
    modes: list[bool] = []
    assert isinstance(family.network, UNet)
    family.network.register_forward_pre_hook(lambda module, inputs: modes.append(module.training))
    for training in (True, False):
        generate(family.train(training), 4, **OPTIONS)
        assert family.training is training
    assert modes == [False] * 6


def test_the_options_of_the_sampler_reach_it(family: Family) -> None:
    ddim: dict[str, Any] = {**OPTIONS, "sampler": "ddim"}
    plain = generate(family, 4, **ddim)
    assert not torch.equal(generate(family, 4, options={"eta": 1.0}, **ddim), plain)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sampler": "euler"}, "`sampler` is 'euler', but must be one of ancestral, ddim"),
        ({"options": {"eta": 1.0}}, "`sampler.eta` is unknown: the options of 'ancestral' are"),
        ({"steps": 21}, r"`steps` is 21, but must be in 1 \.\. 20"),
        ({"rank": 2, "world": 2}, r"`rank` is 2, but must be in 0 \.\. 1"),
        ({"chunk_size": 0}, "`chunk_size` is 0"),
    ],
)
def test_a_mistake_is_named_with_its_rule(
    family: Family, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        generate(family, 4, **{**OPTIONS, **options})


def test_auto_is_the_familys_own_sampler(family: Family) -> None:
    options = {**OPTIONS, "sampler": "auto"}
    own = {**OPTIONS, "sampler": family.default_sampler}
    assert torch.equal(generate(family, 6, **options), generate(family, 6, **own))
