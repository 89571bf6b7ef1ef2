"""FID's Inception as embedder, with the original's way of resizing or another's."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor

from study.scoring.embedders.base import Embedder, EmbedderRequest, in_blocks, weights_digest
from study.scoring.embedders.inception_network import DIM, Inception
from study.scoring.embedders.inception_weights import load_weights
from study.scoring.embedders.resizing import RESIZES
from study.spec.errors import UserError

# On a CPU what a block needs should stay in its caches; a GPU has to have enough to do.
_BLOCK = 8
_GPU_BLOCK = 64


class InceptionEmbedder:
    """The 2048 features of the last pooling layer, of pictures of any size, grey or RGB."""

    dim = DIM
    any_size = True

    def __init__(self, name: str, weights: Mapping[str, Tensor], device: torch.device) -> None:
        """Embed by the canonical weights; `name`, of `RESIZES`, says how pictures are resized."""
        self.name = name
        self._resize = RESIZES[name]
        self._device = device
        self._block = _GPU_BLOCK if device.type == "cuda" else _BLOCK
        parts = f"inception/1 {name} {weights_digest('', weights)}"
        self.digest = hashlib.sha256(parts.encode()).hexdigest()
        self._network = Inception(weights).to(device)

    def prepare(self, images: Tensor) -> Tensor:
        """See `Embedder`: float32 [N, 3, 299, 299], about 1 MB each."""
        if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] not in (1, 3):
            raise UserError(
                f"The images to embed are {images.dtype} {list(images.shape)}, "
                "but must be torch.uint8 [N, 1 or 3, H, W]"
            )
        if self._device.type == "cuda" and not images.is_cuda:
            images = images.pin_memory()  # and the copy does not wait for the block before it
        x = self._resize(images.to(self._device, non_blocking=True))  # [N, 1 or 3, 299, 299]
        return x.expand(-1, 3, -1, -1)

    def embed(self, prepared: Tensor) -> Tensor:
        """See `Embedder`."""
        return in_blocks(self._network, torch.split(prepared, self._block), self._block)

    def __call__(self, images: Tensor) -> Tensor:
        """See `Embedder`."""
        prepared = (self.prepare(part) for part in torch.split(images, self._block))
        return in_blocks(self._network, prepared, self._block)


def make_inception(request: EmbedderRequest) -> Embedder:
    """Inception with the resize of the embedder's name; it learns nothing from the images."""
    return InceptionEmbedder(request.name, load_weights(request.weights), request.device)
