from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.schedules import (
    SCHEDULES,
    Schedule,
    constant,
)

betas = st.floats(1e-5, 0.06)  # 1000 of them leave something


timesteps = st.integers(1, 1000)


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    kind = draw(st.sampled_from(sorted(SCHEDULES)))
    options: dict[str, Any] = {}
    if kind == "cosine":
        options = {"offset": draw(st.floats(0, 0.1)), "max_beta": draw(st.floats(0.01, 0.999))}
    elif kind == "constant":
        options = {"beta": draw(betas)}
    elif kind == "sigmoid":
        options = {"start": draw(st.floats(-4, 0)), "end": draw(st.floats(1, 4))}
        options["tau"] = draw(st.floats(0.3, 2))
    elif kind == "linear_alpha_bar":
        options = {"final": draw(st.floats(1e-4, 0.9)), "max_beta": draw(st.floats(0.01, 0.999))}
    elif kind == "linear_alpha":
        end, start = sorted([1 - draw(betas), 1 - draw(betas)])
        options = {"alpha_start": start, "alpha_end": end}
    else:
        start, end = sorted([draw(betas), draw(betas)])
        options = {"beta_start": start, "beta_end": end}
    return SCHEDULES[kind](draw(timesteps), **options)


@given(schedules())
def test_alpha_bars_fall_strictly_from_below_one_to_above_zero(schedule: Schedule) -> None:
    bars = torch.cat([torch.ones(1, dtype=torch.float64), schedule.alpha_bars])
    assert (bars.diff() < 0).all()
    assert bars[-1] > 0
    signal_to_noise = schedule.alpha_bars / (1 - schedule.alpha_bars)
    assert (signal_to_noise.diff() < 0).all()


@given(schedules())
def test_betas_are_in_range_and_bound_the_posterior_variance(schedule: Schedule) -> None:
    assert schedule.betas.dtype == torch.float64
    assert ((schedule.betas > 0) & (schedule.betas < 1)).all()
    assert (schedule.posterior_variance <= schedule.betas).all()
    assert schedule.posterior_variance[0] == 0
    assert (schedule.posterior_variance[1:] > 0).all()


@given(schedules())
def test_noise_added_at_once_has_the_moments_of_noise_added_step_by_step(
    schedule: Schedule,
) -> None:
    mean, variance = 1.0, 0.0  # of x_t given x_0 = 1
    for t, beta in enumerate(schedule.betas.tolist()):
        mean, variance = mean * math.sqrt(1 - beta), variance * (1 - beta) + beta
        if t in (0, schedule.timesteps // 2, schedule.timesteps - 1):
            at, one, zero = torch.tensor([t]), torch.ones(1), torch.zeros(1)
            assert float(schedule.add_noise(one, at, zero)) == pytest.approx(mean, rel=1e-6)
            deviation = float(schedule.add_noise(zero, at, one))
            assert deviation**2 == pytest.approx(variance, rel=1e-6)


@pytest.mark.parametrize("kind", sorted(SCHEDULES))
@pytest.mark.parametrize("t", [1, 7, 19])
def test_the_posterior_is_bayes_rule_on_a_grid(kind: str, t: int) -> None:
    schedule = SCHEDULES[kind](20)
    x0, x_t = 0.4, -0.3
    x = torch.linspace(-12, 12, 200_001, dtype=torch.float64)  # candidates for x_{t-1}

    def log_normal(value: Any, mean: Any, variance: Any) -> Any:
        return -0.5 * (value - mean) ** 2 / variance

    previous, beta = schedule.alpha_bars_previous[t], schedule.betas[t]
    density = torch.softmax(
        log_normal(x, previous.sqrt() * x0, 1 - previous)
        + log_normal(x_t, (1 - beta).sqrt() * x, beta),
        dim=0,
    )
    mean = (density * x).sum()
    got = schedule.posterior_mean(torch.tensor([x0]), torch.tensor([x_t]), torch.tensor([t]))
    assert float(got) == pytest.approx(float(mean), abs=1e-6)
    variance = (density * (x - mean) ** 2).sum()
    assert float(schedule.posterior_variance[t]) == pytest.approx(float(variance), rel=1e-4)


@pytest.mark.parametrize("bad", [[], [0.5, 1.0], [0.0], [math.nan]])
def test_betas_out_of_range_are_refused(bad: list[float]) -> None:
    with pytest.raises(ValueError, match="betas"):
        Schedule(torch.tensor(bad, dtype=torch.float64))


def test_a_schedule_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"alpha_bar ends at 9\.8e-90 after 2000 timesteps"):
        constant(2000, beta=0.0974)
    assert constant(4000, beta=0.01).alpha_bars[-1] > 1e-30
