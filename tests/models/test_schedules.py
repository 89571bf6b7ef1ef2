from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from diffusers import DDPMScheduler
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from models.schedules import (
    SCHEDULES,
    constant,
    cosine,
    inverse_linear,
    linear,
    linear_alpha,
    linear_alpha_bar,
    sigmoid,
)

betas = st.floats(1e-5, 0.06)  # 1000 of them leave something
timesteps = st.integers(1, 1000)


@given(timesteps, betas, betas)
def test_inverse_linear_is_linear_reversed_in_time(steps: int, start: float, end: float) -> None:
    rising = linear(steps, beta_start=start, beta_end=end)
    falling = inverse_linear(steps, beta_start=start, beta_end=end)
    assert torch.equal(falling.betas, rising.betas.flip(0))


@given(st.integers(100, 2000))
def test_only_scaled_schedules_end_at_the_same_noise_for_any_number_of_timesteps(
    steps: int,
) -> None:
    for schedule in (linear, inverse_linear, constant):
        end = schedule(steps, scaled=True).alpha_bars[-1].log()
        assert float(end / schedule(1000).alpha_bars[-1].log()) == pytest.approx(1, abs=0.13)
    assert float(linear(100).alpha_bars[-1]) == pytest.approx(0.37, abs=0.01)


@given(st.integers(2, 1000), st.floats(0.01, 0.999))
def test_the_cosine_schedule_is_the_cosine_until_it_clips(steps: int, max_beta: float) -> None:
    schedule = cosine(steps, max_beta=max_beta)
    assert schedule.betas.max() <= max_beta
    unclipped = int((schedule.betas < max_beta).sum())
    assert (schedule.betas[:unclipped] < max_beta).all()  # it clips at the end only
    time = (torch.arange(steps + 1, dtype=torch.float64) / steps + 0.008) / 1.008
    f = torch.cos(time * math.pi / 2) ** 2
    expected = f[1 : unclipped + 1] / f[0]
    torch.testing.assert_close(schedule.alpha_bars[:unclipped], expected, rtol=1e-9, atol=0)


@pytest.mark.parametrize("steps", [10, 1000, 4000])
def test_alpha_falls_linearly_in_linear_alpha(steps: int) -> None:
    schedule = linear_alpha(steps)
    expected = [0.9999 + (0.98 - 0.9999) * t / (steps - 1) for t in range(steps)]
    assert schedule.alphas.tolist() == pytest.approx(expected, rel=1e-12)
    torch.testing.assert_close(schedule.betas, linear(steps).betas, rtol=1e-9, atol=0)
    halved = linear_alpha(2000, scaled=True).betas
    torch.testing.assert_close(halved, linear_alpha(2000).betas / 2)


@pytest.mark.parametrize("steps", [10, 1000, 4000])
def test_alpha_bar_falls_linearly_in_linear_alpha_bar(steps: int) -> None:
    expected = [1 + (0.001 - 1) * (t + 1) / steps for t in range(steps)]
    assert linear_alpha_bar(steps).alpha_bars.tolist() == pytest.approx(expected, rel=1e-9)
    clipped = linear_alpha_bar(steps, max_beta=0.1)
    assert clipped.betas.max() <= 0.1
    assert clipped.alpha_bars[-1] > 0.001


@pytest.mark.parametrize("steps", [10, 1000, 4000])
@pytest.mark.parametrize(("start", "end", "tau"), [(-3, 3, 1.0), (0, 3, 0.5), (-3, 1, 2.0)])
def test_alpha_bar_is_the_sigmoid_of_the_paper(
    steps: int, start: float, end: float, tau: float
) -> None:
    schedule = sigmoid(steps, start=start, end=end, tau=tau)
    top, bottom = expit(end / tau), expit(start / tau)
    expected = [
        (top - expit((start + (end - start) * (t + 1) / steps) / tau)) / (top - bottom)
        for t in range(steps - 1)  # the last one, 0, is what clipping is for
    ]
    assert schedule.alpha_bars[:-1].tolist() == pytest.approx(expected, rel=1e-6)
    assert float(schedule.betas[-1]) == pytest.approx(0.999)


@pytest.mark.parametrize("kind", sorted(SCHEDULES))
@pytest.mark.parametrize("steps", [10, 4000])
def test_every_schedule_spans_10_to_4000_timesteps(kind: str, steps: int) -> None:
    schedule = SCHEDULES[kind](steps)
    assert schedule.timesteps == steps
    t, x = torch.arange(steps), torch.ones(steps)
    for values in (
        schedule.add_noise(x, t, x),
        schedule.posterior_mean(x, x, t),
        *schedule.log_variance_range(t, x),
    ):
        assert values.isfinite().all()


@pytest.mark.parametrize("steps", [50, 1000])
def test_betas_are_those_of_diffusers(steps: int) -> None:
    peer = DDPMScheduler(steps, beta_schedule="linear", beta_start=1e-4, beta_end=0.02).betas
    torch.testing.assert_close(linear(steps).betas.float(), peer, rtol=1e-6, atol=1e-9)
    peer = DDPMScheduler(steps, beta_schedule="squaredcos_cap_v2").betas
    torch.testing.assert_close(cosine(steps).betas.float(), peer, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("linear", {"timesteps": 0}, "`timesteps` is 0, but must be >= 1"),
        ("cosine", {"timesteps": -3}, "`timesteps` is -3, but must be >= 1"),
        ("linear", {"timesteps": 9, "beta_start": 0.0}, "`beta_start` is 0.0, but must be in"),
        ("linear", {"timesteps": 9, "beta_end": math.nan}, "`beta_end` is nan"),
        ("linear", {"timesteps": 20, "scaled": True}, r"`beta_end` is 0.02 \(times 1000 / T: 1\)"),
        ("constant", {"timesteps": 5, "beta": 1.0}, "`beta` is 1.0"),
        (
            "cosine",
            {"timesteps": 9, "max_beta": 1.2},
            r"`max_beta` is 1.2, but must be in \(0, 1\)",
        ),
        ("cosine", {"timesteps": 9, "offset": -0.1}, "`offset` is -0.1, but must be >= 0"),
        ("sigmoid", {"timesteps": 9, "tau": 0.0}, "`tau` is 0.0, but must be > 0"),
        ("sigmoid", {"timesteps": 9, "start": 3}, "`start` is 3, but must be below `end`, 3.0"),
        ("sigmoid", {"timesteps": 9, "max_beta": 0}, "`max_beta` is 0, but must be in"),
        ("linear_alpha", {"timesteps": 9, "alpha_end": 1.0}, "`alpha_end` is 1.0"),
        ("linear_alpha", {"timesteps": 10, "scaled": True}, "`1 - alpha_end` is 0.02"),
        ("linear_alpha_bar", {"timesteps": 9, "final": 0.0}, "`final` is 0.0, but must be in"),
    ],
)
def test_a_value_out_of_range_is_named_with_its_rule(
    kind: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        SCHEDULES[kind](**options)
