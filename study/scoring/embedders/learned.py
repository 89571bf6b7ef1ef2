"""What the embedders that learn from a study's own images have in common."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import safetensors.torch
import torch
from torch import Tensor, nn

from study.data import ImageSet, get_or_make
from study.scoring.embedders.base import (
    Embedder,
    EmbedderRequest,
    check_images,
    in_blocks,
    weights_digest,
)

Model = TypeVar("Model", bound=nn.Module)


@dataclass(frozen=True)
class Learner:
    """How an embedder learns, for those who want to know what it takes without going through it.

    Attributes:
        steps: Of its training.
        learn: An embedder on a device, after so few steps on some images.
    """

    steps: int
    learn: Callable[[ImageSet, int, torch.device], Embedder]


# Every block is filled up to this length, so that an image's features depend on no other image.
_BLOCK = 128


class LearnedEmbedder:
    """Features of a network that was trained on images of one shape.

    Args:
        name: The embedder's.
        version: Of the network and its training; part of the digest.
        model: The network.
        features: What it gives for uint8 [N, C, H, W] on its device: [N, d].
        dim: d.
        shape: (C, H, W), what it was trained on.
        device: Where it lives.
    """

    any_size = False

    def __init__(
        self,
        name: str,
        version: int,
        model: nn.Module,
        features: Callable[[Tensor], Tensor],
        dim: int,
        shape: tuple[int, int, int],
        device: torch.device,
    ) -> None:
        self.name = name
        self.dim = dim
        self.digest = weights_digest(f"{name}/{version} {shape}", model.state_dict())
        self._shape = shape
        self._device = device
        self._features = features
        model.to(device)

    def prepare(self, images: Tensor) -> Tensor:
        """See `Embedder`."""
        check_images(images, self._shape)
        return images.to(self._device)

    def embed(self, prepared: Tensor) -> Tensor:
        """See `Embedder`."""
        return in_blocks(self._features, torch.split(prepared, _BLOCK), _BLOCK)

    def __call__(self, images: Tensor) -> Tensor:
        """See `Embedder`."""
        return self.embed(self.prepare(images))


def learn_or_fetch(
    request: EmbedderRequest,
    inputs: str,
    empty: Callable[[], Model],
    learn: Callable[[], Model],
) -> Model:
    """The trained network from the cache, trained first if it is not there; in evaluation mode.

    Args:
        request: Names the embedder and the cache folder.
        inputs: All that the training depends on, in words.
        empty: A network to load weights into.
        learn: Trains one.
    """

    def load(payload: bytes) -> Model:
        model = empty()
        model.load_state_dict(safetensors.torch.load(payload))
        return model.eval().requires_grad_(False)

    return get_or_make(
        request.cache_folder,
        f"{request.name}-{hashlib.sha256(inputs.encode()).hexdigest()}.safetensors",
        make=learn,
        save=lambda model: safetensors.torch.save(model.state_dict()),
        load=load,
    )
