from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from denoisers import Gaussian, Toy
from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler
from hypothesis import given
from hypothesis import strategies as st
from torch import Generator, Tensor

from models.samplers import (
    SAMPLERS,
    Spacing,
    Variance,
    ancestral,
    ddim,
    ddim_invert,
    dpm_solver,
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


@pytest.mark.parametrize("name", sorted(SAMPLERS))
@pytest.mark.parametrize("kind", ["linear", "cosine"])
def test_with_the_exact_denoiser_the_samples_have_the_datas_moments(name: str, kind: str) -> None:
    model = Gaussian(SCHEDULES[kind](1000), mean=0.3, deviation=0.2)
    x_T = torch.randn(32, 1, 16, 16, generator=seeded())
    *_, last = SAMPLERS[name](model, x_T, steps=1000, generator=seeded(1))
    assert float(last.x.mean()) == pytest.approx(0.3, abs=0.01)
    assert float(last.x.std()) == pytest.approx(0.2, rel=0.05)


@pytest.mark.parametrize("name", sorted(SAMPLERS))
@pytest.mark.parametrize("spacing", ["trailing", "leading"])
@pytest.mark.parametrize("steps", [1, 6, 40])
def test_a_sampler_yields_each_step_and_ends_in_the_clean_images(
    name: str, spacing: Spacing, steps: int
) -> None:
    x_T = torch.randn(SHAPE, generator=seeded())
    states = list(
        SAMPLERS[name](Toy(linear(40)), x_T, steps=steps, generator=seeded(), spacing=spacing)
    )
    assert [state.t for state in states] == respaced(40, steps, spacing)
    torch.testing.assert_close(states[-1].x, states[-1].x0)
    assert states[-1].x.abs().max() <= 1
    assert not states[-1].x.requires_grad


@given(st.integers(1, 1000), st.data())
def test_the_timesteps_visited_fall_within_range(timesteps: int, data: st.DataObject) -> None:
    steps = data.draw(st.integers(1, timesteps))
    trailing = respaced(timesteps, steps, "trailing")
    leading = respaced(timesteps, steps, "leading")
    for visited in (trailing, leading):
        assert len(visited) == len(set(visited)) == steps
        assert visited == sorted(visited, reverse=True)
        assert 0 <= visited[-1] <= visited[0] < timesteps
    assert trailing[0] == timesteps - 1
    assert leading[-1] == 0


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("ddim", {"steps": 11}, r"`steps` is 11, but must be in 1 \.\. 10"),
        ("ancestral", {"steps": 0}, r"`steps` is 0, but must be in 1 \.\. 10"),
        ("ddim", {"steps": 5, "eta": 1.5}, r"`eta` is 1.5, but must be in \[0, 1\]"),
        ("ddim", {"steps": 5, "eta": math.nan}, "`eta` is nan"),
        ("ancestral", {"steps": 5, "variance": "learned"}, "the model has learned no variance"),
        ("ancestral", {"steps": 5, "variance": "small"}, "`variance` is 'small', but must be"),
        ("dpm_solver", {"steps": 11}, r"`steps` is 11, but must be in 1 \.\. 10"),
        ("ddim", {"steps": 5, "spacing": "even"}, "`spacing` is 'even'"),
    ],
)
def test_a_value_out_of_range_is_named_with_its_rule(
    name: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        next(SAMPLERS[name](Toy(linear(10)), torch.zeros(SHAPE), generator=seeded(), **options))
