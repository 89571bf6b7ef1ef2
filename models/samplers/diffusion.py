"""Ancestral sampling, and DDIM in both directions."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Generator, Tensor

from models.bound import check_variance
from models.family import State
from models.predictions import Denoiser, Variance, predict_at
from models.samplers.spacing import Spacing, path


@torch.no_grad()
def ancestral(
    model: Denoiser,
    x_T: Tensor,
    *,
    steps: int,
    generator: Generator,
    clip_x0: bool = True,
    spacing: Spacing = "trailing",
    variance: Variance = "fixed_small",
) -> Iterator[State]:
    """Ancestral sampling (Ho et al. 2020, algorithm 2; Nichol & Dhariwal 2021, section 4).

    Args:
        model: What predicts the clean images and the noise.
        x_T: Standard normal noise, [B, C, H, W].
        steps: How many timesteps to visit, 1 .. T.
        generator: Source of the noise that each step but the last one adds.
        clip_x0: Clamp each estimate of the clean images to [-1, 1], where the data are.
        spacing: Which timesteps to visit, see `respaced`.
        variance: Of the noise added: `fixed_small` is beta tilde, the lower bound, and far better
            with few steps; `fixed_large` is beta; `learned` is what the model says, between both
            (Nichol & Dhariwal 2021, eq. 15). With few steps, both bounds are the respaced chain's.

    Raises:
        ValueError: If `steps`, `spacing` or `variance` is not one of those, or the model has
            learned no variance.
    """
    x = x_T
    for t, alpha_bar, alpha_bar_next in path(model.schedule, steps, spacing):
        prediction = predict_at(model, x, t, clip_x0=clip_x0)
        check_variance(variance, prediction.variance_share)
        x0 = prediction.x0
        alpha = alpha_bar / alpha_bar_next  # of the respaced chain
        beta = 1 - alpha
        x = (
            math.sqrt(alpha_bar_next) * beta / (1 - alpha_bar) * x0
            + math.sqrt(alpha) * (1 - alpha_bar_next) / (1 - alpha_bar) * x
        )
        if alpha_bar_next < 1:  # the last step ends in clean images, and adds no noise
            beta_tilde = beta * (1 - alpha_bar_next) / (1 - alpha_bar)
            noise = _noise_like(x, generator)
            if prediction.variance_share is not None and variance == "learned":
                low, high = math.log(beta_tilde) / 2, math.log(beta) / 2
                x = x + torch.exp(low + (high - low) * prediction.variance_share) * noise
            else:
                x = x + math.sqrt(beta_tilde if variance == "fixed_small" else beta) * noise
        yield State(t, x, x0)


@torch.no_grad()
def ddim(
    model: Denoiser,
    x_T: Tensor,
    *,
    steps: int,
    generator: Generator,
    clip_x0: bool = True,
    spacing: Spacing = "trailing",
    eta: float = 0.0,
) -> Iterator[State]:
    """DDIM (Song, Meng & Ermon 2021, eq. 12 and 16).

    Args:
        model: What predicts the clean images and the noise.
        x_T: Standard normal noise, [B, C, H, W].
        steps: How many timesteps to visit, 1 .. T.
        generator: Source of the noise that each step but the last adds; unused if `eta` is 0.
        clip_x0: Clamp each estimate of the clean images to [-1, 1], where the data are, and take
            the noise that goes with it (in diffusers `use_clipped_model_output`).
        spacing: Which timesteps to visit, see `respaced`.
        eta: From 0, deterministic, to 1, the variance of `ancestral` with `fixed_small`.

    Raises:
        ValueError: If `steps` or `spacing` is not one of those, or `eta` is outside [0, 1].
    """
    if not 0 <= eta <= 1:
        raise ValueError(f"The value of `eta` is {eta}, but must be in [0, 1]")
    x = x_T
    for t, alpha_bar, alpha_bar_next in path(model.schedule, steps, spacing):
        prediction = predict_at(model, x, t, clip_x0=clip_x0)
        x0, epsilon = prediction.x0, prediction.epsilon
        if clip_x0:
            # The noise that makes x of the clamped estimate: otherwise the two no longer add up to
            # x, and more steps make worse images.
            epsilon = (x - math.sqrt(alpha_bar) * x0) / math.sqrt(1 - alpha_bar)
        beta_tilde = (1 - alpha_bar_next) / (1 - alpha_bar) * (1 - alpha_bar / alpha_bar_next)
        sigma = eta * math.sqrt(beta_tilde)
        direction = math.sqrt(max(1 - alpha_bar_next - sigma**2, 0.0))
        x = math.sqrt(alpha_bar_next) * x0 + direction * epsilon
        if sigma > 0:
            x = x + sigma * _noise_like(x, generator)
        yield State(t, x, x0)


@torch.no_grad()
def ddim_invert(
    model: Denoiser,
    x0: Tensor,
    *,
    steps: int,
    iterations: int = 3,
    spacing: Spacing = "trailing",
) -> Iterator[State]:
    """DDIM backwards: from images to the noise that `ddim` would make them of.

    Each step of `ddim` with `eta` 0 and no clipping, x -> a x + b epsilon(x, t), is solved for the
    x it came from. Song, Meng & Ermon 2021, section 5.4, take the noise to be the same at both ends
    of the step, which is one round of a fixed-point iteration; more rounds come closer (Pan et al.
    2023), as long as steps are short. To get the images back, `ddim` must not clip either, and
    `leading` spacing is better: at T-1 next to nothing of an image is left to find.

    Args:
        model: What predicts the clean images and the noise.
        x0: Images, [B, C, H, W] float in [-1, 1].
        steps: How many timesteps to visit, 1 .. T.
        iterations: Rounds for each step, >= 1.
        spacing: Which timesteps to visit, see `respaced`.

    Yields:
        The state after each step, t rising; the last `x` is the noise.

    Raises:
        ValueError: If a value is not one of those.
    """
    if iterations < 1:
        raise ValueError(f"The value of `iterations` is {iterations}, but must be >= 1")
    x = x0
    for t, alpha_bar, alpha_bar_next in reversed(list(path(model.schedule, steps, spacing))):
        # Of a step of `ddim`, from t to t_next; here from t_next to t.
        a = math.sqrt(alpha_bar_next / alpha_bar)
        b = math.sqrt(1 - alpha_bar_next) - a * math.sqrt(1 - alpha_bar)
        guess = x
        for _ in range(iterations):
            prediction = predict_at(model, guess, t, clip_x0=False)
            guess = (x - b * prediction.epsilon) / a
        x = guess
        yield State(t, x, prediction.x0)


def _noise_like(x: Tensor, generator: Generator) -> Tensor:
    return torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)
