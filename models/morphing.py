"""Morphing: cold diffusion towards another set of images (Bansal et al. 2022)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Generator, Tensor, nn

from models.family import Augment, Family, State, as_they_are
from models.images import to_float
from models.noise_schedule import Schedule
from models.options import call_named, short_form
from models.regression_losses import MSE, Regression
from models.samplers import MORPH_SAMPLERS
from models.starts import STARTS, MorphSet


class Morphing(Family):
    """A network that restores images which were blended into images of another set.

    The forward process is z_t = sqrt(alpha_bar_t) x + sqrt(1 - alpha_bar_t) z, with z an image of
    the other set. The network predicts the clean image x.

    Args:
        network: Called with (z_t [B, C, H, W], t [B]), gives x [B, C, H, W].
        schedule: How much of the clean image is left at each timestep.
        image_shape: (C, H, W) of the images.
        towards: The other set, [M, C, H, W] uint8, M >= 1. It is no part of the state, and shared
            by copies of the model.
        loss: Compares the restored images with the clean ones.

    Attributes:
        morph_set: The other set, and the mixtures fitted to it: what `STARTS` draw from.

    Raises:
        ValueError: If the other set's images are not of that shape.
    """

    default_sampler = "improved"

    def __init__(
        self,
        network: nn.Module,
        schedule: Schedule,
        image_shape: tuple[int, int, int],
        towards: Tensor | MorphSet,
        *,
        loss: Regression = MSE(),  # noqa: B008
    ) -> None:
        """Keep the parts."""
        super().__init__(image_shape)
        if isinstance(towards, Tensor):
            towards = MorphSet(towards)
        if towards.image_shape != image_shape:
            raise ValueError(
                f"The images to morph towards are {list(towards.image_shape)}, "
                f"but must be {list(image_shape)}, as those they are blended with"
            )
        self.network = network
        self.schedule = schedule
        self.loss = loss
        self.morph_set = towards

    @property
    def towards(self) -> Tensor:
        """The other set, [M, C, H, W] uint8, on the device of the weights."""
        return self.morph_set.on(self.device)

    def degrade(self, x: Tensor, z: Tensor, t: Tensor) -> Tensor:
        """Blend images `x` [B, C, H, W] into morph images `z`, as far as timesteps `t` [B] say."""
        return self.schedule.to(x.device).add_noise(x, t, z)

    def restore(self, z_t: Tensor, t: Tensor) -> Tensor:
        """The clean images in `z_t` [B, C, H, W] at timesteps `t` [B].

        Raises:
            ValueError: If the network's output has another shape than the images.
        """
        output: Tensor = self.network(z_t, t)
        if output.shape != z_t.shape:
            raise ValueError(
                f"The network's output is {list(output.shape)}, but must be {list(z_t.shape)}"
            )
        return output.to(z_t.dtype)

    def draw(self, count: int, generator: Generator, phase: str = "model") -> tuple[Tensor, Tensor]:
        """Timesteps [count], uniform in 0 .. T-1, and indices of morph images [count]."""
        del phase
        t = torch.randint(
            self.schedule.timesteps, (count,), generator=generator, device=generator.device
        )
        return t, self.morph_set.draw(count, generator)

    def losses(
        self, x0: Tensor, *draws: Tensor, phase: str = "model", augment: Augment = as_they_are
    ) -> Tensor:
        """The error of the restored images, [B] (Bansal et al. 2022, eq. 1, with this loss)."""
        del phase
        t, index = draws
        x0 = augment(x0)
        z = to_float(self.morph_set.on(x0.device)[index])
        return self.loss(self.restore(self.degrade(x0, z, t), t), x0)

    def sample(
        self,
        count: int,
        generator: Generator,
        *,
        sampler: str,
        steps: int,
        start: str | Mapping[str, Any] = "images",
        **options: Any,
    ) -> Iterator[State]:
        """Run one of `MORPH_SAMPLERS` from one of `STARTS`; see `Family.sample`.

        Args:
            count: How many images.
            generator: The only source of randomness, on the family's device.
            sampler: The name of a sampler.
            steps: How many steps it takes.
            start: Where the chains start: a kind, or a mapping of a kind and its options.
            options: The sampler's own options.

        Raises:
            ValueError: If a name or an option is unknown, or a value is out of its range.
        """
        kind, settings = short_form(start, "sampler.start")
        z = call_named(
            STARTS,
            kind,
            settings,
            name_path="sampler.start",
            path="sampler.start",
            towards=self.morph_set,
            count=count,
            generator=generator,
        )
        return call_named(
            MORPH_SAMPLERS,
            sampler,
            options,
            name_path="sampler",
            path="sampler",
            model=self,
            x_T=z,
            z=z,
            t=self.schedule.timesteps - 1,
            steps=steps,
            generator=generator,
        )
