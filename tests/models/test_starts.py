from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Generator, Tensor

from models.images import to_float
from models.starts import STARTS, MorphSet, fit_mixture


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def start(name: str, towards: Tensor, count: int, seed: int = 0, **options: Any) -> Tensor:
    return STARTS[name](MorphSet(towards), count, seeded(seed), **options)


def test_images_are_drawn_evenly(digits: Tensor) -> None:
    z = start("images", digits[:10], 5000)
    assert z.shape == (5000, 1, 8, 8)
    distances = (z.flatten(1)[:, None] - to_float(digits[:10]).flatten(1)).norm(dim=2)
    assert (distances.min(1).values == 0).all()
    counts = torch.bincount(distances.argmin(1), minlength=10)
    assert ((counts - 500).abs() < 5 * 500**0.5).all()


@pytest.mark.parametrize("level", [0.0, 0.01, 0.5])
def test_noise_has_its_level(digits: Tensor, level: float) -> None:
    difference = start("noise", digits, 3000, level=level) - start("images", digits, 3000)
    assert float(difference.mean()) == pytest.approx(0, abs=0.02 * level + 1e-9)
    assert float(difference.std()) == pytest.approx(level, rel=0.01, abs=1e-9)


@pytest.mark.parametrize("images", [1, 5, 20])
def test_the_average_of_n_images_has_their_mean_and_an_nth_of_their_variance(
    digits: Tensor, images: int
) -> None:
    z = start("average", digits, 6000, images=images)
    real = to_float(digits)
    assert (z.mean(0) - real.mean(0)).abs().max() < 5 / (6000 * images) ** 0.5
    total, single = z.flatten(1).var(0).sum(), real.flatten(1).var(0).sum()
    assert float(total) == pytest.approx(float(single) / images, rel=0.05)
    if images == 1:
        assert all((image == real).flatten(1).all(1).any() for image in z[:50])


def test_the_mixture_has_the_sets_mean_and_covariance(digits: Tensor) -> None:
    pale = (digits // 2 + 64).to(torch.uint8)  # so that hardly a pixel is clamped
    real = to_float(pale).flatten(1).double()
    fitted = fit_mixture(pale, 10)
    weights, means = fitted.weights.double(), fitted.means.double()
    factors, directions = fitted.factors.double(), fitted.directions.double()
    mean = weights @ means
    spread = factors @ factors.mT + means[:, :, None] * means[:, None]
    second = (weights[:, None, None] * spread).sum(0)
    covariance = directions.T @ (second - torch.outer(mean, mean)) @ directions
    theirs = real.T.cov()
    assert float((covariance - theirs).norm() / theirs.norm()) < 0.01

    z = start("mixture", pale, 20_000, components=10).flatten(1).double()
    assert z.abs().max() <= 1
    assert (z.mean(0) - real.mean(0)).abs().max() < 0.02
    assert float((z.T.cov() - theirs).norm() / theirs.norm()) < 0.05


def test_the_mixture_finds_groups_that_one_normal_would_blur() -> None:
    """Dark and bright images, and none between: the samples too."""
    generator = seeded()
    dark = torch.randint(20, 60, (300, 1, 4, 4), generator=generator)
    bright = torch.randint(190, 230, (100, 1, 4, 4), generator=generator)
    towards = torch.cat([dark, bright]).to(torch.uint8)
    brightness = start("mixture", towards, 2000, components=2).mean(dim=(1, 2, 3))
    assert not ((brightness > -0.4) & (brightness < 0.4)).any()
    assert float((brightness > 0).float().mean()) == pytest.approx(0.25, abs=0.04)


def test_the_mixture_is_fitted_once_with_a_seed_of_its_own(digits: Tensor) -> None:
    towards = MorphSet(digits[:300])
    numpy_state = np.random.get_state()[1].copy()
    torch_state = torch.random.get_rng_state()
    fitted = towards.mixture(3)
    assert towards.mixture(3) is fitted
    assert copy.deepcopy(towards).mixture(3) is fitted
    assert (np.random.get_state()[1] == numpy_state).all()
    assert torch.equal(torch.random.get_rng_state(), torch_state)
    again = fit_mixture(digits[:300], 3)
    assert torch.equal(again.means, fitted.means)
    assert torch.equal(again.draw(4, seeded()), fitted.draw(4, seeded()))


@pytest.mark.filterwarnings("ignore:invalid value encountered in divide")
def test_sets_without_variety_are_no_trouble() -> None:
    for name, options in {"noise": {}, "average": {}, "mixture": {"components": 1}}.items():
        z = start(name, torch.zeros(5, 1, 4, 4, dtype=torch.uint8), 3, **options)
        assert (z + 1).abs().max() < 0.1
    with pytest.raises(ValueError, match="A mixture needs 2 morph images or more"):
        start("mixture", torch.zeros(1, 1, 4, 4, dtype=torch.uint8), 3, components=1)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("noise", {"level": -0.1}, "`level` is -0.1, but must be >= 0"),
        ("average", {"images": 0}, "`images` is 0, but must be >= 1"),
        ("mixture", {"components": 0}, r"`components` is 0, but must be in 1 \.\. 20"),
        ("mixture", {"components": 21}, r"`components` is 21, but must be in 1 \.\. 20"),
    ],
)
def test_a_value_out_of_range_is_named(
    digits: Tensor, name: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        start(name, digits[:20], 2, **options)
