"""The variational bound on the negative log-likelihood of images, term by term.

Equations are those of Nichol & Dhariwal 2021. The model p(x_{t-1} | x_t) = N(mu, Sigma) (eq. 3) is
the posterior of the forward process (eq. 9-11) with the model's estimate in the place of x_0, and
with its own variance. The bound L_vlb (eq. 4) is the sum of

    L_0      -log p(x_0 | x_1): the image's bin under a decoder of 256 bins (eq. 5)
    L_{t-1}  KL(q(x_{t-1} | x_t, x_0) || p(x_{t-1} | x_t)), between two normals (eq. 6)
    L_T      KL(q(x_T | x_0) || N(0, I)), of which nothing is learned (eq. 7)

The paper's x_1 stands at t = 0 here, so the term that belongs to our timestep t is the paper's L_t.
All are in bits per dimension: nats, divided by log 2 and by C H W.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Generator, Tensor

from models.noise_schedule import Schedule
from models.predictions import Denoiser, Variance, predict_at

_HALF_BIN = 1 / 255  # images lie in [-1, 1]
_EDGE = 0.999  # beyond it, a bin is the first or the last
_FARTHEST = 1000.0  # deviations from the mean; farther off, log_ndtr's gradient overflows


@dataclass(frozen=True, eq=False)
class Bound:
    """The bound of B images, in bits per dimension.

    Attributes:
        total: L_vlb, [B]: the prior, and the sum of the terms by t.
        prior: L_T, [B].
        decoder: L_0, [B].
        by_t: L_t at each of `timesteps`, [B, n]; the first column is `decoder`.
        timesteps: Those that were evaluated, [n], rising from 0. In `total`, each term also stands
            for its neighbours that were left out.
    """

    total: Tensor
    prior: Tensor
    decoder: Tensor
    by_t: Tensor
    timesteps: Tensor


@torch.no_grad()
def bits_per_dim(
    model: Denoiser,
    x0: Tensor,
    generator: Generator,
    *,
    variance: Variance = "fixed_small",
    timesteps: int | None = None,
    clip_x0: bool = True,
) -> Bound:
    """The bound, with one draw of x_t for each image and timestep (Nichol & Dhariwal 2021, eq. 4).

    Args:
        model: What predicts the clean images.
        x0: Images, [B, C, H, W] float32: k / 127.5 - 1 for integers k in 0 .. 255.
        generator: The source of the noise, on the images' device.
        variance: Of p(x_{t-1} | x_t): beta tilde, beta, or what the model has learned.
        timesteps: How many timesteps to evaluate, 1 .. T, or all. t = 0 is always one of them; the
            others are closer together where t is small, for there the terms change fast.
        clip_x0: Clamp the estimates of the clean images to [-1, 1], where the data are.

    Raises:
        ValueError: If a value is out of its range, or the model has no variance of its own.
    """
    schedule = model.schedule.to(x0.device)
    visited, shares = _spaced(schedule.timesteps, timesteps)
    terms = []
    for t in visited:
        at = torch.full((len(x0),), t, device=x0.device)
        epsilon = torch.randn(x0.shape, generator=generator, device=x0.device, dtype=x0.dtype)
        x_t = schedule.add_noise(x0, at, epsilon)
        prediction = predict_at(model, x_t, t, clip_x0=clip_x0)
        log_variance = model_log_variance(schedule, at, x0, variance, prediction.variance_share)
        terms.append(bound_terms(schedule, x0, at, prediction.x0, log_variance))
    by_t = torch.stack(terms, dim=1)  # [B, n]
    prior = prior_term(schedule, x0)
    return Bound(
        total=prior + by_t @ torch.tensor(shares, dtype=by_t.dtype, device=by_t.device),
        prior=prior,
        decoder=by_t[:, 0],
        by_t=by_t,
        timesteps=torch.tensor(visited),
    )


def prior_term(schedule: Schedule, x0: Tensor) -> Tensor:
    """L_T (eq. 7): how much q(x_T | x_0) still differs from pure noise, [B] bits per dimension."""
    alpha_bar = schedule.alpha_bars[-1]  # float64: small, and so is what is left below
    nats = (-torch.log1p(-alpha_bar) - alpha_bar + alpha_bar * x0.double().square()) / 2
    return _bits(nats).to(x0.dtype)


def bound_terms(
    schedule: Schedule, x0: Tensor, t: Tensor, estimate: Tensor, log_variance: Tensor
) -> Tensor:
    """L_t of each image: the decoder's (eq. 5) where t = 0, the divergence (eq. 6) elsewhere.

    Args:
        schedule: The forward process.
        x0: Images, [B, C, H, W], float in [-1, 1].
        t: Timesteps, [B].
        estimate: The model's estimate of x0, [B, C, H, W], from x_t.
        log_variance: The logarithm of the model's variance, which broadcasts to [B, C, H, W].

    Returns:
        [B], in bits per dimension, differentiable in the last two.
    """
    first = (t == 0).view(-1, *[1] * (x0.ndim - 1))
    mean = torch.where(first, estimate, x0)  # at t = 0 the mean of eq. 10 is the estimate itself
    decoder = -discretised_log_likelihood(x0, mean, log_variance)
    divergence = _divergence(schedule, x0, t, estimate, log_variance)
    return _bits(torch.where(first, decoder, divergence))


def _divergence(
    schedule: Schedule, x0: Tensor, t: Tensor, estimate: Tensor, log_variance: Tensor
) -> Tensor:
    """KL(q(x_{t-1} | x_t, x_0) || p(x_{t-1} | x_t)) of each pixel, in nats.

    Both means hold the same share of x_t (eq. 10), so they differ by the error of the estimate:
    taking it so loses no digits.
    """
    log_posterior, _ = schedule.log_variance_range(t, x0)
    x0_scale, _ = schedule.posterior_scales(t, x0)
    ratio = log_posterior - log_variance
    error = (x0_scale * (x0 - estimate)).square() * torch.exp(-log_variance)
    return (torch.expm1(ratio) - ratio + error) / 2


def discretised_log_likelihood(x: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """The logarithm of a normal's mass in the bin of each pixel (Ho et al. 2020, eq. 13).

    There are 256 bins of width 2 / 255 around the values that a pixel can have; the first and the
    last are open to minus and plus infinity.

    Args:
        x: Pixels, [B, ...] float in [-1, 1].
        mean: The normal's mean, which broadcasts to `x`'s shape.
        log_variance: The logarithm of its variance, likewise.

    Returns:
        Nats, shaped like `x`; no less than about -500,000.
    """
    scale = torch.exp(-log_variance / 2)
    lower = ((x - _HALF_BIN - mean) * scale).clamp(-_FARTHEST, _FARTHEST)
    upper = ((x + _HALF_BIN - mean) * scale).clamp(-_FARTHEST, _FARTHEST)
    # The same mass, mirrored to the left of the mean: there logarithms keep their digits.
    right = lower + upper > 0
    near = torch.special.log_ndtr(torch.where(right, -lower, upper))
    far = torch.special.log_ndtr(torch.where(right, -upper, lower))
    inside = near + torch.log(-torch.expm1((far - near).clamp(max=-1e-12)))
    first, last = torch.special.log_ndtr(upper), torch.special.log_ndtr(-lower)
    return torch.where(x < -_EDGE, first, torch.where(x > _EDGE, last, inside))


def model_log_variance(
    schedule: Schedule, t: Tensor, like: Tensor, variance: Variance, share: Tensor | None
) -> Tensor:
    """The logarithm of the variance of p(x_{t-1} | x_t), which broadcasts to `like`'s shape.

    At t = 0 the fixed ones are both beta tilde of the next timestep, as in the code of both papers.

    Args:
        schedule: The forward process.
        t: Timesteps, [B].
        like: A tensor of B rows.
        variance: Which one.
        share: For `learned`, the share of log beta, the rest being log beta tilde's (eq. 15).

    Raises:
        ValueError: If `variance` is unknown, or `learned` and there is no share.
    """
    check_variance(variance, share)
    smallest, largest = schedule.log_variance_range(t, like)
    if variance == "fixed_small":
        return smallest
    if share is not None and variance == "learned":
        return share * largest + (1 - share) * smallest
    return torch.where((t == 0).view_as(smallest), smallest, largest)


def check_variance(variance: str, share: Tensor | None) -> None:
    """Check that a model with this share of a variance has such a variance.

    Raises:
        ValueError: If it has not.
    """
    if variance not in ("fixed_small", "fixed_large", "learned"):
        raise ValueError(
            f"The value of `variance` is {variance!r}, but must be 'fixed_small', 'fixed_large' "
            "or 'learned'"
        )
    if variance == "learned" and share is None:
        raise ValueError(
            "The value of `variance` is 'learned', but must be 'fixed_small' or 'fixed_large': "
            "the model has learned no variance"
        )


def _bits(nats: Tensor) -> Tensor:
    """Bits per dimension of each image, [B]."""
    return nats.flatten(1).mean(1) / math.log(2)


def _spaced(timesteps: int, count: int | None) -> tuple[list[int], list[int]]:
    """Timesteps, and how many each one stands for: 0, and the middles of parts of 1 .. T-1.

    The parts' lengths grow in proportion to t.
    """
    if count is None:
        count = timesteps
    if not 1 <= count <= timesteps:
        raise ValueError(
            f"The value of `timesteps` is {count}, but must be in 1 .. {timesteps}, the model's own"
        )
    parts = count - 1
    edges = [1]
    for i in range(1, count):
        edges.append(max(1 + round((timesteps - 1) * (i / parts) ** 2), edges[-1] + 1))
    middles = [(left + right - 1) // 2 for left, right in pairwise(edges)]
    return [0, *middles], [1, *(right - left for left, right in pairwise(edges))]
