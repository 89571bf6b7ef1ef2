from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from denoisers import Gaussian, Toy
from diffusers import DPMSolverMultistepScheduler
from torch import Generator

from models.samplers import (
    ddim,
    dpm_solver,
)
from models.schedules import SCHEDULES, cosine, linear

SHAPE = (3, 1, 4, 4)


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("kind", sorted(SCHEDULES))
@pytest.mark.parametrize(("steps", "clip"), [(100, True), (20, True), (20, False), (7, True)])
def test_dpm_solver_follows_diffusers(kind: str, steps: int, clip: bool) -> None:
    model = Toy(SCHEDULES[kind](100))
    scheduler = DPMSolverMultistepScheduler(
        num_train_timesteps=100,
        trained_betas=model.schedule.betas.tolist(),
        timestep_spacing="trailing",
        solver_order=2,
        final_sigmas_type="zero",
        thresholding=clip,
        sample_max_value=1.0,  # then thresholding is clipping to [-1, 1]
    )
    scheduler.alphas_cumprod = model.schedule.alpha_bars
    x_T = torch.randn(SHAPE, generator=seeded())
    scheduler.set_timesteps(steps)
    ours = list(dpm_solver(model, x_T, steps=steps, generator=seeded(), clip_x0=clip))
    assert [state.t for state in ours] == scheduler.timesteps.tolist()
    x = x_T
    for state, t in zip(ours, scheduler.timesteps, strict=True):
        x = scheduler.step(model.epsilon(x, t.expand(len(x))), t, x).prev_sample
        torch.testing.assert_close(state.x, x, rtol=1e-4, atol=1e-4)


def test_dpm_solver_is_of_second_order() -> None:
    """Against the exact flow of normal data, which keeps the standard score, at t = 199."""
    model = Gaussian(linear(1000), mean=0.3, deviation=0.2)

    def level(t: int) -> tuple[float, float]:
        alpha_bar = float(model.schedule.alpha_bars[t])
        return 0.3 * math.sqrt(alpha_bar), math.sqrt(alpha_bar * 0.04 + 1 - alpha_bar)

    def error(sampler: Any, steps: int) -> float:
        mean, deviation = level(999)
        scores = torch.randn(64, 1, 2, 2, generator=seeded(), dtype=torch.float64)
        states = sampler(
            model, mean + deviation * scores, steps=steps, generator=seeded(), clip_x0=False
        )
        *_, last = (state for state in states if state.t > 199)
        mean, deviation = level(199)
        return float((last.x - mean - deviation * scores).abs().max())

    assert error(ddim, 80) > error(ddim, 40) / 2.5
    assert error(dpm_solver, 80) < error(dpm_solver, 40) / 3
    assert error(dpm_solver, 40) < error(ddim, 40) / 5


@pytest.mark.parametrize("clip", [True, False])
def test_the_first_step_of_dpm_solver_is_that_of_ddim(clip: bool) -> None:
    model = Toy(cosine(50))
    x_T = 3 * torch.randn(SHAPE, generator=seeded())  # far out, so that there is much to clamp
    options = {"steps": 7, "clip_x0": clip}
    first, other = (
        next(sampler(model, x_T, generator=seeded(), **options)) for sampler in (ddim, dpm_solver)
    )
    assert (first.x0.abs() == 1).any() == clip
    torch.testing.assert_close(first.x, other.x, rtol=1e-5, atol=1e-5)
