"""The contract of a family of generative models: what is learned, and how it samples."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
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


class Family(nn.Module, ABC):
    """A generative model together with its loss.

    The randomness of the loss is apart from the loss: `draw` makes it for a whole batch, and
    `losses` is a function of the images and of that randomness, one value an image. So a batch can
    be split over workers, or weighed image by image, without changing the result.

    Args:
        image_shape: (C, H, W) of the images.
    """

    def __init__(self, image_shape: tuple[int, int, int]) -> None:
        """Keep the shape."""
        super().__init__()
        self.image_shape = image_shape

    @property
    def device(self) -> torch.device:
        """The device of the weights, where images and generators must be too."""
        return next(self.parameters()).device

    @abstractmethod
    def draw(self, count: int, generator: Generator) -> tuple[Tensor, ...]:
        """All the randomness that the losses of `count` images need, in tensors of `count` rows."""

    @abstractmethod
    def losses(self, x0: Tensor, *draws: Tensor) -> Tensor:
        """The loss of each image.

        Args:
            x0: Images, [B, C, H, W] float32 in [-1, 1].
            draws: What `draw` returned, or the same B rows of each.

        Returns:
            [B], differentiable in the weights.
        """

    def forward(self, x0: Tensor, *draws: Tensor) -> Tensor:
        """`losses`, under the name by which wrappers such as DistributedDataParallel call it."""
        return self.losses(x0, *draws)

    @abstractmethod
    def sample(
        self, count: int, generator: Generator, *, sampler: str, steps: int, **options: Any
    ) -> Iterator[State]:
        """Make images, giving the state after each step.

        The last state's `x` are the images, [count, C, H, W] float32, by and large in [-1, 1].

        Args:
            count: How many images.
            generator: The only source of randomness, on the family's device.
            sampler: The name of a sampler.
            steps: How many steps it takes.
            options: The sampler's own options.

        Raises:
            ValueError: If the sampler or an option is unknown, or a value is out of its range.
        """
