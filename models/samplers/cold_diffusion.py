"""Samplers of morphing models (Bansal et al. 2022, "Cold Diffusion").

They draw nothing: the same morph images give the same samples. In all of them the morph image `z`
that the chain started from stays what it is. Estimating it anew at each step, from z_t and the
restored image, would turn both algorithms into DDIM with z in the place of the noise.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Generator, Tensor

from models.family import State
from models.noise_schedule import Schedule
from models.samplers.spacing import respaced, through


class Restorer(Protocol):
    """What these samplers ask of a model."""

    @property
    def schedule(self) -> Schedule:
        """How much of the clean image is left at each timestep."""

    def restore(self, z_t: Tensor, t: Tensor) -> Tensor:
        """The clean images in `z_t` [B, C, H, W] at timesteps `t` [B]."""


@torch.no_grad()
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
    x, z, t = _begin(model, x_T, z, t)
    for now, _, alpha_bar_next in through(model.schedule, respaced(t + 1, steps, "trailing")):
        restored = _restore(model, x, now)
        x = _degrade(restored, z, alpha_bar_next)
        yield State(now, x, restored)


@torch.no_grad()
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
    x, z, t = _begin(model, x_T, z, t)
    visited = respaced(t + 1, steps, "trailing")
    for now, alpha_bar, alpha_bar_next in through(model.schedule, visited):
        restored = _restore(model, x, now)
        x = x - _degrade(restored, z, alpha_bar) + _degrade(restored, z, alpha_bar_next)
        yield State(now, x, restored)


@torch.no_grad()
def one_shot(
    model: Restorer,
    x_T: Tensor,
    *,
    steps: int,
    generator: Generator,
    z: Tensor | None = None,
    t: int | None = None,
) -> Iterator[State]:
    """Restore once: one step, however many `steps` are allowed. Arguments are those of `naive`."""
    del steps, generator
    x, _, t = _begin(model, x_T, z, t)
    restored = _restore(model, x, t)
    yield State(t, restored, restored)


def _begin(
    model: Restorer, x_T: Tensor, z: Tensor | None, t: int | None
) -> tuple[Tensor, Tensor, int]:
    return x_T, x_T if z is None else z, model.schedule.timesteps - 1 if t is None else t


def _restore(model: Restorer, x: Tensor, t: int) -> Tensor:
    return model.restore(x, torch.full((len(x),), t, device=x.device))


def _degrade(x: Tensor, z: Tensor, alpha_bar: float) -> Tensor:
    """D(x, t), with plain numbers: after the last step alpha_bar is 1, which no timestep has."""
    return math.sqrt(alpha_bar) * x + math.sqrt(1 - alpha_bar) * z
