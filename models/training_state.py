"""Where a run of training stands: weights, their average, optimizers, counters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from models.divergence import GradientWatch
from models.ema import WeightAverage
from models.family import Family
from models.optimizers import OPTIMIZERS
from models.options import call_named
from models.training_options import TrainingOptions


@dataclass(frozen=True, eq=False)
class Player:
    """A part of the family that one phase trains, with what moves it."""

    parameters: list[nn.Parameter]
    optimizer: torch.optim.Optimizer
    rate: float  # factor on the learning rate


class TrainingState:
    """All that training changes: weights, their average, optimizers, and how far it has come.

    Args:
        family: What to train, on its device already. Trained in place.
        options: How to train it.

    Attributes:
        players: What is trained, by phase.
        buffers: What training changes besides weights, such as batch norm's statistics.
        average: The averaged weights.
        watch: Sees the gradient diverge.
        epoch: The epoch of the next batch, from 0.
        batch: The next batch in that epoch, from 0.
        images_seen: By all workers, since the start of the run.
    """

    def __init__(self, family: Family, options: TrainingOptions) -> None:
        """Make the optimizers and the average, at the start of the first epoch."""
        self.family = family
        self.options = options
        self.buffers = [buffer for buffer in family.buffers() if buffer.is_floating_point()]
        self.average = WeightAverage(family, options.ema_half_life, options.ema_ramp)
        self.players = {
            phase: _player(module, rate, options)
            for phase, (module, rate) in family.players().items()
        }
        self.epoch = 0
        self.batch = 0
        self.images_seen = 0
        self.watch = GradientWatch()
        if options.compile:
            for part in (*family.children(), *self.ema.children()):
                part.compile()

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next batch."""
        return self.options.rate_at(self.images_seen)

    @property
    def ema(self) -> Family:
        """The family with averaged weights, in evaluation mode: what to take samples from."""
        return self.average.family

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on, in plain tensors, numbers and strings.

        `torch.load(weights_only=True)` reads it. The tensors are the live ones: save or copy them
        before training on.

        Raises:
            Diverged: If a batch since the last look diverged: no checkpoint holds such weights.
        """
        self.watch.check()
        return {
            "family": self.family.state_dict(),
            "ema": self.ema.state_dict(),
            "optimizers": {name: p.optimizer.state_dict() for name, p in self.players.items()},
            "epoch": self.epoch,
            "batch": self.batch,
            "images_seen": self.images_seen,
            "batch_size": self.options.batch_size,
            "seed": self.options.seed,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from where `state_dict` was called.

        Args:
            state: What it returned.

        Raises:
            ValueError: If it comes from a run with another batch size or seed, whose batches these
                are not.
        """
        for name in ("batch_size", "seed"):
            value = getattr(self.options, name)
            if state[name] != value:
                raise ValueError(
                    f"The value of `{name}` is {value}, but must be {state[name]}, the checkpoint's"
                )
        self.family.load_state_dict(state["family"])
        self.ema.load_state_dict(state["ema"])
        for name, player in self.players.items():
            player.optimizer.load_state_dict(state["optimizers"][name])
        self.epoch = state["epoch"]
        self.batch = state["batch"]
        self.images_seen = state["images_seen"]
        self.watch = GradientWatch()


def _player(module: nn.Module, rate: float, options: TrainingOptions) -> Player:
    parameters = [p for p in module.parameters() if p.requires_grad]
    optimizer = call_named(
        OPTIMIZERS,
        options.optimizer,
        options.optimizer_options,
        name_path="optimizer",
        path="optimizer",
        parameters=parameters,
        learning_rate=options.learning_rate * rate,
        weight_decay=options.weight_decay,
    )
    return Player(parameters, optimizer, rate)
