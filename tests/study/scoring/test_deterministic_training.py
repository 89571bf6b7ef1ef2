from __future__ import annotations

import pytest
import torch
from torch import Tensor

from study.scoring.deterministic_training import reproducible


def draw() -> Tensor:
    return torch.randn(5)


def test_what_is_drawn_in_it_depends_on_the_seed_alone() -> None:
    drawn = []
    for seed in (3, 3, 4):
        torch.rand(seed)  # whatever was drawn before
        with reproducible(seed):
            drawn.append(draw())
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    torch.manual_seed(3)
    assert torch.equal(draw(), drawn[0])


@pytest.mark.parametrize("fails", [False, True])
def test_it_leaves_everything_as_it_was_even_by_an_error(fails: bool) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        state = torch.get_rng_state()
        try:
            with torch.inference_mode(), reproducible(0):
                assert torch.get_num_threads() == 1
                draw()
                if fails:
                    raise ArithmeticError
        except ArithmeticError:
            assert fails
        assert torch.get_num_threads() == 2
        assert torch.equal(torch.get_rng_state(), state)
        assert not torch.is_inference_mode_enabled()
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("surrounding", [torch.no_grad, torch.inference_mode])
def test_gradients_are_on_in_it_whatever_surrounds_it(
    surrounding: type[torch.no_grad] | type[torch.inference_mode],
) -> None:
    with surrounding():
        with reproducible(0):
            weight = torch.ones(2, requires_grad=True)
            weight.square().sum().backward()  # type: ignore[no-untyped-call]
        assert not torch.is_grad_enabled()
    assert weight.grad is not None
    assert weight.grad.tolist() == [2, 2]
