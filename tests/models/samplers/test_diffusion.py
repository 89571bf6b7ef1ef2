from __future__ import annotations

from typing import Any

import pytest
import torch
from denoisers import Gaussian, Toy
from diffusers import DDIMScheduler, DDPMScheduler
from torch import Generator, Tensor

from models.samplers import (
    Spacing,
    Variance,
    ancestral,
    ddim,
    ddim_invert,
    respaced,
)
from models.schedules import SCHEDULES, Schedule, cosine, linear

SHAPE = (3, 1, 4, 4)


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def peer(kind: Any, schedule: Schedule, spacing: Spacing, clip: bool, **options: Any) -> Any:
    """A scheduler of diffusers; with tables in float64, for it loses digits where beta is small."""
    scheduler = kind(
        num_train_timesteps=schedule.timesteps,
        trained_betas=schedule.betas.tolist(),
        timestep_spacing=spacing,
        clip_sample=clip,
        **options,
    )
    scheduler.betas = schedule.betas
    scheduler.alphas = 1 - scheduler.betas
    scheduler.alphas_cumprod = torch.cumprod(scheduler.alphas, dim=0)
    return scheduler


def follow(scheduler: Any, model: Toy, x: Tensor, steps: int, **options: Any) -> list[Any]:
    scheduler.set_timesteps(steps)
    states = []
    for t in scheduler.timesteps:
        output = model.epsilon(x, t.expand(len(x)))
        if model.learned:  # theirs takes what a network gives: in [-1, 1] between the bounds
            output = torch.cat([output, 2 * model.share(x, t.expand(len(x))) - 1], dim=1)
        output = scheduler.step(output, t, x, **options)
        x = output.prev_sample
        states.append((int(t), x, output.pred_original_sample))
    return states


@pytest.mark.parametrize("kind", sorted(SCHEDULES))
@pytest.mark.parametrize("variance", ["fixed_small", "fixed_large"])
@pytest.mark.parametrize("spacing", ["trailing", "leading"])
@pytest.mark.parametrize(("steps", "clip"), [(100, True), (20, True), (7, True), (20, False)])
def test_ancestral_follows_diffusers(
    kind: str, variance: Variance, spacing: Spacing, steps: int, clip: bool
) -> None:
    model = Toy(SCHEDULES[kind](100))
    scheduler = peer(DDPMScheduler, model.schedule, spacing, clip, variance_type=variance)
    x_T = torch.randn(SHAPE, generator=seeded())
    theirs = follow(scheduler, model, x_T, steps, generator=seeded(1))
    ours = list(
        ancestral(
            model,
            x_T,
            steps=steps,
            generator=seeded(1),
            clip_x0=clip,
            spacing=spacing,
            variance=variance,
        )
    )
    assert [state.t for state in ours] == [t for t, _, _ in theirs]
    for state, (t, x, x0) in zip(ours, theirs, strict=True):
        torch.testing.assert_close(state.x0, x0, rtol=1e-5, atol=1e-5)
        # diffusers adds noise to finished images where the last timestep visited is not 0
        if t > 0 and state is ours[-1] and variance == "fixed_large":
            continue
        torch.testing.assert_close(state.x, x, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("steps", "clip"), [(100, True), (20, False)])
def test_ancestral_with_a_learned_variance_follows_diffusers(steps: int, clip: bool) -> None:
    model = Toy(cosine(100), learned=True)
    scheduler = peer(DDPMScheduler, model.schedule, "trailing", clip, variance_type="learned_range")
    x_T = torch.randn(SHAPE, generator=seeded())
    theirs = follow(scheduler, model, x_T, steps, generator=seeded(1))
    ours = list(
        ancestral(model, x_T, steps=steps, generator=seeded(1), clip_x0=clip, variance="learned")
    )
    for state, (t, x, x0) in zip(ours, theirs, strict=True):
        torch.testing.assert_close(state.x0, x0, rtol=1e-4, atol=1e-4)
        if t > 0 and state is ours[-1]:  # theirs adds noise to finished images, as above
            continue
        torch.testing.assert_close(state.x, x, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", ["linear", "cosine"])
def test_inversion_finds_the_noise_that_the_images_come_from(kind: str) -> None:
    model = Gaussian(SCHEDULES[kind](1000), mean=0.3, deviation=0.2)
    images = 0.3 + 0.2 * torch.randn(64, 1, 2, 2, generator=seeded(), dtype=torch.float64)

    def round_trip(**options: Any) -> tuple[Tensor, float]:
        *_, latent = ddim_invert(model, images, **options)
        options.pop("iterations", None)
        *_, last = ddim(model, latent.x, generator=seeded(), clip_x0=False, **options)
        return latent.x, float((last.x - images).abs().max())

    latents, error = round_trip(steps=1000)
    assert error < 0.01
    alpha_bar = model.schedule.alpha_bars[-1]  # the exact flow keeps the standard score
    expected = (images - 0.3) / 0.2 * (alpha_bar * 0.04 + 1 - alpha_bar).sqrt()
    assert (latents - expected - 0.3 * alpha_bar.sqrt()).abs().max() < 0.03
    errors = [round_trip(steps=100, iterations=rounds)[1] for rounds in (1, 2, 4, 8)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < errors[0] / 40
    assert round_trip(steps=100, iterations=8, spacing="leading")[1] < 1e-4


def test_inversion_visits_the_timesteps_of_ddim_backwards() -> None:
    states = list(ddim_invert(Toy(linear(40)), torch.zeros(SHAPE), steps=6))
    assert [state.t for state in states] == respaced(40, 6, "trailing")[::-1]
    with pytest.raises(ValueError, match="`iterations` is 0, but must be >= 1"):
        next(ddim_invert(Toy(linear(40)), torch.zeros(SHAPE), steps=6, iterations=0))


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(SCHEDULES))
@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("spacing", ["trailing", "leading"])
@pytest.mark.parametrize(("steps", "clip"), [(100, True), (20, True), (20, False)])
def test_ddim_follows_diffusers(
    kind: str, eta: float, spacing: Spacing, steps: int, clip: bool
) -> None:
    model = Toy(SCHEDULES[kind](100))
    scheduler = peer(DDIMScheduler, model.schedule, spacing, clip)
    x_T = torch.randn(SHAPE, generator=seeded())
    theirs = follow(
        scheduler,
        model,
        x_T,
        steps,
        eta=eta,
        generator=seeded(1),
        use_clipped_model_output=clip,
    )
    ours = list(
        ddim(
            model,
            x_T,
            steps=steps,
            generator=seeded(1),
            clip_x0=clip,
            spacing=spacing,
            eta=eta,
        )
    )
    assert [state.t for state in ours] == [t for t, _, _ in theirs]
    for state, (_, x, x0) in zip(ours, theirs, strict=True):
        torch.testing.assert_close(state.x0, x0, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(state.x, x, rtol=1e-5, atol=1e-5)


def test_full_ancestral_steps_have_the_posteriors_mean_and_variance() -> None:
    schedule = cosine(30)
    model, x = Toy(schedule), torch.randn(SHAPE, generator=seeded())
    noise = seeded(1)
    for state in ancestral(model, x, steps=30, generator=seeded(1)):
        mean = schedule.posterior_mean(state.x0, x, torch.full((len(x),), state.t))
        if state.t > 0:
            mean += schedule.posterior_variance[state.t].sqrt() * torch.randn(
                SHAPE, generator=noise
            )
        torch.testing.assert_close(state.x, mean.float(), rtol=1e-5, atol=1e-5)
        x = state.x
