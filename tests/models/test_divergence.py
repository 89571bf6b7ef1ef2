from __future__ import annotations

import pickle
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models import (
    Diverged,
    Family,
    TrainingOptions,
    TrainingState,
    train,
)


@pytest.fixture
def images(digits: Tensor) -> Tensor:
    return digits[:21]  # with batches of 8: a last batch of 5


class Broken(Family):
    """One weight, whose loss is not finite from the third batch on."""

    def __init__(self, value: float) -> None:
        super().__init__((1, 8, 8))
        self.weight = nn.Parameter(torch.ones(()))
        self.value = value
        self.calls = 0

    def draw(
        self, count: int, generator: torch.Generator, phase: str = "model"
    ) -> tuple[Tensor, ...]:
        return ()

    def losses(self, x0: Tensor, *draws: Tensor, **options: Any) -> Tensor:
        self.calls += 1
        return (self.value if self.calls == 6 else 1.0) * self.weight * x0.flatten(1).var(1)

    def sample(self, *args: Any, **options: Any) -> Any:
        raise NotImplementedError


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_divergence_is_raised_where_it_happens_before_it_reaches_the_weights(
    images: Tensor, value: float
) -> None:
    family = Broken(value)
    state = TrainingState(family, TrainingOptions(batch_size=8, learning_rate=0.1, seed=0))
    with pytest.raises(Diverged, match="in epoch 1, batch 2: the gradient's norm is") as caught:
        list(train(state, images, epochs=9))
    assert (caught.value.epoch, caught.value.batch) == (1, 2)
    assert family.weight.isfinite()
    with pytest.raises(Diverged):  # and there is no checkpoint after it
        state.state_dict()
    copy = pickle.loads(pickle.dumps(caught.value))
    assert str(copy) == str(caught.value)
