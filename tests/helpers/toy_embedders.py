"""Embedders of one glance, and grey images to show them: what a metric detects is then known."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from study.data import ImageSet


class ToyEmbedder:
    """An embedder that is a function of images in 0..1, [N, C, H, W]."""

    any_size = False

    def __init__(self, name: str, dim: int) -> None:
        self.name, self.dim, self.digest = name, dim, f"digest of {name}"

    def prepare(self, images: Tensor) -> Tensor:
        return images

    def embed(self, prepared: Tensor) -> Tensor:
        return self(prepared)

    def __call__(self, images: Tensor) -> Tensor:
        return self.features(images.float() / 255)

    def features(self, x: Tensor) -> Tensor:
        raise NotImplementedError


class Mean(ToyEmbedder):
    """The mean level: what noise about grey leaves alone."""

    def features(self, x: Tensor) -> Tensor:
        return x.mean(dim=(1, 2, 3))[:, None]


class Blind(ToyEmbedder):
    """Random features, whatever an image shows."""

    def __init__(self, name: str, dim: int) -> None:
        super().__init__(name, dim)
        self._generator = torch.Generator().manual_seed(0)

    def features(self, x: Tensor) -> Tensor:
        return torch.randn(len(x), self.dim, generator=self._generator)


class Fooled(ToyEmbedder):
    """Scores images the better the noisier they are: the reference seems noisy to it."""

    def __init__(self, name: str, dim: int) -> None:
        super().__init__(name, dim)
        self._first = True

    def features(self, x: Tensor) -> Tensor:
        roughness = (x[..., 1:] - x[..., :-1]).square().mean(dim=(1, 2, 3)).sqrt()[:, None]
        if self._first:  # the reference comes first
            self._first = False
            return roughness + 1.0
        return roughness


def grey_patches(count: int = 400) -> ImageSet:
    """Smooth grey images, some brighter than others: noise about them is seldom clipped."""
    rng = np.random.default_rng(0)
    levels = rng.normal(128, 12, (count, 1, 1, 1)) + rng.normal(0, 2, (count, 1, 12, 12))
    return ImageSet("grey", levels.round().clip(0, 255).astype(np.uint8))
