"""The pixels themselves as features."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

from study.scoring.embedders.base import Embedder, EmbedderRequest, check_images, image_shape


class PixelEmbedder:
    """The pixels themselves, in [0, 1]: the plainest features, blind to what a picture shows."""

    name = "pixels"
    any_size = False

    def __init__(self, shape: tuple[int, int, int], device: torch.device) -> None:
        """Embed images of `shape`, (C, H, W)."""
        self._shape = shape
        self._device = device
        self.dim = shape[0] * shape[1] * shape[2]
        self.digest = hashlib.sha256(f"pixels/1 {shape}".encode()).hexdigest()

    def prepare(self, images: Tensor) -> Tensor:
        """See `Embedder`."""
        check_images(images, self._shape)
        return images.to(self._device)

    def embed(self, prepared: Tensor) -> Tensor:
        """See `Embedder`."""
        return (prepared.flatten(1).float() / 255).cpu()  # [N, C * H * W]

    def __call__(self, images: Tensor) -> Tensor:
        """See `Embedder`."""
        return self.embed(self.prepare(images))


def make_pixels(request: EmbedderRequest) -> Embedder:
    """The embedder of images like the training images."""
    return PixelEmbedder(image_shape(request.required_train()), request.device)
