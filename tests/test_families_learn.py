"""Every family learns real digits: from an untrained network's `fd_vae` to a stated one.

Small and quick: 16x16 pixels, two to four passes over 4,000 digits. The bounds lie between what the
right thing reaches (`SEEN`, in a run on one core) and what it gives with its sampling, its schedule
or its loss broken.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from models import Family, TrainingOptions, TrainingState, build_family, generate, train
from study.data import Preparation, Split, load_images, split
from study.scoring import Scorer, prepare_scorer

SIDE = 16
UNET = {"kind": "unet", "channels": [16, 32, 64]}
LINEAR = {"kind": "linear", "scaled": True}
GENERATOR = {"kind": "dcgan", "channels": [64, 32]}
CRITIC = {"kind": "dcgan", "channels": [32, 64], "norm": "layer"}
ADAM = {"batch_size": 32, "learning_rate": 1e-3, "optimizer_options": {"betas": (0.5, 0.9)}}


@dataclass(frozen=True)
class Case:
    """A model, how it is trained and sampled, and the `fd_vae` that it must come below."""

    model: dict[str, Any]
    bound: float
    epochs: int = 2
    train: dict[str, Any] = field(default_factory=lambda: {"batch_size": 16, "learning_rate": 2e-3})
    sampler: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    steps: int = 20


def ddpm(**settings: Any) -> dict[str, Any]:
    model = {"family": "ddpm", "timesteps": 200, "schedule": LINEAR, "network": UNET}
    return {**model, **settings}


def gan(**settings: Any) -> dict[str, Any]:
    return {"family": "gan", "latent": 32, "generator": GENERATOR, **settings}


CASES = {
    "ddpm": Case(ddpm(), 3.8),
    "ddpm-v-dpm-solver": Case(ddpm(prediction="v", schedule="cosine"), 2.3, sampler="dpm_solver"),
    "ddpm-x0-min-snr": Case(ddpm(prediction="x0", weighting="min_snr"), 3.2),
    "ddpm-mean": Case(ddpm(prediction="mean"), 8.0),
    "ddpm-learned-variance": Case(
        ddpm(variance="learned", schedule="cosine"),
        2.7,
        sampler="ancestral",
        options={"variance": "learned"},
        steps=50,
    ),
    "morphing": Case(
        {"family": "morphing", "timesteps": 200, "schedule": LINEAR, "network": UNET}, 3.7
    ),
    "gan": Case(gan(discriminator={"kind": "dcgan", "channels": [32, 64]}), 2.8, 4, ADAM),
    "gan-min-max": Case(gan(discriminator=CRITIC, loss="min_max"), 7.0, 4, ADAM),
    "gan-hinge-spectral-norm": Case(
        gan(discriminator={**CRITIC, "norm": "none", "spectral_norm": True}, loss="hinge"),
        6.0,
        4,
        ADAM,
    ),
    "gan-wgan-clip": Case(
        gan(
            discriminator=CRITIC,
            loss="wasserstein",
            penalty={"kind": "clip", "limit": 0.05},
            critic_steps=3,
        ),
        10.0,
        4,
        ADAM,
    ),
    "gan-wgan-gp": Case(
        gan(discriminator=CRITIC, loss="wasserstein", penalty="gradient", critic_steps=3),
        2.8,
        4,
        ADAM,
    ),
    "gan-unrolled": Case(gan(discriminator=CRITIC, unroll=3), 5.5, 4, ADAM),
}

SEEN = {
    "ddpm": 2.6,
    "ddpm-v-dpm-solver": 1.5,
    "ddpm-x0-min-snr": 2.2,
    "ddpm-mean": 5.0,
    "ddpm-learned-variance": 1.8,
    "morphing": 2.5,
    "gan": 1.7,
    "gan-min-max": 5.0,
    "gan-hinge-spectral-norm": 3.6,
    "gan-wgan-clip": 7.2,
    "gan-wgan-gp": 1.7,
    "gan-unrolled": 3.8,
}
"""For whoever changes a bound."""


@pytest.fixture(scope="module")
def digits() -> Split:
    return split(load_images("mnist5k", Preparation(size=SIDE)))


@pytest.fixture(scope="module")
def photographs() -> Tensor:
    return load_images("photo_patches", Preparation(size=SIDE, channels=1)).tensor()


@pytest.fixture(scope="module")
def scorer(digits: Split, tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    return prepare_scorer(
        metric="fd_vae",
        train=digits.train,
        held_out=digits.held_out,
        cache_folder=Path(tmp_path_factory.mktemp("cache")),
        device="cpu",
        seed=0,
    )


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def distance(case: Case, family: Family, scorer: Scorer) -> float:
    images = generate(
        family,
        400,
        sampler=case.sampler or family.default_sampler,
        steps=case.steps,
        seed=0,
        options=case.options,
    )
    return scorer.distance(scorer.features(images))


@pytest.mark.parametrize("name", CASES)
def test_a_family_learns_real_digits(
    name: str, digits: Split, photographs: Tensor, scorer: Scorer
) -> None:
    case = CASES[name]
    towards = photographs if case.model["family"] == "morphing" else None
    family = build_family(case.model, (1, SIDE, SIDE), seed=0, towards=towards)
    assert distance(case, family, scorer) > 7  # untrained
    state = TrainingState(family, TrainingOptions(seed=0, **case.train))
    for _ in train(state, digits.train.tensor(), epochs=case.epochs):
        pass
    reached = distance(case, state.ema, scorer)
    print(f"{name}: fd_vae {reached:.2f}, as seen before {SEEN[name]}")
    assert reached < case.bound
