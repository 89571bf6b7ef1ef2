"""Small subjects to look at: untrained networks, or ones that know the answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models.build import build_family
from models.family import Family
from models.sampling import generate
from study.data import ImageSet, load_images, split
from study.diagnostics.subject import Subject
from study.results.storage import Storage
from study.scoring import prepare_scorer

NETWORK = {"kind": "unet", "channels": [4, 8]}
MODELS: dict[str, dict[str, Any]] = {
    "ddpm": {
        "family": "ddpm",
        "timesteps": 40,
        "schedule": {"kind": "cosine"},
        "network": NETWORK,
    },
    "morphing": {
        "family": "morphing",
        "timesteps": 40,
        "schedule": {"kind": "cosine"},
        "network": NETWORK,
    },
    "gan": {
        "family": "gan",
        "latent": 8,
        "generator": {"kind": "dcgan", "channels": [8]},
        "discriminator": {"kind": "dcgan", "channels": [8]},
    },
}
SAMPLERS = {"ddpm": ("ddim", 5), "morphing": ("improved", 5), "gan": ("generator", 1)}


def morph_images() -> Tensor:
    """Digits upside down, black on white."""
    return 255 - load_images("digits").tensor().flip(2)[:200]


def build(
    kind: str, shape: tuple[int, int, int] = (1, 8, 8), towards: Tensor | None = None
) -> Family:
    if kind == "morphing" and towards is None:
        towards = morph_images()
    family = build_family(MODELS[kind], shape, 0, towards=towards)
    return family.eval().requires_grad_(False)


def make_subject(
    folder: Path,
    kind: str = "ddpm",
    *,
    family: Family | None = None,
    images: ImageSet | None = None,
    generated: Callable[[int, int], Tensor] | None = None,
    samples: int = 32,
    seed: int = 0,
    full: bool = False,
) -> Subject:
    """A subject on digits; `generated` stands in for the family's own samples."""
    family = build(kind) if family is None else family
    parts = split(load_images("digits") if images is None else images)
    sampler, steps = SAMPLERS[kind]
    storage = Storage.from_uri(str(folder / "studies"))
    storage.claim("s", "") if not storage.exists("s/study.yaml") else None

    def own(count: int, seed: int) -> Tensor:
        return generate(family, count, sampler=sampler, steps=steps, seed=seed)

    return Subject(
        storage=storage,
        study="s",
        trial=0,
        model=MODELS[kind],
        family=family,
        train=parts.train,
        held_out=parts.held_out,
        sampler=sampler,
        steps=steps,
        options={},
        generate=own if generated is None else generated,
        prepare_scorer=lambda: prepare_scorer(
            metric="fd_pixels",
            train=parts.train,
            held_out=parts.held_out,
            cache_folder=folder / "cache",
            device="cpu",
            seed=0,
        ),
        samples=samples,
        seed=seed,
        full=full,
    )


def repeating(images: np.ndarray[Any, Any]) -> Callable[[int, int], Tensor]:
    """Stands in for a generator: gives these images, over and over."""
    pool = torch.tensor(images)

    def make(count: int, seed: int) -> Tensor:
        del seed
        return pool[torch.arange(count) % len(pool)]

    return make


class Answer(nn.Module):
    """A network that gives what a function makes of its input."""

    def __init__(self, answer: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.answer = answer
        self.weight = nn.Parameter(torch.zeros(()))  # for the device

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return self.answer(x, t)
