from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models import Family, build_family, generate
from tests.models.conftest import TINY


def family() -> Family:
    torch.manual_seed(0)
    built = build_family(TINY, (1, 8, 8), seed=0)
    for parameter in built.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return built


OPTIONS: dict[str, Any] = {"sampler": "ancestral", "steps": 3, "seed": 5, "chunk_size": 4}
WHOLE = generate(family(), 18, **OPTIONS)


@settings(max_examples=20)
@given(st.integers(1, 8))
def test_the_shares_of_any_number_of_workers_join_to_the_images_of_one(world: int) -> None:
    one = family()
    shares = [generate(one, 18, rank=rank, world=world, **OPTIONS) for rank in range(world)]
    assert torch.equal(torch.cat(shares), WHOLE)


def test_images_are_uint8_and_differ() -> None:
    assert WHOLE.shape == (18, 1, 8, 8)
    assert WHOLE.dtype == torch.uint8
    assert len({tuple(image.flatten().tolist()) for image in WHOLE}) == 18
    assert len(generate(family(), 0, **OPTIONS)) == 0


def test_the_seed_and_nothing_else_chooses_the_images() -> None:
    torch.manual_seed(99)
    assert torch.equal(generate(family(), 18, **OPTIONS), WHOLE)
    assert not torch.equal(generate(family(), 18, **{**OPTIONS, "seed": 6}), WHOLE)
    # chunks are independent of how many follow
    assert torch.equal(generate(family(), 8, **OPTIONS), WHOLE[:8])


def test_the_family_samples_in_evaluation_mode_and_comes_back_as_it_was() -> None:
    one = family()
    modes: list[bool] = []
    one.register_forward_pre_hook(lambda module, inputs: None)
    one.network.register_forward_pre_hook(lambda module, inputs: modes.append(module.training))
    for training in (True, False):
        generate(one.train(training), 4, **OPTIONS)
        assert one.training is training
    assert modes == [False] * 6


def test_the_options_of_the_sampler_reach_it() -> None:
    ddim: dict[str, Any] = {**OPTIONS, "sampler": "ddim"}
    plain = generate(family(), 4, **ddim)
    assert not torch.equal(generate(family(), 4, options={"eta": 1.0}, **ddim), plain)


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
def test_a_mistake_is_named_with_its_rule(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        generate(family(), 4, **{**OPTIONS, **options})
