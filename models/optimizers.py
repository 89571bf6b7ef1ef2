"""What moves the weights: optimizers, the learning rate's course, penalties on the weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Literal

import torch
from torch import Tensor

Parameters = Iterable[torch.nn.Parameter]
Decay = Literal["none", "cosine"]


def adam(
    kind: type[torch.optim.Adam],
    parameters: Parameters,
    *,
    learning_rate: float,
    weight_decay: float,
    betas: Sequence[float] = (0.9, 0.999),
) -> torch.optim.Optimizer:
    """Adam, in torch's class for either kind of weight decay.

    `torch.optim.Adam` adds weight decay to the gradient (Kingma & Ba 2015); `torch.optim.AdamW`
    decouples it (Loshchilov & Hutter 2019).

    Raises:
        ValueError: If `betas` are not two numbers in [0, 1).
    """
    if len(betas) != 2 or not all(0 <= beta < 1 for beta in betas):
        raise ValueError(f"The value of `betas` is {list(betas)}, but must be two, in [0, 1)")
    return kind(
        parameters,
        lr=learning_rate,
        weight_decay=weight_decay,
        betas=(betas[0], betas[1]),
        fused=True,
    )


def sgd(
    parameters: Parameters, *, learning_rate: float, weight_decay: float, momentum: float = 0.9
) -> torch.optim.Optimizer:
    """Stochastic gradient descent with momentum in [0, 1)."""
    if not 0 <= momentum < 1:
        raise ValueError(f"The value of `momentum` is {momentum}, but must be in [0, 1)")
    return torch.optim.SGD(
        parameters, lr=learning_rate, weight_decay=weight_decay, momentum=momentum, fused=True
    )


OPTIMIZERS: Mapping[str, Callable[..., torch.optim.Optimizer]] = MappingProxyType(
    {
        "adam": partial(adam, torch.optim.Adam),
        "adamw": partial(adam, torch.optim.AdamW),
        "sgd": sgd,
    }
)
"""The optimizers by name: each takes parameters, learning rate, weight decay, and its options."""


def rate_share(images_seen: int, *, warmup_images: int, decay: Decay, total_images: int) -> float:
    """The share of the full learning rate, in [0, 1], for the batch after `images_seen` images.

    It rises linearly over the first `warmup_images`, then stays, or falls along half a cosine to 0
    at `total_images` (Loshchilov & Hutter 2017, eq. 5, without restarts).
    """
    if images_seen < warmup_images:
        return (images_seen + 1) / (warmup_images + 1)
    if decay == "none":
        return 1.0
    span = max(total_images - warmup_images, 1)
    progress = min((images_seen - warmup_images) / span, 1.0)
    return 0.5 * (1 + math.cos(math.pi * progress))


def add_penalty_gradients(
    weights: list[Tensor], gradients: list[Tensor], l1: float, l2: float
) -> None:
    """Add to gradients those of l1 * sum |w| + l2 * sum w^2, in place.

    Unlike `weight_decay` the penalties mean the same for every optimizer.
    """
    if l1:
        torch._foreach_add_(gradients, torch._foreach_sign(weights), alpha=l1)
    if l2:
        torch._foreach_add_(gradients, weights, alpha=2 * l2)
