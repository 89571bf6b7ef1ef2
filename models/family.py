"""The contract of a family of generative models: what is learned, and how it samples."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor, nn


@dataclass(frozen=True, eq=False)
class State:
    """Where a sampler stands after a step.

    Attributes:
        t: The timestep that the step started from.
        x: The images after the step, [B, C, H, W]; after the last step, the samples.
        x0: The estimate of the clean images that the step headed for, [B, C, H, W].
    """

    t: int
    x: Tensor
    x0: Tensor


Augment = Callable[[Tensor], Tensor]
"""Changes a batch of images [B, C, H, W] at random, differentiably; the change is already drawn."""


def as_they_are(x: Tensor) -> Tensor:
    """No augmentation."""
    return x


class Family(nn.Module, ABC):
    """A generative model together with its loss.

    The randomness of the loss is apart from the loss: `draw` makes it for a whole batch, and
    `losses` is a function of the images and of that randomness, one value an image. So a batch can
    be split over workers, or weighed image by image, without changing the result.

    Most families train one network by one loss. Where players take turns (a GAN), each turn is a
    *phase*: `phases` says whose turn it is in a batch, `players` whose weights move in it.

    Args:
        image_shape: (C, H, W) of the images.

    Attributes:
        default_sampler: What makes its images where no sampler is named.
        validates: Whether the loss on images that were held out says how well it has learned.
    """

    default_sampler: str
    validates: bool = True

    def __init__(self, image_shape: tuple[int, int, int]) -> None:
        """Keep the shape."""
        super().__init__()
        self.image_shape = image_shape

    @property
    def device(self) -> torch.device:
        """The device of the weights, where images and generators must be too."""
        return next(self.parameters()).device

    def players(self) -> dict[str, tuple[nn.Module, float]]:
        """What is trained, by the name of the phase that trains it.

        Each player has its module, whose parameters an optimizer of its own moves, and the factor
        on the learning rate.
        """
        return {"model": (self, 1.0)}

    def phases(self, step: int) -> Sequence[str]:
        """The phases of a batch, in their order.

        Args:
            step: Batches since the start of the run, from 0.
        """
        del step
        return ("model",)

    @abstractmethod
    def draw(self, count: int, generator: Generator, phase: str = "model") -> tuple[Tensor, ...]:
        """All the randomness that the losses of `count` images need, in tensors of `count` rows."""

    @abstractmethod
    def losses(
        self, x0: Tensor, *draws: Tensor, phase: str = "model", augment: Augment = as_they_are
    ) -> Tensor:
        """The loss of each image.

        Args:
            x0: Images, [B, C, H, W] float32 in [-1, 1].
            draws: What `draw` returned for that phase, or the same B rows of each.
            phase: Whose loss.
            augment: Applied to the images that are learned from; a GAN applies it to the generated
                ones as well.

        Returns:
            [B], differentiable in the weights of the phase's player.
        """

    def after_update(self, phase: str) -> None:
        """Called when the phase's weights have moved; some losses bound them."""
        del phase

    def forward(self, x0: Tensor, *draws: Tensor, phase: str = "model") -> Tensor:
        """`losses`, by the name that modules are called by."""
        return self.losses(x0, *draws, phase=phase)

    @abstractmethod
    def sample(
        self, count: int, generator: Generator, *, sampler: str, steps: int, **options: Any
    ) -> Iterator[State]:
        """Make images, giving the state after each step.

        The last state's `x` are the images, [count, C, H, W] float32, mostly in [-1, 1].

        Args:
            count: How many images.
            generator: The only source of randomness, on the family's device.
            sampler: The name of a sampler.
            steps: How many steps it takes.
            options: The sampler's own options.

        Raises:
            ValueError: If the sampler or an option is unknown, or a value is out of its range.
        """
