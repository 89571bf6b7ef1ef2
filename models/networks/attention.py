"""Self-attention between the pixels of a feature map."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class PixelAttention(nn.Module):
    """Group norm, one head of self-attention over all pixels, and a residual connection.

    As Ho et al. 2020, appendix B, put it into their U-Net at one resolution. It starts as the
    identity, its last layer being zero.

    Args:
        channels: Of the feature map.
    """

    def __init__(self, channels: int) -> None:
        """Build the layers."""
        super().__init__()
        self.norm = nn.GroupNorm(1, channels)
        self.query_key_value = nn.Linear(channels, 3 * channels)
        self.output = nn.Linear(channels, channels)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, C, H, W] to the same shape."""
        # a view, where the channels come last in memory
        tokens = self.norm(x).permute(0, 2, 3, 1).flatten(1, 2)  # [B, H*W, C]
        query, key, value = self.query_key_value(tokens).unsqueeze(1).chunk(3, dim=-1)
        h = F.scaled_dot_product_attention(query, key, value).squeeze(1)  # [B, H*W, C]
        h = self.output(h).unflatten(1, x.shape[2:]).permute(0, 3, 1, 2)  # [B, C, H, W]
        output: Tensor = x + h
        return output
