"""Embedders: what turns images into the features whose distributions a score compares."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

import safetensors.torch
import torch
from torch import Tensor
from torch.nn import functional

from study.data import ImageSet, get_or_make
from study.scoring import vae
from study.spec.errors import UserError


class Embedder(Protocol):
    """Images to features, on one device, the same for every image whatever its neighbours."""

    @property
    def name(self) -> str:
        """Its name in `EMBEDDERS`."""

    @property
    def digest(self) -> str:
        """SHA-256 (hex) over all that decides the features: architecture and weights."""

    @property
    def dim(self) -> int:
        """The dimension d of the features."""

    def __call__(self, images: Tensor) -> Tensor:
        """Features, float32 [N, d] on the embedder's device, of images, uint8 [N, C, H, W].

        Raises:
            UserError: If the images are not of the type and shape that the embedder was made for.
        """


class EmbedderFactory(Protocol):
    """Makes an embedder, or fetches it from the cache folder."""

    def __call__(
        self, train: ImageSet, *, cache_folder: Path, device: torch.device, seed: int
    ) -> Embedder:
        """The embedder for images like `train`, learned from them if it learns at all."""


class PixelEmbedder:
    """The pixels themselves, in [0, 1]: the plainest features, blind to what a picture shows."""

    name = "pixels"

    def __init__(self, image_shape: tuple[int, int, int], device: torch.device) -> None:
        """Embed images of `image_shape`, (C, H, W)."""
        self._image_shape = image_shape
        self._device = device
        self.dim = image_shape[0] * image_shape[1] * image_shape[2]
        self.digest = hashlib.sha256(f"pixels/1 {image_shape}".encode()).hexdigest()

    def __call__(self, images: Tensor) -> Tensor:
        """See `Embedder`."""
        _check_images(images, self._image_shape)
        return images.to(self._device).flatten(1).float() / 255  # [N, C * H * W]


class VAEEmbedder:
    """The posterior mean of a VAE."""

    name = "vae"
    dim = vae.LATENT_DIM

    # Every block is filled up to this length: matrix products of one shape treat every row alike,
    # so that an image's features do not depend on which images it came with.
    _BLOCK = 128

    def __init__(self, model: vae.VAE, image_shape: tuple[int, int, int], device: torch.device):
        """Embed images of `image_shape`, (C, H, W), the shape that `model` was trained on."""
        self._image_shape = image_shape
        self._device = device
        self.digest = _weights_digest(f"vae/{vae.VERSION} {image_shape}", model.state_dict())
        self._model = model.to(device)

    def __call__(self, images: Tensor) -> Tensor:
        """See `Embedder`."""
        _check_images(images, self._image_shape)
        return torch.cat([self._embed(block) for block in torch.split(images, self._BLOCK)])

    def _embed(self, block: Tensor) -> Tensor:
        count = len(block)
        block = functional.pad(block.to(self._device), (0, 0) * 3 + (0, self._BLOCK - count))
        # TensorFloat-32 keeps 10 bits: features from a GPU would differ from those of a CPU.
        exact = torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)
        with exact, torch.no_grad():
            mean, _ = self._model.encode(vae.to_network(block))  # [block, d]
        return mean[:count]


def _make_pixel_embedder(
    train: ImageSet, *, cache_folder: Path, device: torch.device, seed: int
) -> Embedder:
    del cache_folder, seed  # nothing to learn, nothing to keep
    return PixelEmbedder(_image_shape(train), device)


def _make_vae_embedder(
    train: ImageSet, *, cache_folder: Path, device: torch.device, seed: int
) -> Embedder:
    """Train the VAE, or fetch it. Its key says all that the training depends on."""
    image_shape = _image_shape(train)
    inputs = f"vae/{vae.VERSION} {vae.Training()} {train.digest} seed={seed}"

    def load(payload: bytes) -> vae.VAE:
        model = vae.VAE(image_shape[0], image_shape[1])
        model.load_state_dict(safetensors.torch.load(payload))
        return model.eval().requires_grad_(False)

    model = get_or_make(
        cache_folder,
        f"vae-{hashlib.sha256(inputs.encode()).hexdigest()}.safetensors",
        make=lambda: vae.train_vae(train.tensor(), seed=seed),
        save=lambda model: safetensors.torch.save(model.state_dict()),
        load=load,
    )
    return VAEEmbedder(model, image_shape, device)


EMBEDDERS: Mapping[str, EmbedderFactory] = MappingProxyType(
    {"pixels": _make_pixel_embedder, "vae": _make_vae_embedder}
)
"""How to make the embedder of each name."""


def _image_shape(image_set: ImageSet) -> tuple[int, int, int]:
    _, channels, height, width = image_set.images.shape
    return channels, height, width


def _check_images(images: Tensor, image_shape: tuple[int, int, int]) -> None:
    if images.dtype != torch.uint8 or images.shape[1:] != image_shape:
        raise UserError(
            f"The images to embed are {images.dtype} {list(images.shape)}, "
            f"but must be torch.uint8 [N, {', '.join(map(str, image_shape))}]"
        )


def _weights_digest(architecture: str, weights: Mapping[str, Tensor]) -> str:
    sha = hashlib.sha256(architecture.encode())
    for name, weight in sorted(weights.items()):
        sha.update(f"{name} {weight.dtype} {tuple(weight.shape)};".encode())
        sha.update(weight.cpu().contiguous().numpy().data)
    return sha.hexdigest()
