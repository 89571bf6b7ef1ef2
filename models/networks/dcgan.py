"""The two players of DCGAN (Radford, Metz & Chintala 2016)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm as with_spectral_norm

from models.networks.checks import check_at_least, check_channels, check_divisible

Norm = Literal["batch", "layer", "none"]


class DCGANGenerator(nn.Module):
    """A latent vector is projected to small feature maps, which are doubled up to an image.

    Batch norm and ReLU after all layers but the last, tanh after that.

    Args:
        image_shape: (C, H, W) of the images.
        latent: Length of the latent vector.
        channels: Before each doubling, so the first feature maps have 2^n times smaller sides than
            the images, for n entries.

    Raises:
        ValueError: If a value is out of its range, or the images' sides cannot be halved n times.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        *,
        latent: int,
        channels: Sequence[int] = (128, 64),
    ) -> None:
        """Build the layers."""
        super().__init__()
        check_at_least("latent", latent, 1)
        check_channels(channels)
        self.smallest = (channels[0], *_smallest_sides(image_shape, len(channels)))
        self.project = nn.Linear(latent, math.prod(self.smallest), bias=False)
        self.norms = nn.ModuleList(BatchNorm(c) for c in channels)
        # no bias where a norm follows, which would take it away
        self.doublings = nn.ModuleList(
            nn.ConvTranspose2d(i, o, 4, stride=2, padding=1, bias=False)
            for i, o in pairwise(channels)
        )
        self.head = nn.ConvTranspose2d(channels[-1], image_shape[0], 4, stride=2, padding=1)
        _initialise(self)
        self.to(memory_format=torch.channels_last)

    def forward(self, z: Tensor) -> Tensor:
        """Map latent vectors [B, latent] to images [B, C, H, W] in [-1, 1]."""
        h = self.project(z).unflatten(1, self.smallest)  # [B, channels[0], H / 2^n, W / 2^n]
        h = h.contiguous(memory_format=torch.channels_last)
        for norm, layer in zip(self.norms, (*self.doublings, self.head), strict=True):
            h = layer(F.relu(norm(h)))
        return torch.tanh(h)


class DCGANDiscriminator(nn.Module):
    """Convolutions that halve the sides, then one logit: positive for real.

    LeakyReLU with a slope of 0.2 after each, and a norm before that in all but the first.

    Args:
        image_shape: (C, H, W) of the images.
        channels: After each halving.
        spectral_norm: Divide each layer's weight by its largest singular value, so that the
            discriminator's Lipschitz constant is bounded (Miyato et al. 2018). Made to stand in
            the norms' place: best with `norm="none"`.
        norm: `batch` as in the paper; `layer` over (C, H, W), for a gradient penalty, which is no
            penalty of single images where batch norm mixes them (Gulrajani et al. 2017, section 4).

    Raises:
        ValueError: If a value is out of its range, or the images' sides cannot be halved often
            enough.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        *,
        channels: Sequence[int] = (64, 128),
        spectral_norm: bool = False,
        norm: Norm = "batch",
    ) -> None:
        """Build the layers."""
        super().__init__()
        check_channels(channels)
        if norm not in _NORMS:
            known = ", ".join(_NORMS)
            raise ValueError(f"The value of `norm` is {norm!r}, but must be one of {known}")
        height, width = _smallest_sides(image_shape, len(channels))
        self.stem = nn.Conv2d(image_shape[0], channels[0], 4, stride=2, padding=1)
        self.halvings = nn.ModuleList(
            nn.Conv2d(i, o, 4, stride=2, padding=1, bias=norm != "batch")
            for i, o in pairwise(channels)
        )
        self.norms = nn.ModuleList(_NORMS[norm](c) for c in channels[1:])
        self.head = nn.Linear(channels[-1] * height * width, 1)
        _initialise(self)
        if spectral_norm:
            for layer in (self.stem, *self.halvings, self.head):
                with_spectral_norm(layer)
        self.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor) -> Tensor:
        """Map images [B, C, H, W] to logits [B]."""
        h = F.leaky_relu(self.stem(x.contiguous(memory_format=torch.channels_last)), 0.2)
        for layer, norm in zip(self.halvings, self.norms, strict=True):
            h = F.leaky_relu(norm(layer(h)), 0.2)
        output: Tensor = self.head(h.flatten(1)).squeeze(1)  # [B]
        return output


class BatchNorm(nn.BatchNorm2d):
    """Batch norm that takes a single value a channel, which has no variance, by its averages.

    A batch of one image, with feature maps of one pixel: the last batch of an epoch can be that.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, C, H, W] to the same shape."""
        if self.training and x.shape[0] * x.shape[2] * x.shape[3] == 1:
            return F.batch_norm(
                x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        return super().forward(x)


def _layer_norm(channels: int) -> nn.Module:
    return nn.GroupNorm(1, channels)


def _no_norm(channels: int) -> nn.Module:
    del channels
    return nn.Identity()


_NORMS: Mapping[str, Callable[[int], nn.Module]] = MappingProxyType(
    {"batch": BatchNorm, "layer": _layer_norm, "none": _no_norm}
)


def _smallest_sides(image_shape: tuple[int, int, int], halvings: int) -> tuple[int, int]:
    """(H, W) of the smallest feature maps.

    Raises:
        ValueError: If the images' sides cannot be halved that often.
    """
    check_divisible(image_shape, 2**halvings, f"with {halvings} `channels`")
    return image_shape[1] // 2**halvings, image_shape[2] // 2**halvings


def _initialise(player: nn.Module) -> None:
    """Weights from a normal distribution of standard deviation 0.02 (section 4), no biases."""
    for module in player.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, std=0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
