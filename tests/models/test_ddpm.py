from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Generator, Tensor

from models import TrainingOptions, TrainingState, build_family, generate, to_float, train
from models.ddpm import DDPM


def test_the_draws_are_uniform_timesteps_and_standard_normal_noise(model: dict[str, Any]) -> None:
    family = build_family(model, (1, 8, 8), seed=0)
    t, epsilon = family.draw(20_000, Generator().manual_seed(0))
    counts = torch.bincount(t, minlength=20)
    assert len(counts) == 20
    assert ((counts - 1000).abs() < 5 * 1000**0.5).all()
    assert epsilon.shape == (20_000, 1, 8, 8)
    assert float(epsilon.mean()) == pytest.approx(0, abs=0.005)
    assert float(epsilon.std()) == pytest.approx(1, abs=0.005)


def test_the_loss_of_each_image_is_the_mean_squared_error_of_the_noise(
    model: dict[str, Any],
) -> None:
    family = build_family(model, (1, 8, 8), seed=0)  # predicts 0 at first
    assert isinstance(family, DDPM)
    draws = family.draw(6, Generator().manual_seed(0))
    losses = family(torch.zeros(6, 1, 8, 8), *draws)
    torch.testing.assert_close(losses, draws[1].square().mean(dim=(1, 2, 3)))

    alpha_bars = family.schedule.alpha_bars

    class Perfect(torch.nn.Module):
        def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
            return x_t / (1 - alpha_bars[t]).sqrt().view(-1, 1, 1, 1).float()

    family.network = Perfect()
    torch.testing.assert_close(
        family.losses(torch.zeros(6, 1, 8, 8), *draws), torch.zeros(6), atol=1e-6, rtol=0
    )


def frechet(left: Tensor, right: Tensor) -> float:
    """The Fréchet distance between normals fitted to the pixels of two sets of images."""
    a, b = (to_float(images).flatten(1).double() for images in (left, right))
    cross = torch.linalg.eigvals(a.T.cov() @ b.T.cov()).real.clamp(min=0).sqrt().sum()
    means = (a.mean(0) - b.mean(0)).square().sum()
    return float(means + a.T.cov().trace() + b.T.cov().trace() - 2 * cross)


def test_training_on_real_digits_makes_digits(digits: Tensor) -> None:
    """The pixels' means and covariances approach those of real digits, with either sampler."""
    model = {
        "family": "ddpm",
        "timesteps": 100,
        "schedule": {"kind": "cosine"},
        "network": {"kind": "unet", "channels": [16, 32]},
    }
    family = build_family(model, (1, 8, 8), seed=0)
    options = TrainingOptions(batch_size=32, learning_rate=4e-3, seed=0)
    state = TrainingState(family, options)
    sampling: dict[str, Any] = {"seed": 0, "count": 512}
    before = frechet(generate(state.ema, sampler="ddim", steps=20, **sampling), digits)
    for _ in train(state, digits, epochs=6):
        pass
    for sampler, steps in (("ddim", 20), ("ancestral", 100)):
        after = frechet(generate(state.ema, sampler=sampler, steps=steps, **sampling), digits)
        assert after < 0.05 * before  # seen: 0.03 and 0.02; real digits by themselves: 0.01
