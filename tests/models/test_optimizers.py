from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from trainings import start

from models import (
    train,
    train_epoch,
)
from models.optimizers import OPTIMIZERS


@pytest.fixture
def images(digits: Tensor) -> Tensor:
    return digits[:21]  # with batches of 8: a last batch of 5


def test_the_penalties_are_the_gradients_of_what_they_are_said_to_be(
    model: dict[str, Any], images: Tensor
) -> None:
    gradients = []
    for penalties in ({}, {"l1": 0.01, "l2": 0.1}):
        state = start(model, clip_norm=None, **penalties)
        weights = torch.cat([p.detach().flatten() for p in state.players["model"].parameters])
        next(train_epoch(state, images))
        gradients.append(
            torch.cat([p.grad.flatten() for p in state.players["model"].parameters])  # type: ignore[union-attr]
        )
    leaf = weights.clone().requires_grad_()
    (0.01 * leaf.abs().sum() + 0.1 * leaf.square().sum()).backward()
    assert leaf.grad is not None
    torch.testing.assert_close(gradients[1] - gradients[0], leaf.grad, rtol=1e-4, atol=1e-6)


def test_the_rate_rises_over_the_warm_up_and_falls_along_a_cosine(
    model: dict[str, Any], images: Tensor
) -> None:
    state = start(model, warmup_images=16, decay="cosine", total_images=42, learning_rate=0.1)
    rates = []
    for _ in train(state, images, epochs=2):
        rates.append(state.players["model"].optimizer.param_groups[0]["lr"])
    # before each batch 0, 8, 16, 21, 29, 37 images had been seen
    falling = [0.05 * (1 + math.cos(math.pi * seen / 26)) for seen in (0, 5, 13, 21)]
    assert rates == pytest.approx([0.1 * 1 / 17, 0.1 * 9 / 17, *falling])
    assert state.learning_rate == pytest.approx(0)


@pytest.mark.parametrize(("optimizer", "moved"), [("adam", 0.1), ("adamw", 0.1 * 0.5 * 4.0)])
def test_weight_decay_is_part_of_adams_gradient_and_apart_from_adamws(
    optimizer: str, moved: float
) -> None:
    """A first step from 4 without any gradient: Adam's is as long as its rate, AdamW's decays."""
    weight = nn.Parameter(torch.tensor([4.0]))
    weight.grad = torch.zeros(1)
    OPTIMIZERS[optimizer](parameters=[weight], learning_rate=0.1, weight_decay=0.5).step()
    assert float(weight.detach()) == pytest.approx(4.0 - moved)


@pytest.mark.parametrize(
    ("optimizer", "option", "message"),
    [
        ("adam", {"betas": [0.9, 1.0]}, r"`betas` is \[0.9, 1.0\], but must be two, in \[0, 1\)"),
        ("adamw", {"betas": [0.9]}, r"`betas` is \[0.9\], but must be two"),
        ("sgd", {"momentum": 1.0}, r"`momentum` is 1.0, but must be in \[0, 1\)"),
    ],
)
def test_an_option_out_of_range_is_named_with_its_rule(
    optimizer: str, option: dict[str, Any], message: str
) -> None:
    weight = nn.Parameter(torch.zeros(1))
    with pytest.raises(ValueError, match=message):
        OPTIMIZERS[optimizer](parameters=[weight], learning_rate=0.1, weight_decay=0, **option)
