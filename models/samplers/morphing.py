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
from models.samplers.spacing import respaced, through
from models.schedule import Schedule


class Restorer(Protocol):
    """What these samplers ask of a model."""

    @property
    def schedule(self) -> Schedule:
        """How much of the clean image is left at each timestep."""

    def restore(self, z_t: Tensor, t: Tensor) -> Tensor:
        """The clean images in `z_t` [B, C, H, W] at timesteps `t` [B]."""


@torch.no_grad()
def naive(
    model: Restorer, x_T: Tensor, *, z: Tensor, t: int, steps: int, generator: Generator
) -> Iterator[State]:
    """Restore, degrade a little less, and again (Bansal et al. 2022, algorithm 1).

    Args:
        model: What restores.
        x_T: Degraded images, [B, C, H, W].
        z: The morph images that they were degraded towards, [B, C, H, W].
        t: The timestep that they stand at.
        steps: How many timesteps to visit, 1 .. t + 1.
        generator: Unused, as nothing is drawn.

    Raises:
        ValueError: If `steps` is out of its range.
    """
    del generator
    x = x_T
    for now, _, alpha_bar_next in through(model.schedule, respaced(t + 1, steps, "trailing")):
        restored = _restore(model, x, now)
        x = _degrade(restored, z, alpha_bar_next)
        yield State(now, x, restored)


@torch.no_grad()
def improved(
    model: Restorer, x_T: Tensor, *, z: Tensor, t: int, steps: int, generator: Generator
) -> Iterator[State]:
    """Move by the difference of two degradations (Bansal et al. 2022, algorithm 2).

    z_{t-1} = z_t - D(x, t) + D(x, t-1), with D(x, t) = sqrt(alpha_bar_t) x + sqrt(1 - alpha_bar_t)
    z. An error in the restored x counts only for the little that the two differ. Arguments are
    those of `naive`.
    """
    del generator
    x = x_T
    visited = respaced(t + 1, steps, "trailing")
    for now, alpha_bar, alpha_bar_next in through(model.schedule, visited):
        restored = _restore(model, x, now)
        x = x - _degrade(restored, z, alpha_bar) + _degrade(restored, z, alpha_bar_next)
        yield State(now, x, restored)


@torch.no_grad()
def one_shot(
    model: Restorer, x_T: Tensor, *, z: Tensor, t: int, steps: int, generator: Generator
) -> Iterator[State]:
    """Restore once: one step, however many `steps` are allowed. Arguments are those of `naive`."""
    del z, steps, generator
    restored = _restore(model, x_T, t)
    yield State(t, restored, restored)


def _restore(model: Restorer, x: Tensor, t: int) -> Tensor:
    return model.restore(x, torch.full((len(x),), t, device=x.device))


def _degrade(x: Tensor, z: Tensor, alpha_bar: float) -> Tensor:
    """D(x, t), with plain numbers: after the last step alpha_bar is 1, which no timestep has."""
    return math.sqrt(alpha_bar) * x + math.sqrt(1 - alpha_bar) * z
