"""Denoising diffusion probabilistic models (Ho, Jain & Abbeel 2020)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Generator, Tensor, nn

from models.family import Family, State
from models.options import call_named
from models.samplers import SAMPLERS
from models.schedules import Schedule


class DDPM(Family):
    """A network that predicts the noise in an image, trained along a schedule of noise.

    Args:
        network: Called with (x_t [B, C, H, W], t [B]), gives epsilon [B, C, H, W].
        schedule: The forward process.
        image_shape: (C, H, W) of the images.
    """

    def __init__(
        self, network: nn.Module, schedule: Schedule, image_shape: tuple[int, int, int]
    ) -> None:
        """Keep the parts."""
        super().__init__(image_shape)
        self.network = network
        self.schedule = schedule

    def predict_epsilon(self, x_t: Tensor, t: Tensor) -> Tensor:
        """The noise in `x_t` [B, C, H, W] at timesteps `t` [B]: what samplers ask of a model."""
        epsilon: Tensor = self.network(x_t, t)
        return epsilon

    def draw(self, count: int, generator: Generator) -> tuple[Tensor, Tensor]:
        """Timesteps [count], uniform in 0 .. T-1, and standard normal noise [count, C, H, W]."""
        device = generator.device
        t = torch.randint(self.schedule.timesteps, (count,), generator=generator, device=device)
        epsilon = torch.randn(count, *self.image_shape, generator=generator, device=device)
        return t, epsilon

    def losses(self, x0: Tensor, *draws: Tensor) -> Tensor:
        """The mean squared error of the predicted noise, [B] (Ho et al. 2020, eq. 14: L_simple)."""
        t, epsilon = draws
        x_t = self.schedule.to(x0.device).add_noise(x0, t, epsilon)
        return (self.predict_epsilon(x_t, t) - epsilon).square().flatten(1).mean(1)

    def sample(
        self, count: int, generator: Generator, *, sampler: str, steps: int, **options: Any
    ) -> Iterator[State]:
        """Run one of `SAMPLERS` from pure noise; see `Family.sample`."""
        x_T = torch.randn(count, *self.image_shape, generator=generator, device=generator.device)
        return call_named(
            SAMPLERS,
            sampler,
            options,
            name_path="sampler",
            path="sampler",
            model=self,
            x_T=x_T,
            steps=steps,
            generator=generator,
        )
