"""Short trainings of small families on 8x8 images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from models import (
    TrainingOptions,
    TrainingState,
    build_family,
)


def start(model: dict[str, Any], **options: Any) -> TrainingState:
    """A training of the model, in batches of 8, at its start."""
    settings = {"batch_size": 8, "learning_rate": 1e-2, "seed": 3, **options}
    return TrainingState(build_family(model, (1, 8, 8), seed=0), TrainingOptions(**settings))


def spy(state: TrainingState, see: Callable[[Tensor, Tensor], None]) -> None:
    """Show `see` the images and the losses of each call."""
    losses = state.family.losses

    def shown(x0: Tensor, *draws: Tensor, **options: Any) -> Tensor:
        each = losses(x0, *draws, **options)
        see(x0, each)
        return each

    state.family.losses = shown  # type: ignore[method-assign]


def same(left: nn.Module, right: nn.Module) -> bool:
    pairs = zip(left.state_dict().values(), right.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)
