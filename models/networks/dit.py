"""A small diffusion transformer (DiT: Peebles & Xie 2023)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.networks.checks import (
    check_at_least,
    check_divisible,
    check_dropout,
    output_channels,
)
from models.networks.embeddings import TimestepEmbedding

_SINUSOIDS = 64  # of the timestep


class DiT(nn.Module):
    """Square patches as tokens, transformer blocks steered by the timestep, patches back.

    Args:
        image_shape: (C, H, W) of the images.
        patch: Side of a patch, in pixels.
        width: Length of a token.
        depth: Number of blocks.
        heads: Of the attention.
        dropout: Share of the activations dropped on each branch, in [0, 1).
        out_channels: Of the output; None: as many as the images have.

    Raises:
        ValueError: If a value is out of its range, `width` is no multiple of `heads` and of 4, or
            the images' sides are no multiple of `patch`.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        *,
        patch: int = 2,
        width: int = 64,
        depth: int = 4,
        heads: int = 4,
        dropout: float = 0.0,
        out_channels: int | None = None,
    ) -> None:
        """Build the layers."""
        super().__init__()
        for name, value in (("patch", patch), ("width", width), ("depth", depth), ("heads", heads)):
            check_at_least(name, value, 1)
        if width % heads or width % 4:
            raise ValueError(
                f"The value of `width` is {width}, but must be a multiple of 4 and of `heads`, "
                f"which is {heads}"
            )
        check_dropout(dropout)
        check_divisible(image_shape, patch, f"with a `patch` of {patch}")
        images, height, width_ = image_shape
        outputs = output_channels(image_shape, out_channels)
        self.patch = patch
        self.grid = (height // patch, width_ // patch)
        self.embed = nn.Sequential(TimestepEmbedding(_SINUSOIDS, width), nn.SiLU())
        self.patchify = nn.Linear(images * patch**2, width)
        self.blocks = nn.ModuleList(AdaLNZeroBlock(width, heads, dropout) for _ in range(depth))
        self.norm = _norm(width)
        self.modulation = nn.Linear(width, 2 * width)
        self.head = nn.Linear(width, outputs * patch**2)
        _initialise(self)

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        """Map noisy images [B, C, H, W] and timesteps [B] to [B, out_channels, H, W]."""
        embedding = self.embed(t)[:, None]  # [B, 1, width]
        patches = F.pixel_unshuffle(x_t, self.patch).flatten(2).mT  # [B, tokens, C * patch^2]
        h = self.patchify(patches)  # [B, tokens, width]
        h = h + sinusoidal_positions(self.grid, h.shape[2], x_t.device)
        for block in self.blocks:
            h = block(h, embedding)
        shift, scale = self.modulation(embedding).chunk(2, dim=-1)  # [B, 1, width] each
        h = self.head(_modulate(self.norm(h), shift, scale))  # [B, tokens, out_channels * patch^2]
        output: Tensor = F.pixel_shuffle(h.mT.unflatten(2, self.grid), self.patch)
        return output  # [B, out_channels, H, W]


class AdaLNZeroBlock(nn.Module):
    """Attention and an MLP, each shifted, scaled and gated by the timestep (figure 3, adaLN-Zero).

    It starts as the identity, its gates being zero.

    Args:
        width: Length of a token.
        heads: Of the attention.
        dropout: Share of the activations dropped on each branch.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        """Build the layers."""
        super().__init__()
        self.heads = heads
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()
        self.modulation = nn.Linear(width, 6 * width)
        self.norm1 = _norm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)
        self.norm2 = _norm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(approximate="tanh"), nn.Linear(4 * width, width)
        )

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """Map tokens [B, N, width] and the timestep's embedding [B, 1, width] to tokens."""
        shift1, scale1, gate1, shift2, scale2, gate2 = self.modulation(embedding).chunk(6, dim=-1)
        h = self._attention(_modulate(self.norm1(x), shift1, scale1))
        x = x + gate1 * self.dropout(h)
        h = self.mlp(_modulate(self.norm2(x), shift2, scale2))
        output: Tensor = x + gate2 * self.dropout(h)
        return output

    def _attention(self, x: Tensor) -> Tensor:
        query_key_value = self.query_key_value(x).unflatten(2, (3, self.heads, -1))
        query, key, value = query_key_value.permute(2, 0, 3, 1, 4)  # [B, heads, N, width / heads]
        h = F.scaled_dot_product_attention(query, key, value)
        output: Tensor = self.output(h.transpose(1, 2).flatten(2))  # [B, N, width]
        return output


def sinusoidal_positions(grid: tuple[int, int], width: int, device: torch.device) -> Tensor:
    """Where each patch lies, [H*W, width]: half the sinusoids are of its row, half of its column.

    Vaswani et al. 2017, section 3.5, for each of the two axes; the rows come first.

    Args:
        grid: How many patches lie (down, across).
        width: How many sinusoids, a multiple of 4.
        device: Where to make them. Made anew each time, not kept as a buffer:
            DistributedDataParallel would send a buffer round in every batch.
    """
    pairs = width // 4
    frequencies = torch.exp(-math.log(10_000) * torch.arange(pairs, device=device) / pairs)
    rows, columns = (torch.arange(n, device=device)[:, None] * frequencies for n in grid)
    angles = torch.cat(
        [
            rows[:, None].expand(*grid, pairs),
            columns[None].expand(*grid, pairs),
        ],
        dim=2,
    ).flatten(0, 1)  # [H*W, width / 2]
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def _norm(width: int) -> nn.LayerNorm:
    """Its weight and bias come from the timestep."""
    return nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)


def _modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    return torch.addcmul(shift, x, 1 + scale)


def _initialise(network: DiT) -> None:
    """Xavier's weights, and zeros where a branch or the output must start at zero (section 3.2)."""
    for module in network.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
    zeros = [network.head, network.modulation]
    for block in network.blocks:
        assert isinstance(block, AdaLNZeroBlock)
        zeros.append(block.modulation)
    for linear in zeros:
        nn.init.zeros_(linear.weight)
