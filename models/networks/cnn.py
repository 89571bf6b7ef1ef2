"""A plain stack of wide convolutions: the coursework's denoiser of digits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from models.networks.checks import check_channels, check_dropout, output_channels
from models.networks.embeddings import TimestepEmbedding

_EMBEDDING = 64  # length of the timestep embedding


class CNN(nn.Module):
    """7x7 convolutions at the images' own resolution, then a 3x3 one back to them.

    Each convolution but the last is followed by layer norm over (C, H, W) and GELU; the timestep is
    added to the activations of the first block, or of every one. Not channels_last in memory: what
    the convolutions would gain, layer norm over (C, H, W) would lose in copies.

    Args:
        image_shape: (C, H, W) of the images.
        channels: Of each block.
        time: Where the timestep comes in: after the `first` block, or after `every` one.
        dropout: Share of each block's activations that is dropped, in [0, 1).
        out_channels: Of the output; None: as many as the images have.

    Raises:
        ValueError: If a value is out of its range.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        *,
        channels: Sequence[int] = (16, 32, 32, 16),
        time: Literal["first", "every"] = "first",
        dropout: float = 0.0,
        out_channels: int | None = None,
    ) -> None:
        """Build the layers."""
        super().__init__()
        check_channels(channels)
        check_dropout(dropout)
        if time not in ("first", "every"):
            raise ValueError(f"The value of `time` is {time!r}, but must be one of first, every")
        images, height, width = image_shape
        outputs = output_channels(image_shape, out_channels)
        inputs = (images, *channels[:-1])
        self.embed = nn.Sequential(TimestepEmbedding(_EMBEDDING // 2, _EMBEDDING), nn.SiLU())
        self.convolutions = nn.ModuleList(
            nn.Conv2d(i, o, 7, padding=3) for i, o in zip(inputs, channels, strict=True)
        )
        self.norms = nn.ModuleList(nn.LayerNorm((c, height, width)) for c in channels)
        timed = channels[:1] if time == "first" else channels
        self.shifts = nn.ModuleList(nn.Linear(_EMBEDDING, c) for c in timed)
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()
        self.head = nn.Conv2d(channels[-1], outputs, 3, padding=1)

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        """Map noisy images [B, C, H, W] and timesteps [B] to [B, out_channels, H, W]."""
        embedding = self.embed(t)  # [B, embedding]
        h = x_t
        for index, (convolution, norm) in enumerate(
            zip(self.convolutions, self.norms, strict=True)
        ):
            h = F.gelu(norm(convolution(h)))  # [B, channels[index], H, W]
            if index < len(self.shifts):
                h = h + self.shifts[index](embedding)[:, :, None, None]
            h = self.dropout(h)
        output: Tensor = self.head(h)  # [B, out_channels, H, W]
        return output
