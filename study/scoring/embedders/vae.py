"""A VAE trained on the study's own images as embedder."""

from __future__ import annotations

import hashlib

import safetensors.torch
import torch
from torch import Tensor

from study.data import get_or_make
from study.scoring import vae
from study.scoring.embedders.base import (
    Embedder,
    Ingredients,
    check_images,
    image_shape,
    in_blocks,
    weights_digest,
)


class VAEEmbedder:
    """The posterior mean of a VAE."""

    name = "vae"
    dim = vae.LATENT_DIM
    any_size = False

    _BLOCK = 128

    def __init__(self, model: vae.VAE, shape: tuple[int, int, int], device: torch.device) -> None:
        """Embed images of `shape`, (C, H, W), the shape that `model` was trained on."""
        self._shape = shape
        self._device = device
        self.digest = weights_digest(f"vae/{vae.VERSION} {shape}", model.state_dict())
        self._model = model.to(device)

    def prepare(self, images: Tensor) -> Tensor:
        """See `Embedder`."""
        check_images(images, self._shape)
        return images.to(self._device)

    def embed(self, prepared: Tensor) -> Tensor:
        """See `Embedder`."""
        return in_blocks(self._mean, torch.split(prepared, self._BLOCK), self._BLOCK)

    def __call__(self, images: Tensor) -> Tensor:
        """See `Embedder`."""
        return self.embed(self.prepare(images))

    def _mean(self, block: Tensor) -> Tensor:
        mean, _ = self._model.encode(vae.to_network(block))  # [block, d]
        return mean


def make_vae(given: Ingredients) -> Embedder:
    """Train the VAE, or fetch it. Its key says all that the training depends on."""
    train = given.train_for("vae")
    shape = image_shape(train)
    inputs = f"vae/{vae.VERSION} {vae.Training()} {train.digest} seed={given.seed}"

    def load(payload: bytes) -> vae.VAE:
        model = vae.VAE(shape[0], shape[1])
        model.load_state_dict(safetensors.torch.load(payload))
        return model.eval().requires_grad_(False)

    model = get_or_make(
        given.cache_folder,
        f"vae-{hashlib.sha256(inputs.encode()).hexdigest()}.safetensors",
        make=lambda: vae.train_vae(train.tensor(), seed=given.seed),
        save=lambda model: safetensors.torch.save(model.state_dict()),
        load=load,
    )
    return VAEEmbedder(model, shape, given.device)
