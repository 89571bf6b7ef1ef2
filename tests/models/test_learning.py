"""Families that are trained on real digits make digits, and know how likely digits are."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Generator, Tensor

from models import (
    DDPM,
    TrainingOptions,
    TrainingState,
    build_family,
    generate,
    to_float,
    train,
)
from models.bound import bits_per_dim
from models.family import Family
from models.samplers import ddim, ddim_invert


def frechet(left: Tensor, right: Tensor) -> float:
    """The Fréchet distance between normals fitted to the pixels of two sets of images."""
    a, b = (to_float(images).flatten(1).double() for images in (left, right))
    cross = torch.linalg.eigvals(a.T.cov() @ b.T.cov()).real.clamp(min=0).sqrt().sum()
    means = (a.mean(0) - b.mean(0)).square().sum()
    return float(means + a.T.cov().trace() + b.T.cov().trace() - 2 * cross)


def trained(
    digits: Tensor, settings: dict[str, Any], towards: Tensor | None = None
) -> tuple[Family, Family]:
    """The family as it was before, and the average of its weights after 6 epochs."""
    model = {
        "timesteps": 100,
        "schedule": {"kind": "cosine"},
        "network": {"kind": "unet", "channels": [16, 32]},
        **settings,
    }
    before, family = (build_family(model, (1, 8, 8), seed=0, towards=towards) for _ in range(2))
    state = TrainingState(family, TrainingOptions(batch_size=32, learning_rate=4e-3, seed=0))
    for _ in train(state, digits, epochs=6):
        pass
    return before, state.ema


def distance(family: Family, digits: Tensor, sampler: str, steps: int, **options: Any) -> float:
    samples = generate(family, 512, sampler=sampler, steps=steps, seed=0, options=options)
    return frechet(samples, digits)


@pytest.mark.parametrize(
    ("settings", "share"),
    [
        # Seen: 0.025 to 0.03 of the untrained model's distance, for the mean 0.08. Real digits by
        # themselves: 0.01.
        ({}, 0.05),
        ({"prediction": "v", "weighting": "min_snr", "loss": "huber"}, 0.05),
        ({"prediction": "x0", "loss": "l1"}, 0.08),
        ({"prediction": "mean"}, 0.15),
    ],
)
def test_a_diffusion_model_learns_digits(
    digits: Tensor, settings: dict[str, Any], share: float
) -> None:
    """The pixels' means and covariances approach those of real digits, with every sampler."""
    before, after = trained(digits, {"family": "ddpm", **settings})
    start = distance(before, digits, "ddim", 20)
    for sampler, steps in (("ddim", 20), ("ancestral", 100), ("dpm_solver", 10)):
        assert distance(after, digits, sampler, steps) < share * start


def test_a_model_with_a_learned_variance_knows_best_how_likely_digits_are(
    digits: Tensor,
) -> None:
    before, after = trained(digits, {"family": "ddpm", "variance": "learned"})
    assert isinstance(before, DDPM)
    assert isinstance(after, DDPM)
    images = to_float(digits[:256])

    def bits(model: DDPM, variance: Any) -> float:
        bound = bits_per_dim(model, images, Generator().manual_seed(0), variance=variance)
        return float(bound.total.mean())

    learned, small, large = (bits(after, v) for v in ("learned", "fixed_small", "fixed_large"))
    assert learned < large < small < bits(before, "fixed_small")  # seen: 4.6, 4.9, 5.2, ...
    assert learned < 5
    start = distance(before, digits, "ddim", 20)
    assert distance(after, digits, "ancestral", 20, variance="learned") < 0.05 * start

    *_, latents = ddim_invert(after, images, steps=20, spacing="leading")
    *_, again = ddim(
        after,
        latents.x,
        steps=20,
        generator=Generator().manual_seed(0),
        clip_x0=False,
        spacing="leading",
    )
    assert float((again.x - images).square().mean().sqrt()) < 0.05  # seen: 0.01
    assert float(latents.x.std()) == pytest.approx(1, abs=0.1)


def test_a_morphing_model_learns_digits_from_other_images(digits: Tensor) -> None:
    towards = 255 - digits.transpose(-1, -2)  # dark on bright, and mirrored
    before, after = trained(digits, {"family": "morphing"}, towards)
    start = distance(before, digits, "improved", 20)
    once = distance(after, digits, "one_shot", 1)
    for sampler in ("improved", "naive"):
        got = distance(after, digits, sampler, 20)
        assert got < 0.2 * start  # seen: 0.12 and 0.07
        assert got < 0.7 * once  # seen: 0.4 and 0.25
