"""DPM-Solver++(2M)."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Generator, Tensor

from models.family import State
from models.predictions import Denoiser, predict_at
from models.samplers.spacing import Spacing, path


@torch.no_grad()
def dpm_solver(
    model: Denoiser,
    x_T: Tensor,
    *,
    steps: int,
    generator: Generator,
    clip_x0: bool = True,
    spacing: Spacing = "trailing",
) -> Iterator[State]:
    """DPM-Solver++(2M), a multistep solver of second order (Lu et al. 2022, algorithm 2).

    It extrapolates the estimates of the clean images from the last two steps, over lambda =
    log(alpha / sigma). The first step has nothing to extrapolate from, and the last one ends in
    clean images, where lambda is infinite: these two are of first order, which is DDIM.

    Args:
        model: What predicts the clean images.
        x_T: Standard normal noise, [B, C, H, W].
        steps: How many timesteps to visit, 1 .. T.
        generator: Unused, as nothing is drawn.
        clip_x0: Clamp each estimate of the clean images to [-1, 1], where the data are.
        spacing: Which timesteps to visit, see `respaced`.

    Raises:
        ValueError: If `steps` or `spacing` is not one of those.
    """
    del generator
    x = x_T
    previous: tuple[Tensor, float] | None = None  # the last step's estimate and its lambda
    for t, alpha_bar, alpha_bar_next in path(model.schedule, steps, spacing):
        x0 = predict_at(model, x, t, clip_x0=clip_x0).x0
        if alpha_bar_next == 1:
            x = x0
        else:
            now, after = _log_ratio(alpha_bar), _log_ratio(alpha_bar_next)
            h = after - now
            target = x0
            if previous is not None:
                older, before = previous
                target = x0 + h / (2 * (now - before)) * (x0 - older)
            shrink = math.sqrt((1 - alpha_bar_next) / (1 - alpha_bar))
            x = shrink * x - math.sqrt(alpha_bar_next) * math.expm1(-h) * target
            previous = x0, now
        yield State(t, x, x0)


def _log_ratio(alpha_bar: float) -> float:
    """Lambda, half the logarithm of the signal-to-noise ratio."""
    return (math.log(alpha_bar) - math.log1p(-alpha_bar)) / 2
