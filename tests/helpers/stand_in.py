"""A cheap embedder of one's own, in place of one that learns or takes seconds."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from torch import Tensor


class Means:
    """Mean and spread of a few pixels' colours, whatever an image's size: [N, 3, H, W] to [N, 4].

    If the variable `SEEN` names a file, each batch adds a line to it: how many images there were.
    """

    def __call__(self, images: Tensor) -> Tensor:
        if "SEEN" in os.environ:
            with Path(os.environ["SEEN"]).open("a") as file:
                file.write(f"{len(images)}\n")
        x = images[:, :, ::3, ::3].flatten(2).float()
        return torch.cat([x.mean(2), x.std((1, 2), keepdim=False)[:, None]], 1) / 255


class AnySize:
    """The same as an embedder of the project's own kind, for pictures of any size."""

    name = "means"
    digest = "0" * 64
    dim = 4
    any_size = True

    def prepare(self, images: Tensor) -> Tensor:
        return Means()(images.expand(-1, 3, -1, -1))

    def embed(self, prepared: Tensor) -> Tensor:
        return prepared

    def __call__(self, images: Tensor) -> Tensor:
        return self.embed(self.prepare(images))


class Nothing:
    """Features that are no numbers."""

    def __call__(self, images: Tensor) -> Tensor:
        return Means()(images) * torch.nan
