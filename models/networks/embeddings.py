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

    def __init__(self, sinusoids: int, width: int, *, max_period: float = 10_000.0) -> None:
        """Build the MLP."""
        super().__init__()
        self.pairs = sinusoids // 2
        self.max_period = max_period
        self.mlp = nn.Sequential(
            nn.Linear(2 * self.pairs, width), nn.SiLU(), nn.Linear(width, width)
        )

    def forward(self, t: Tensor) -> Tensor:
        """Embed timesteps [B], integer or float, as [B, width]."""
        # made anew, not a buffer: DistributedDataParallel would send a buffer round in every batch
        exponents = torch.arange(self.pairs, device=t.device) / max(self.pairs - 1, 1)
        angles = t[:, None] * torch.exp(-math.log(self.max_period) * exponents)  # [B, pairs]
        embedding: Tensor = self.mlp(torch.cat([angles.sin(), angles.cos()], dim=1))  # [B, width]
        return embedding
