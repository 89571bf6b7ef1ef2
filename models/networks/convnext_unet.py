"""A U-Net of ConvNeXt blocks (Liu et al. 2022, "A ConvNet for the 2020s", figure 4)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.networks.checks import (
    check_channels,
    check_divisible,
    check_dropout,
    output_channels,
)
from models.networks.embeddings import TimestepEmbedding

_EMBEDDING = 64  # length of the timestep embedding


class ConvNeXtUNet(nn.Module):
    """ConvNeXt blocks with the timestep in each, max-pooling down and transposed convolutions up.

    One block a resolution goes down, one lies in the middle, one a resolution comes up after the
    skip connection is joined (at the smallest, that of the block just before the middle), and a
    last one comes before the 1x1 head.

    Args:
        image_shape: (C, H, W) of the images.
        channels: Of each resolution, from the images' own to the smallest; each next one has half
            the side.
        kernel: Side of the two convolutions that follow a block's depthwise one: 1 as in the paper,
            or 3, with which less of a morph image is left in what is restored from it.
        dropout: Share of the activations dropped before each block's last convolution, in [0, 1).
        out_channels: Of the output; None: as many as the images have.

    Raises:
        ValueError: If a value is out of its range, or the images' sides cannot be halved often
            enough.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        *,
        channels: Sequence[int] = (32, 64, 128),
        kernel: int = 3,
        dropout: float = 0.0,
        out_channels: int | None = None,
    ) -> None:
        """Build the layers."""
        super().__init__()
        check_channels(channels)
        check_dropout(dropout)
        if kernel not in (1, 3):
            raise ValueError(f"The value of `kernel` is {kernel}, but must be 1 or 3")
        check_divisible(image_shape, 2 ** (len(channels) - 1), f"with {len(channels)} `channels`")
        outputs = output_channels(image_shape, out_channels)
        first, last = channels[0], channels[-1]
        upwards = list(reversed(channels))
        self.embed = nn.Sequential(TimestepEmbedding(_EMBEDDING // 2, _EMBEDDING), nn.SiLU())
        # one channel and its normalisation would leave nothing of a timestep added to it
        self.stem = nn.Conv2d(image_shape[0], first, 3, padding=1)
        self.down_blocks = nn.ModuleList(
            ConvNeXtBlock(i, o, kernel, dropout) for i, o in pairwise((first, *channels))
        )
        self.middle_block = ConvNeXtBlock(last, last, kernel, dropout)
        self.upsamples = nn.ModuleList(
            nn.ConvTranspose2d(deeper, c, 2, stride=2) for deeper, c in pairwise(upwards)
        )
        self.up_blocks = nn.ModuleList(ConvNeXtBlock(2 * c, c, kernel, dropout) for c in upwards)
        self.last_block = ConvNeXtBlock(first, first, kernel, dropout)
        self.head = nn.Conv2d(first, outputs, 1)
        self.to(memory_format=torch.channels_last)

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        """Map noisy images [B, C, H, W] and timesteps [B] to [B, out_channels, H, W]."""
        embedding = self.embed(t)  # [B, embedding]
        h = self.stem(x_t.contiguous(memory_format=torch.channels_last))  # [B, channels[0], H, W]
        skips: list[Tensor] = []
        for depth, block in enumerate(self.down_blocks):
            h = block(F.max_pool2d(h, 2) if depth > 0 else h, embedding)
            skips.append(h)
        h = self.middle_block(h, embedding)
        for depth, block in enumerate(self.up_blocks):
            h = self.upsamples[depth - 1](h) if depth > 0 else h
            h = block(torch.cat([h, skips.pop()], dim=1), embedding)
        output: Tensor = self.head(self.last_block(h, embedding))  # [B, out_channels, H, W]
        return output


class ConvNeXtBlock(nn.Module):
    """Timestep, 7x7 depthwise convolution, norm, two convolutions through 4 times the channels.

    All beside a shortcut. The paper's block knows no timestep and keeps its channels; norm is over
    (C, H, W), not over the channels of each pixel.

    Args:
        inputs: Channels that come in.
        outputs: Channels that go out.
        kernel: Side of the two convolutions.
        dropout: Share of the activations dropped between them.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, dropout: float = 0.0) -> None:
        """Build the layers."""
        super().__init__()
        self.shift = nn.Linear(_EMBEDDING, inputs)
        self.depthwise = nn.Conv2d(inputs, inputs, 7, padding=3, groups=inputs)
        self.norm = nn.GroupNorm(1, inputs)
        self.widen = nn.Conv2d(inputs, 4 * outputs, kernel, padding=kernel // 2)
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()
        self.narrow = nn.Conv2d(4 * outputs, outputs, kernel, padding=kernel // 2)
        self.shortcut = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """Map [B, inputs, H, W] and [B, embedding] to [B, outputs, H, W]."""
        h = self.norm(self.depthwise(x + self.shift(embedding)[:, :, None, None]))
        h = self.narrow(self.dropout(F.gelu(self.widen(h))))
        output: Tensor = self.shortcut(x) + h
        return output
