"""Embedders: what turns images into the features whose distributions a score compares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType

import torch

from study.data import ImageSet
from study.scoring.embedders.base import Embedder, Ingredients
from study.scoring.embedders.imported import ImportedEmbedder, make_imported
from study.scoring.embedders.inception import InceptionEmbedder, make_inception
from study.scoring.embedders.lenet import LeNetEmbedder, make_lenet
from study.scoring.embedders.pixels import PixelEmbedder, make_pixels
from study.scoring.embedders.resizing import RESIZES
from study.scoring.embedders.vae import VAEEmbedder, make_vae
from study.spec.errors import UserError
from study.spec.names import nearest

__all__ = [
    "EMBEDDERS",
    "Embedder",
    "ImportedEmbedder",
    "InceptionEmbedder",
    "LeNetEmbedder",
    "PixelEmbedder",
    "VAEEmbedder",
    "make_embedder",
]

EMBEDDERS: Mapping[str, Callable[[Ingredients], Embedder]] = MappingProxyType(
    {name: partial(make_inception, name) for name in RESIZES}
    | {"vae": make_vae, "lenet": make_lenet, "pixels": make_pixels}
)
"""How to make the embedder of each name."""


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
        name: A name in `EMBEDDERS`, or an import path, `package.module:Name`.
        train: Images like those to embed. `vae` and `lenet` learn from them (`lenet` from their
            labels as well), `pixels` and an import path take their shape; Inception needs none.
        cache_folder: Where learned weights are kept; created if missing.
        device: Where the embedder lives.
        seed: The seed of its training.
        weights: A file with the weights of `inception` and its like; otherwise they are looked for.

    Raises:
        UserError: If there is no such embedder, or it can not be made of these.
    """
    if weights is not None and name not in RESIZES:
        raise UserError(f"The embedder {name!r} takes no weights file, but was given {weights}")
    given = Ingredients(train, cache_folder, torch.device(device), seed, weights)
    if ":" in name:
        return make_imported(name, given)
    if name not in EMBEDDERS:
        known = ", ".join(EMBEDDERS)
        raise UserError(
            f"The value of `embedder` is {name!r}, but must be one of {known}, "
            f"or an import path, package.module:Name{nearest(name, EMBEDDERS)}"
        )
    return EMBEDDERS[name](given)
