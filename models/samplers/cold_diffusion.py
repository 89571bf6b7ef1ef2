"""Samplers of morphing models (Bansal et al. 2022, "Cold Diffusion").

They draw nothing: the same morph images give the same samples. In all of them the morph image `z`
that the chain started from stays what it is. Estimating it anew at each step, from z_t and the
restored image, would turn both algorithms into DDIM with z in the place of the noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Protocol

import torch
from torch import Generator, Tensor

from models.family import State
from models.noise_schedule import Schedule
from models.samplers.spacing import respaced, through

Advance = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(z_t, D(x, t), D(x, t-1)) -> z_{t-1}, with x the restored images."""


class Restorer(Protocol):
    """What these samplers ask of a model."""

    @property
    def schedule(self) -> Schedule:
        """How much of the clean image is left at each timestep."""

    def restore(self, z_t: Tensor, t: Tensor) -> Tensor:
        """The clean images in `z_t` [B, C, H, W] at timesteps `t` [B]."""


def naive(
    model: Restorer,
    x_T: Tensor,
    *,
    steps: int,
    generator: Generator,
    z: Tensor | None = None,
    t: int | None = None,
) -> Iterator[State]:
    """Restore, degrade a little less, and again (Bansal et al. 2022, algorithm 1).

    Args:
        model: What restores.
        x_T: Degraded images, [B, C, H, W]; by default wholly, which is morph images.
        steps: How many timesteps to visit, 1 .. t + 1.
        generator: Unused, as nothing is drawn.
        z: The morph images that `x_T` were degraded towards, [B, C, H, W]; `x_T` by default.
        t: The timestep that `x_T` stand at; T-1 by default.

    Raises:
        ValueError: If `steps` is out of its range.
    """
    del generator
    return _restore_stepwise(model, x_T, z, t, steps, lambda z_t, degraded, less: less)


def improved(
    model: Restorer,
    x_T: Tensor,
    *,
    steps: int,
    generator: Generator,
    z: Tensor | None = None,
    t: int | None = None,
) -> Iterator[State]:
    """Move by the difference of two degradations (Bansal et al. 2022, algorithm 2).

    z_{t-1} = z_t - D(x, t) + D(x, t-1), with D(x, t) = sqrt(alpha_bar_t) x + sqrt(1 - alpha_bar_t)
    z. An error in the restored x counts only for the little that the two differ. Arguments are
    those of `naive`.
    """
    del generator
    return _restore_stepwise(
        model, x_T, z, t, steps, lambda z_t, degraded, less: z_t - degraded + less
    )


def one_shot(
    model: Restorer,
    x_T: Tensor,
    *,
    steps: int,
    generator: Generator,
    z: Tensor | None = None,
    t: int | None = None,
) -> Iterator[State]:
    """Restore once: `naive` in one step, however many `steps` are allowed."""
    del steps
    return naive(model, x_T, steps=1, generator=generator, z=z, t=t)


@torch.no_grad()
def _restore_stepwise(
    model: Restorer, x_T: Tensor, z: Tensor | None, t: int | None, steps: int, advance: Advance
) -> Iterator[State]:
    x = x_T
    z = x_T if z is None else z
    start = model.schedule.timesteps - 1 if t is None else t
    visited = respaced(start + 1, steps, "trailing")
    for now, alpha_bar, alpha_bar_next in through(model.schedule, visited):
        restored = model.restore(x, torch.full((len(x),), now, device=x.device))
        x = advance(x, _degrade(restored, z, alpha_bar), _degrade(restored, z, alpha_bar_next))
        yield State(now, x, restored)


def _degrade(x: Tensor, z: Tensor, alpha_bar: float) -> Tensor:
    """D(x, t), with plain numbers: after the last step alpha_bar is 1, which no timestep has."""
    return math.sqrt(alpha_bar) * x + math.sqrt(1 - alpha_bar) * z
