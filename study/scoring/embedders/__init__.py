"""Embedders: what turns images into the features whose distributions a score compares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import torch

from study.data import ImageSet
from study.scoring.embedders.base import Embedder, EmbedderRequest
from study.scoring.embedders.imported import ImportedEmbedder, make_imported
from study.scoring.embedders.inception import InceptionEmbedder, make_inception
from study.scoring.embedders.learned import Learner
from study.scoring.embedders.lenet import LENET_LEARNER, LeNetEmbedder, make_lenet
from study.scoring.embedders.pixels import PixelEmbedder, make_pixels
from study.scoring.embedders.resizing import RESIZES
from study.scoring.embedders.vae import VAE_LEARNER, VAEEmbedder, make_vae
from study.spec.embedder_info import embedder_info
from study.spec.errors import UserError

__all__ = [
    "LEARNERS",
    "MAKERS",
    "Embedder",
    "ImportedEmbedder",
    "InceptionEmbedder",
    "LeNetEmbedder",
    "PixelEmbedder",
    "VAEEmbedder",
    "make_embedder",
]

MAKERS: Mapping[str, Callable[[EmbedderRequest], Embedder]] = MappingProxyType(
    dict.fromkeys(RESIZES, make_inception)
    | {"vae": make_vae, "lenet": make_lenet, "pixels": make_pixels}
)
"""How the embedder of each name is made; what each is, is in `study.spec.embedder_info`."""

LEARNERS: Mapping[str, Learner] = MappingProxyType({"vae": VAE_LEARNER, "lenet": LENET_LEARNER})
"""How those learn that do: what each takes can be known from a few steps."""


def make_embedder(
    name: str,
    train: ImageSet | None,
    *,
    cache_folder: Path,
    device: torch.device | str,
    seed: int,
    weights: Path | None = None,
) -> Embedder:
    """Make an embedder, or fetch it from the cache folder.

    Args:
        name: A name in `study.spec.embedder_info.EMBEDDERS`, or an import path,
            `package.module:Name`.
        train: Images like those to embed. `vae` and `lenet` learn from them (`lenet` from their
            labels as well), `pixels` and an import path take their shape; Inception needs none.
        cache_folder: Where learned weights are kept; created if missing.
        device: Where the embedder lives.
        seed: The seed of its training.
        weights: A file with the weights of `inception` and its like; otherwise they are looked for.

    Raises:
        UserError: If there is no such embedder, or it can not be made of these.
    """
    info = embedder_info(name)
    if weights is not None and not info.weights_file:
        raise UserError(f"The embedder {name!r} takes no weights file, but was given {weights}")
    request = EmbedderRequest(name, train, cache_folder, torch.device(device), seed, weights)
    return make_imported(request) if info.imported else MAKERS[name](request)
