"""A small residual U-Net (Ronneberger et al. 2015; for diffusion Ho et al. 2020)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.networks.attention import PixelAttention
from models.networks.checks import (
    check_channels,
    check_divisible,
    check_dropout,
    output_channels,
)
from models.networks.embeddings import TimestepEmbedding


class UNet(nn.Module):
    """Residual blocks at one resolution for each channel count, with skip connections between them.

    One block a resolution goes down, one comes up, two lie at the bottom. Built to be quick on a
    CPU core: channels change in a 1x1 convolution before upsampling, which takes 36 times less
    work than the usual 3x3 one after it.

    Args:
        image_shape: (C, H, W) of the images.
        channels: Of each resolution, from the images' own to the smallest; each next one has half
            the side.
        attention: Heights in pixels of the feature maps on which each block is followed by
            self-attention.
        dropout: Share of the activations dropped before each block's second convolution, in [0, 1).
        embedding: Length of the timestep embedding.
        out_channels: Of the output; None: as many as the images have.

    Raises:
        ValueError: If the channels are not one or more positive integers, the images' sides cannot
            be halved often enough, no feature map has a height in `attention`, or another value is
            out of its range.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        channels: Sequence[int] = (16, 32, 64),
        *,
        attention: Sequence[int] = (),
        dropout: float = 0.0,
        embedding: int = 64,
        out_channels: int | None = None,
    ) -> None:
        """Build the layers."""
        super().__init__()
        _check(image_shape, channels, attention, dropout, embedding)
        first, last = channels[0], channels[-1]
        self.embed = nn.Sequential(TimestepEmbedding(embedding // 2, embedding), nn.SiLU())
        self.stem = nn.Conv2d(image_shape[0], first, 3, padding=1)
        self.down_blocks = nn.ModuleList(Block(c, c, embedding, dropout) for c in channels[:-1])
        self.downsamples = nn.ModuleList(
            nn.Conv2d(c, deeper, 3, stride=2, padding=1) for c, deeper in pairwise(channels)
        )
        self.middle_blocks = nn.ModuleList(Block(last, last, embedding, dropout) for _ in range(2))
        self.upsamples = nn.ModuleList(
            nn.Sequential(nn.Conv2d(deeper, c, 1), nn.Upsample(scale_factor=2))
            for c, deeper in reversed(list(pairwise(channels)))
        )
        self.up_blocks = nn.ModuleList(
            Block(2 * c, c, embedding, dropout) for c in reversed(channels[:-1])
        )
        outputs = output_channels(image_shape, out_channels)
        self.head = nn.Sequential(
            _norm(first), nn.SiLU(), _zero(nn.Conv2d(first, outputs, 3, padding=1))
        )
        # built last: the weights of all else are what they are without attention
        for block, height in self._blocks(image_shape[1]):
            if height in attention:
                block.attention = PixelAttention(block.conv2.out_channels)
        self.to(memory_format=torch.channels_last)

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        """Map noisy images [B, C, H, W] and timesteps [B] to [B, out_channels, H, W]."""
        embedding = self.embed(t)  # [B, embedding]
        h = self.stem(x_t.contiguous(memory_format=torch.channels_last))  # [B, channels[0], H, W]
        skips = []
        for block, downsample in zip(self.down_blocks, self.downsamples, strict=True):
            h = block(h, embedding)
            skips.append(h)
            h = downsample(h)
        for block in self.middle_blocks:
            h = block(h, embedding)
        for upsample, block in zip(self.upsamples, self.up_blocks, strict=True):
            h = block(torch.cat([upsample(h), skips.pop()], dim=1), embedding)
        output: Tensor = self.head(h)  # [B, out_channels, H, W]
        return output

    def _blocks(self, height: int) -> Iterator[tuple[Block, int]]:
        """Each block and the height of its feature map, for images of that height."""
        levels = len(self.down_blocks)
        for modules, depths in (
            (self.down_blocks, range(levels)),
            (self.middle_blocks, (levels, levels)),
            (self.up_blocks, reversed(range(levels))),
        ):
            for block, depth in zip(modules, depths, strict=True):
                assert isinstance(block, Block)
                yield block, height // 2**depth


class Block(nn.Module):
    """Two convolutions with the timestep between them, beside a shortcut (Ho et al. 2020).

    It starts as the shortcut alone, its last convolution being zero.

    Args:
        inputs: Channels that come in.
        outputs: Channels that go out.
        embedding: Length of the timestep embedding.
        dropout: Share of the activations dropped before the second convolution.

    Attributes:
        attention: Comes after it; the identity unless set.
    """

    def __init__(self, inputs: int, outputs: int, embedding: int, dropout: float = 0.0) -> None:
        """Build the layers."""
        super().__init__()
        self.norm1 = _norm(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.shift = nn.Linear(embedding, outputs)
        self.norm2 = _norm(outputs)
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()
        self.conv2 = _zero(nn.Conv2d(outputs, outputs, 3, padding=1))
        self.shortcut = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)
        self.attention: nn.Module = nn.Identity()

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """Map [B, inputs, H, W] and [B, embedding] to [B, outputs, H, W]."""
        h = self.conv1(F.silu(self.norm1(x)))
        h = h + self.shift(embedding)[:, :, None, None]
        h = self.conv2(self.dropout(F.silu(self.norm2(h))))
        output: Tensor = self.attention(self.shortcut(x) + h)
        return output


def _norm(channels: int) -> nn.GroupNorm:
    """One group: closer to the data than 8 in each of 3 paired runs (MNIST, 16x16)."""
    return nn.GroupNorm(1, channels)


def _zero(convolution: nn.Conv2d) -> nn.Conv2d:
    nn.init.zeros_(convolution.weight)
    assert convolution.bias is not None
    nn.init.zeros_(convolution.bias)
    return convolution


def _check(
    image_shape: tuple[int, int, int],
    channels: Sequence[int],
    attention: Sequence[int],
    dropout: float,
    embedding: int,
) -> None:
    check_channels(channels)
    check_dropout(dropout)
    if embedding < 4 or embedding % 4:
        raise ValueError(
            f"The value of `embedding` is {embedding}, but must be a positive multiple of 4"
        )
    check_divisible(image_shape, 2 ** (len(channels) - 1), f"with {len(channels)} `channels`")
    sides = [image_shape[1] // 2**depth for depth in range(len(channels))]
    for side in attention:
        if side not in sides:
            known = ", ".join(map(str, sides))
            raise ValueError(
                f"The value of `attention` is {list(attention)}, "
                f"but the feature maps' sides are {known}"
            )
