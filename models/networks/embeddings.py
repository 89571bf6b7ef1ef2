"""Embeddings of the conditions that a network sees beside its images."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class TimestepEmbedding(nn.Module):
    """Sinusoids of the timestep, then a small MLP.

    Vaswani et al. 2017, section 3.5, as used by Ho et al. 2020, appendix B.

    Args:
        sinusoids: The number of sinusoids, even; wavelengths run geometrically from 2 pi to
            `max_period` * 2 pi.
        width: The length of the embedding.
        max_period: The longest wavelength over 2 pi, in timesteps.
    """

    frequencies: Tensor

    def __init__(self, sinusoids: int, width: int, *, max_period: float = 10_000.0) -> None:
        """Build the table of frequencies and the MLP."""
        super().__init__()
        half = sinusoids // 2
        exponents = torch.arange(half) / max(half - 1, 1)
        self.register_buffer(
            "frequencies", torch.exp(-math.log(max_period) * exponents), persistent=False
        )
        self.mlp = nn.Sequential(nn.Linear(2 * half, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, t: Tensor) -> Tensor:
        """Embed timesteps [B], integer or float, as [B, width]."""
        angles = t.to(self.frequencies.dtype)[:, None] * self.frequencies  # [B, sinusoids / 2]
        embedding: Tensor = self.mlp(torch.cat([angles.sin(), angles.cos()], dim=1))  # [B, width]
        return embedding
