"""What every embedder is, and what they share."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from study.data import ImageSet
from study.spec.errors import UserError


class Embedder(Protocol):
    """Images to features, on one device, the same for every image whatever its neighbours.

    `embedder(images)` is `embedder.embed(embedder.prepare(images))`, in blocks: no more than a
    block of prepared images is in memory at once. The two halves are there for pictures of
    different sizes: prepare them one by one, put some together, embed those.
    """

    @property
    def name(self) -> str:
        """Its name in `study.spec.embedder_info.EMBEDDERS`, or its import path."""

    @property
    def digest(self) -> str:
        """SHA-256 (hex) over all that decides the features: architecture, weights and resize."""

    @property
    def dim(self) -> int:
        """The dimension d of the features."""

    @property
    def any_size(self) -> bool:
        """Whether it takes images of any size; otherwise of the one that it was made for."""

    def prepare(self, images: Tensor) -> Tensor:
        """The images as the network takes them, on the embedder's device, [N, ...].

        With `any_size` all but N is the same for images of any size, so that they concatenate.

        Args:
            images: uint8 in 0..255, [N, C, H, W], on any device.

        Raises:
            UserError: If the images are not of the type and shape that the embedder takes.
        """

    def embed(self, prepared: Tensor) -> Tensor:
        """Features, float32 [N, d] on the CPU, of what `prepare` returned, [N, ...].

        Raises:
            UserError: If a user's own embedder gives no such features.
        """

    def __call__(self, images: Tensor) -> Tensor:
        """Features, float32 [N, d] on the CPU, of images, uint8 [N, C, H, W].

        Raises:
            UserError: As `prepare` and `embed`.
        """


@dataclass(frozen=True)
class EmbedderRequest:
    """What an embedder is made from; each kind takes what it needs.

    Attributes:
        name: A name in `study.spec.embedder_info.EMBEDDERS`, or an import path.
        train: Images like those to embed, which it learns from or takes its shape from; needed
            unless it takes any size.
        cache_folder: Where learned weights are kept.
        device: Where the embedder lives.
        seed: The seed of its training.
        weights: A file of weights, for embedders with a `weights_file`.
    """

    name: str
    train: ImageSet | None
    cache_folder: Path
    device: torch.device
    seed: int
    weights: Path | None = None

    def required_train(self) -> ImageSet:
        """The images that the embedder learns from, or takes its shape from.

        Raises:
            UserError: If there are none.
        """
        if self.train is None:
            raise UserError(
                f"The embedder `{self.name}` is made for images of one size, "
                "but there is no image set to take it from; embed others with `inception`"
            )
        return self.train


def image_shape(image_set: ImageSet) -> tuple[int, int, int]:
    """(C, H, W) of a set's images."""
    _, channels, height, width = image_set.images.shape
    return channels, height, width


def check_images(images: Tensor, shape: tuple[int, int, int]) -> None:
    """Refuse all but uint8 images of one shape, (C, H, W).

    Raises:
        UserError: If they are not.
    """
    if images.dtype != torch.uint8 or images.shape[1:] != shape:
        raise UserError(
            f"The images to embed are {images.dtype} {list(images.shape)}, "
            f"but must be torch.uint8 [N, {', '.join(map(str, shape))}]"
        )


def in_blocks(network: Callable[[Tensor], Tensor], parts: Iterable[Tensor], block: int) -> Tensor:
    """A network's outputs, float32 [N, d] on the CPU, whatever the neighbours of each input.

    Every part is filled up with zeros to one length: products of matrices of one shape treat
    every row alike. Arithmetic is that of float32 on every device, and deterministic.

    Args:
        network: From inputs [block, ...] to outputs [block, d].
        parts: Inputs on the network's device, [n, ...] with n <= block; one part at least.
        block: The length of all blocks.
    """
    # TensorFloat-32 keeps 10 bits: features from a GPU would differ from those of a CPU.
    exact = torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)
    outputs = []
    with exact, torch.no_grad():
        for part in parts:
            missing = (0, 0) * (part.ndim - 1) + (0, block - len(part))
            outputs.append(network(functional.pad(part, missing))[: len(part)])
    # Fetched once, at the end, so that a GPU does not wait between blocks.
    return torch.cat(outputs).cpu()


def weights_digest(architecture: str, weights: Mapping[str, Tensor]) -> str:
    """SHA-256 (hex) over the words that say what the network is, and all of its tensors."""
    sha = hashlib.sha256(architecture.encode())
    for name, weight in sorted(weights.items()):
        sha.update(f"{name} {weight.dtype} {tuple(weight.shape)};".encode())
        # Bytes, because NumPy knows no bfloat16; and with an axis, which such a view needs.
        flat = weight.detach().cpu().resolve_conj().resolve_neg().contiguous().reshape(-1)
        sha.update(flat.view(torch.uint8).numpy().data)
    return sha.hexdigest()
