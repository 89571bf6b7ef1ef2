"""An embedder of the user's own, named by its import path."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from models.imported import load_object
from study.data import ImageSet
from study.scoring.embedders.base import (
    Embedder,
    Ingredients,
    check_images,
    image_shape,
    in_blocks,
    weights_digest,
)
from study.scoring.reproducible import reproducible
from study.spec.errors import UserError


class ImportedEmbedder:
    """What a user's module makes of images, uint8 [N, C, H, W]: features, [N, d].

    It is called with blocks of one length, of which the last is filled up with black images.
    """

    any_size = False

    _BLOCK = 32

    def __init__(
        self, path: str, network: Callable[[Tensor], Any], like: ImageSet, device: torch.device
    ) -> None:
        """Embed images like those of a set by what was found under an import path.

        Raises:
            UserError: If it fails on an image of the set, or gives no features.
        """
        self.name = path
        self._shape = image_shape(like)
        self._device = device
        if isinstance(network, nn.Module):
            network = network.eval().requires_grad_(False).to(device)
        self._network = network
        self.digest = _digest(path, network)
        try:
            first = self(torch.tensor(like.images[:1]))
        except UserError:
            raise
        except Exception as error:  # whatever a user's code may raise
            raise UserError(
                f"The embedder {path!r} failed on an image, uint8 {[1, *self._shape]}: "
                f"{type(error).__name__}: {error}"
            ) from error
        self.dim = first.shape[1]

    def prepare(self, images: Tensor) -> Tensor:
        """See `Embedder`."""
        check_images(images, self._shape)
        return images.to(self._device)

    def embed(self, prepared: Tensor) -> Tensor:
        """See `Embedder`."""
        features = in_blocks(self._checked, torch.split(prepared, self._BLOCK), self._BLOCK)
        if not features.isfinite().all():
            raise UserError(f"The embedder {self.name!r} gave features that are not finite")
        return features

    def __call__(self, images: Tensor) -> Tensor:
        """See `Embedder`."""
        return self.embed(self.prepare(images))

    def _checked(self, block: Tensor) -> Tensor:
        features = self._network(block)
        if isinstance(features, Tensor) and features.is_floating_point():
            if features.ndim == 2 and len(features) == len(block) and features.shape[1] > 0:
                return features.float()
            told = f"{features.dtype} {list(features.shape)}"
        else:
            told = str(features.dtype) if isinstance(features, Tensor) else type(features).__name__
        raise UserError(
            f"The embedder {self.name!r} gave {told} for {len(block)} images, "
            f"but must give floating-point features, [{len(block)}, d]"
        )


def make_imported(path: str, given: Ingredients) -> Embedder:
    """The embedder that an import path names.

    What can be called without arguments (a class, a function) is called, and what it returns
    embeds; anything else (a function of images, a module that stands ready) embeds itself. Weights
    drawn as it is made are drawn from the seed.
    """
    like = given.train_for(path)
    try:
        found = load_object(path, "embedder")
    except ValueError as error:
        raise UserError(str(error)) from error
    network = found
    if not isinstance(found, nn.Module) and _takes_nothing(found):
        try:
            with reproducible(given.seed):
                network = found()
        except Exception as error:  # whatever a user's code may raise
            raise UserError(
                f"The embedder {path!r} can not be made: {type(error).__name__}: {error}"
            ) from error
    if not callable(network):
        raise UserError(
            f"The embedder {path!r} is made as {type(network).__name__}, "
            "but must be something to call with images"
        )
    return ImportedEmbedder(path, network, like, given.device)


def _takes_nothing(found: Callable[..., Any]) -> bool:
    try:
        inspect.signature(found).bind()
    except (TypeError, ValueError):  # it takes something, or does not say
        return isinstance(found, type)
    return True


def _digest(path: str, network: Callable[[Tensor], Any]) -> str:
    """Over the import path, the file that it is written in, and its weights if it has any.

    What other files it calls is not covered, nor what a function keeps in variables of its own.
    """
    described = network if inspect.isroutine(network) else type(network)
    try:
        source = Path(inspect.getfile(described)).read_bytes()
    except (OSError, TypeError):  # built in, or typed at a prompt
        source = b""
    words = f"imported/1 {path} {hashlib.sha256(source).hexdigest()}"
    return weights_digest(words, network.state_dict() if isinstance(network, nn.Module) else {})
