from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from denoisers import Gaussian, Toy
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm
from torch import Generator, Tensor

from models.bound import (
    bits_per_dim,
    bound_terms,
    discretised_log_likelihood,
    model_log_variance,
    prior_term,
)
from models.predictions import Variance
from models.schedules import Schedule, constant, cosine, linear

SHORT = constant(4, beta=0.3)
BINS = torch.arange(256, dtype=torch.float64) / 127.5 - 1


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


@given(st.floats(-3, 3), st.floats(-12, 2))
def test_the_masses_of_256_bins_sum_to_one(mean: float, log_variance: float) -> None:
    mean_, log_variance_ = (
        torch.tensor(value, dtype=torch.float64) for value in (mean, log_variance)
    )
    masses = discretised_log_likelihood(BINS, mean_, log_variance_).exp()
    assert float(masses.sum()) == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("value", [0, 1, 100, 254, 255])
@pytest.mark.parametrize(("mean", "deviation"), [(0.1, 0.3), (-0.99, 0.02), (-0.3, 0.01)])
def test_the_mass_of_a_bin_is_the_integral_of_the_density(
    value: int, mean: float, deviation: float
) -> None:
    lower = -math.inf if value == 0 else (value - 0.5) / 127.5 - 1
    upper = math.inf if value == 255 else (value + 0.5) / 127.5 - 1
    got = discretised_log_likelihood(
        BINS[value], torch.tensor(mean).double(), 2 * torch.tensor(deviation).double().log()
    )
    left, right = norm.logcdf([lower, upper], mean, deviation)
    if lower > mean:  # scipy's tails keep their digits on the left only
        right, left = norm.logsf([lower, upper], mean, deviation)
    expected = right + math.log(-math.expm1(left - right))
    assert float(got) == pytest.approx(expected, rel=1e-6)


def test_masses_far_from_the_mean_stay_finite_and_differentiable() -> None:
    mean = torch.tensor([-1e4, -30.0, 0.0, 30.0, 1e4], requires_grad=True)
    for log_variance in (-12.0, -6.0, 0.0):
        logarithm = torch.full((5,), log_variance, requires_grad=True)
        for value in (0, 128, 255):
            mass = discretised_log_likelihood(BINS[value].float().expand(5), mean, logarithm)
            gradients = torch.autograd.grad(mass.sum(), [mean, logarithm])
            assert all(tensor.isfinite().all() for tensor in (mass, *gradients))


def kl_by_quadrature(q: Any, p: Any) -> float:
    low, high = q.ppf([1e-14, 1 - 1e-14])
    value, _ = quad(lambda x: q.pdf(x) * (q.logpdf(x) - p.logpdf(x)), low, high, epsabs=1e-11)
    return float(value)


def bayes_posterior(schedule: Schedule, t: int, x0: float, x_t: float) -> tuple[float, float]:
    """Mean and deviation of q(x_{t-1} | x_t, x_0) by Bayes' rule on a grid."""
    grid = torch.linspace(-8, 8, 400_001, dtype=torch.float64)
    bar, beta = schedule.alpha_bars[t - 1], schedule.betas[t]
    log_density = -((grid - bar.sqrt() * x0) ** 2) / (2 * (1 - bar)) - (
        x_t - (1 - beta).sqrt() * grid
    ) ** 2 / (2 * beta)
    weights = log_density.softmax(0)
    mean = float((weights * grid).sum())
    return mean, float((weights * (grid - mean) ** 2).sum().sqrt())


def pixel(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float64).view(1, 1, 1, 1)


@pytest.mark.parametrize("variance", ["fixed_small", "fixed_large", "learned"])
@pytest.mark.parametrize("t", [1, 3])
@pytest.mark.parametrize("x_t", [-1.5, 0.2])
def test_a_divergence_is_its_integral(variance: Variance, t: int, x_t: float) -> None:
    """One pixel: q by Bayes' rule on a grid, p by hand, and KL by quadrature."""
    x0, model = 0.4, Toy(SHORT, learned=True)
    at = torch.tensor([t])
    predicted = model.predict(pixel(x_t), at)
    assert predicted.variance_share is not None
    estimate, share = predicted.x0.clamp(-1, 1), float(predicted.variance_share)
    log_variance = model_log_variance(SHORT, at, pixel(x_t), variance, predicted.variance_share)
    got = bound_terms(SHORT, pixel(x0), at, estimate, log_variance)

    q_mean, q_deviation = bayes_posterior(SHORT, t, x0, x_t)
    p_mean, _ = bayes_posterior(SHORT, t, float(estimate), x_t)
    beta = float(SHORT.betas[t])
    p_variance = {
        "fixed_small": q_deviation**2,
        "fixed_large": beta,
        "learned": beta**share * q_deviation ** (2 * (1 - share)),
    }[variance]
    nats = kl_by_quadrature(norm(q_mean, q_deviation), norm(p_mean, math.sqrt(p_variance)))
    assert float(got) == pytest.approx(nats / math.log(2), rel=1e-4)


@pytest.mark.parametrize("x0", [-1.0, 0.3])
@pytest.mark.parametrize("schedule", [SHORT, cosine(1000), linear(100)])
def test_the_prior_is_its_integral(schedule: Schedule, x0: float) -> None:
    bar = float(schedule.alpha_bars[-1])
    nats = kl_by_quadrature(norm(math.sqrt(bar) * x0, math.sqrt(1 - bar)), norm(0, 1))
    got = float(prior_term(schedule, pixel(x0)))
    assert got == pytest.approx(nats / math.log(2), rel=1e-5, abs=1e-9)


@pytest.mark.parametrize("variance", ["fixed_small", "fixed_large"])
@pytest.mark.parametrize("value", [0, 170])
def test_the_bound_of_one_pixel_is_its_integral(variance: Variance, value: int) -> None:
    """Every expectation over q(x_t | x_0) by quadrature, against the mean of many draws."""
    model, x0 = Gaussian(SHORT, mean=0.2, deviation=0.4), float(BINS[value])
    many = torch.full((40_000, 1, 1, 1), x0)
    bound = bits_per_dim(model, many, seeded(), variance=variance, clip_x0=False)
    assert bound.timesteps.tolist() == [0, 1, 2, 3]
    for t in range(4):
        bar = float(SHORT.alpha_bars[t])
        q = norm(math.sqrt(bar) * x0, math.sqrt(1 - bar))

        def term(x_t: float, t: int = t) -> float:
            estimate = float(model.predict(pixel(x_t), torch.tensor([t])).x0)
            tilde = [float(v) for v in SHORT.posterior_variance]
            if t == 0:  # beta tilde is 0 there: the next one's stands in
                p = norm(estimate, math.sqrt(tilde[1]))
                low = -math.inf if value == 0 else x0 - 1 / 255
                return -math.log(p.cdf(x0 + 1 / 255) - p.cdf(low))
            bars = SHORT.alpha_bars
            of_x0 = float(bars[t - 1].sqrt() * SHORT.betas[t] / (1 - bars[t]))
            wide = tilde[t] if variance == "fixed_small" else float(SHORT.betas[t])
            error = (of_x0 * (x0 - estimate)) ** 2  # KL of two normals, by the textbook
            return 0.5 * (math.log(wide / tilde[t]) + (tilde[t] + error) / wide - 1)

        expected, _ = quad(lambda x, q=q, term=term: q.pdf(x) * term(x), *q.ppf([1e-9, 1 - 1e-9]))
        column = bound.by_t[:, t]
        error = float(column.std()) / math.sqrt(len(column))
        assert float(column.mean()) == pytest.approx(expected / math.log(2), abs=5 * error + 1e-6)
    torch.testing.assert_close(bound.decoder, bound.by_t[:, 0])
    torch.testing.assert_close(bound.total, bound.prior + bound.by_t.sum(1))


def test_the_bound_is_above_the_negative_log_likelihood_and_close_for_an_exact_model() -> None:
    """Normal data: p(x_0) of the chain is itself normal, found by running it in closed form."""
    schedule, mean, deviation = linear(200, scaled=True), 0.2, 0.3
    model = Gaussian(schedule, mean, deviation)
    data = mean + deviation * torch.randn(4000, 1, 4, 4, generator=seeded())
    data = ((data.clamp(-1, 1) + 1) * 127.5).round() / 127.5 - 1
    bound = bits_per_dim(model, data, seeded(1), variance="fixed_large", clip_x0=False)
    entropy = -float(  # of the data's own distribution, in bits
        discretised_log_likelihood(
            data.double(),
            torch.tensor(mean).double(),
            2 * torch.tensor(deviation).double().log(),
        ).mean()
    ) / math.log(2)
    assert entropy < float(bound.total.mean()) < entropy + 0.25


def test_some_timesteps_stand_for_all() -> None:
    model = Gaussian(linear(500, scaled=True), 0.2, 0.3)
    data = ((torch.rand(2000, 1, 2, 2, generator=seeded()) * 255).round() / 127.5) - 1
    whole = bits_per_dim(model, data, seeded(1))
    some = bits_per_dim(model, data, seeded(2), timesteps=100)
    assert some.by_t.shape == (2000, 100)
    assert some.timesteps[0] == 0
    assert (some.timesteps.diff() > 0).all()
    assert float(some.total.mean()) == pytest.approx(float(whole.total.mean()), rel=0.01)
    first = bits_per_dim(model, data, seeded(1), timesteps=1)
    torch.testing.assert_close(first.total, first.prior + first.decoder)


def test_the_same_seed_gives_the_same_bound() -> None:
    model, data = Toy(cosine(20)), torch.zeros(3, 1, 4, 4)
    first, again, other = (bits_per_dim(model, data, seeded(seed)).total for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"timesteps": 0}, r"`timesteps` is 0, but must be in 1 \.\. 20"),
        ({"timesteps": 21}, r"`timesteps` is 21, but must be in 1 \.\. 20"),
        ({"variance": "learned"}, "the model has learned no variance"),
        ({"variance": "none"}, "`variance` is 'none'"),
    ],
)
def test_a_value_out_of_range_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        bits_per_dim(Toy(cosine(20)), torch.zeros(1, 1, 4, 4), seeded(), **options)
