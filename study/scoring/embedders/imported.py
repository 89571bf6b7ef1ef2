"""A user's own embedder, named by its import path."""

from __future__ import annotations

import functools
import hashlib
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models.import_path import load_object
from study.data import ImageSet
from study.scoring.deterministic_training import reproducible
from study.scoring.embedders.base import (
    Embedder,
    EmbedderRequest,
    check_images,
    image_shape,
    in_blocks,
    weights_digest,
)
from study.spec.errors import UserError


class ImportedEmbedder:
    """What a user's module makes of images, uint8 [N, C, H, W]: features, [N, d].

    It is called with blocks of one length, of which the last is filled up with black images.
    """

    any_size = False

    _BLOCK = 32

    def __init__(
        self,
        path: str,
        target: object,
        network: Callable[[Tensor], Any],
        like: ImageSet,
        device: torch.device,
    ) -> None:
        """Embed images like those of a set.

        Args:
            path: The import path.
            target: What stands there.
            network: What embeds: the same, or what it has made.
            like: One image or more.
            device: Where the images go, and the network if it is an `nn.Module`.

        Raises:
            UserError: If it fails on an image of the set, or gives no features.
        """
        self.name = path
        self.dim = 0  # until it has embedded
        self._shape = image_shape(like)
        self._device = device
        try:
            if isinstance(network, nn.Module):
                network = network.eval().requires_grad_(False).to(device)
            self.digest = _digest(path, target, network)
        except Exception as error:  # weights of a kind that has no bytes, or no values yet
            raise UserError(
                f"The embedder {path!r} has weights that can not be used: {_in_a_line(error)}"
            ) from error
        self._network = network
        self.dim = self(torch.tensor(like.images[:1])).shape[1]

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
        try:
            features = self._network(block)
        except Exception as error:  # whatever a user's code may raise
            raise UserError(
                f"The embedder {self.name!r} failed on {len(block)} images, "
                f"uint8 {list(block.shape)}: {_in_a_line(error)}"
            ) from error
        if isinstance(features, Tensor) and features.is_floating_point():
            fits = features.ndim == 2 and len(features) == len(block) and features.shape[1] > 0
            if fits and self.dim in (0, features.shape[1]):
                return features.float()
            got = f"{features.dtype} {list(features.shape)}"
        else:
            got = str(features.dtype) if isinstance(features, Tensor) else type(features).__name__
        raise UserError(
            f"The embedder {self.name!r} gave {got} for {len(block)} images, "
            f"but must give floating-point features, [{len(block)}, {self.dim or 'd'}]"
        )


def make_imported(request: EmbedderRequest) -> Embedder:
    """The embedder that an import path names.

    What can be called without arguments (a class, a function) is called, and what it returns
    embeds; anything else (a function of images, a module that stands ready) embeds itself. Weights
    drawn as it is made are drawn from the seed.
    """
    path, like = request.name, request.required_train()
    try:
        target = load_object(path, "embedder")
    except ValueError as error:
        raise UserError(str(error).partition("\n")[0]) from error
    except (Exception, SystemExit) as error:  # whatever a user's module may raise
        raise UserError(
            f"The embedder {path!r} can not be imported: {_in_a_line(error)}"
        ) from error
    network = target
    if not isinstance(target, nn.Module) and _takes_nothing(target):
        try:
            with reproducible(request.seed):
                network = target()
        except (Exception, SystemExit) as error:  # whatever a user's code may raise
            raise UserError(
                f"The embedder {path!r} can not be made: {_in_a_line(error)}"
            ) from error
    if not callable(network):
        raise UserError(
            f"The embedder {path!r} is made as {type(network).__name__}, "
            "but must be something to call with images"
        )
    return ImportedEmbedder(path, target, network, like, request.device)


def _takes_nothing(target: Callable[..., Any]) -> bool:
    try:
        inspect.signature(target).bind()
    except (TypeError, ValueError):  # it takes something, or does not say
        return isinstance(target, type)
    return True


def _in_a_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".partition("\n")[0]


def _digest(path: str, target: object, network: object) -> str:
    """SHA-256 (hex) over what decides the features, as far as it can be known.

    It covers the import path; the file of its module; what stands there and what that has made,
    each with the file of its class or code; of an `nn.Module` also its layers, the files of their
    classes, and all that its state dict holds; of a `functools.partial` also function and
    arguments. What other files they call is not covered, nor what a function or an object that is
    no `nn.Module` keeps in its variables.
    """
    module = sys.modules[path.partition(":")[0]]
    things = [module, target] if network is target else [module, target, network]
    lines = [f"imported/2 {path}", *(line for thing in things for line in _identity(thing))]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _identity(thing: object) -> Iterator[str]:
    """What a thing is, in words and digests that are the same in every process."""
    if isinstance(thing, Tensor):
        yield weights_digest("tensor", {"": thing})
    elif isinstance(thing, np.ndarray):
        numbers = hashlib.sha256(np.ascontiguousarray(thing).tobytes()).hexdigest()
        yield f"{thing.dtype} {thing.shape} {numbers}"
    elif isinstance(thing, nn.Module):
        yield _words(thing)
        yield from sorted({_source(type(layer)) for layer in thing.modules()})
        state = thing.state_dict()
        yield weights_digest("", {k: v for k, v in state.items() if isinstance(v, Tensor)})
        # A layer's extra state may be anything.
        yield from _identity({k: v for k, v in state.items() if not isinstance(v, Tensor)})
    elif isinstance(thing, functools.partial):
        yield "partial"
        yield from _identity((thing.func, thing.args, thing.keywords))
    elif inspect.ismethod(thing):
        yield from _identity((thing.__func__, thing.__self__))
    elif isinstance(thing, list | tuple):
        yield f"{type(thing).__name__} {len(thing)}"
        for one in thing:
            yield from _identity(one)
    elif isinstance(thing, dict):
        yield from _identity([*thing.items()])
    elif isinstance(thing, set | frozenset):
        yield f"{type(thing).__name__} {sorted(map(_words, thing))}"
    elif inspect.isroutine(thing) or inspect.isclass(thing):
        yield f"{getattr(thing, '__module__', '')} {thing.__qualname__} {_source(thing)}"
    elif inspect.ismodule(thing):
        yield f"{thing.__name__} {_source(thing)}"
    else:
        yield f"{_words(thing)} {_source(type(thing))}"


def _words(thing: object) -> str:
    """Its `repr` without addresses, which differ from process to process."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(thing))


def _source(thing: Any) -> str:
    """SHA-256 (hex) of the file that something is written in."""
    try:
        source = Path(inspect.getfile(thing)).read_bytes()
    except (OSError, TypeError):  # built in, or typed at a prompt
        source = b""
    return hashlib.sha256(source).hexdigest()
