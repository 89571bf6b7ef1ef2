from __future__ import annotations

import copy
import itertools
import math
from typing import Any

import pytest
import torch
from torch import Generator, Tensor, nn

from models.ddpm import DDPM, VARIANCES, FixedVariance, LearnedVariance
from models.predictions import PREDICTIONS
from models.regression_losses import L1, MSE, REGRESSIONS, WEIGHTINGS, Huber, MinSNR
from models.samplers import SAMPLERS
from models.schedules import SCHEDULES, Schedule, cosine, linear

SHAPE = (1, 8, 8)


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


class Zero(nn.Module):
    """Predicts 0, whatever it sees."""

    def __init__(self, outputs: int = 1) -> None:
        super().__init__()
        self.outputs = outputs
        self.weight = nn.Parameter(torch.zeros(()))

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        return self.weight * x_t.repeat(1, self.outputs, 1, 1)


class Convolution(nn.Module):
    """The smallest network whose outputs have weights of their own."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.layer = nn.Conv2d(1, outputs, 3, padding=1)

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        return self.layer(x_t) + 0.001 * t.view(-1, 1, 1, 1)


class Knowing(nn.Module):
    """The perfect network of each prediction for one image: it knows what x_t is made of.

    What it should give is written out from the papers, in float64.
    """

    def __init__(self, schedule: Schedule, x0: Tensor, prediction: str) -> None:
        super().__init__()
        self.schedule, self.x0, self.prediction = schedule, x0.double(), prediction

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        alpha, bar = (
            values[t].view(-1, 1, 1, 1)
            for values in (self.schedule.alphas, self.schedule.alpha_bars)
        )
        epsilon = (x_t.double() - bar.sqrt() * self.x0) / (1 - bar).sqrt()
        output = {
            "epsilon": epsilon,
            "x0": self.x0.expand_as(epsilon),
            "v": bar.sqrt() * epsilon - (1 - bar).sqrt() * self.x0,  # Salimans & Ho 2022
            # Ho et al. 2020, eq. 11, where mu is written with epsilon
            "mean": (x_t - (1 - alpha) / (1 - bar).sqrt() * epsilon) / alpha.sqrt(),
        }[self.prediction]
        return output.to(x_t.dtype)


def test_the_draws_are_uniform_timesteps_and_standard_normal_noise() -> None:
    family = DDPM(Zero(), cosine(20), SHAPE)
    t, epsilon = family.draw(20_000, seeded())
    counts = torch.bincount(t, minlength=20)
    assert len(counts) == 20
    assert ((counts - 1000).abs() < 5 * 1000**0.5).all()
    assert epsilon.shape == (20_000, 1, 8, 8)
    assert float(epsilon.mean()) == pytest.approx(0, abs=0.005)
    assert float(epsilon.std()) == pytest.approx(1, abs=0.005)


def test_the_loss_of_each_image_is_the_mean_squared_error_of_the_noise() -> None:
    family = DDPM(Zero(), cosine(20), SHAPE)
    draws = family.draw(6, seeded())
    losses = family(torch.zeros(6, 1, 8, 8), *draws)
    torch.testing.assert_close(losses, draws[1].square().mean(dim=(1, 2, 3)))


@pytest.mark.parametrize("prediction", sorted(PREDICTIONS))
@pytest.mark.parametrize("kind", ["linear", "cosine"])
def test_a_perfect_network_has_no_loss_and_knows_image_and_noise(
    prediction: str, kind: str
) -> None:
    schedule = SCHEDULES[kind](50)
    x0 = torch.rand(1, *SHAPE, generator=seeded(2)) * 2 - 1
    family = DDPM(Knowing(schedule, x0, prediction), schedule, SHAPE, prediction=prediction)
    t = torch.arange(49)  # at T-1 of the cosine, beta is clipped: nothing of x0 is left to see
    epsilon = torch.randn(49, *SHAPE, generator=seeded())
    losses = family.losses(x0.expand(49, -1, -1, -1), t, epsilon)
    torch.testing.assert_close(losses, torch.zeros(49), atol=1e-8, rtol=0)
    predicted = family.predict(schedule.add_noise(x0.expand_as(epsilon), t, epsilon), t)
    torch.testing.assert_close(predicted.x0, x0.expand_as(epsilon), atol=5e-3, rtol=0)
    torch.testing.assert_close(predicted.epsilon, epsilon, atol=5e-3, rtol=0)
    assert predicted.variance_share is None


@pytest.mark.parametrize("prediction", sorted(PREDICTIONS))
def test_image_and_noise_make_up_the_noisy_image_whatever_the_network_says(
    prediction: str,
) -> None:
    torch.manual_seed(0)
    family = DDPM(Convolution(1), linear(40), SHAPE, prediction=prediction)
    x_t, t = torch.randn(40, *SHAPE, generator=seeded()), torch.arange(40)
    predicted = family.predict(x_t, t)
    again = family.schedule.add_noise(predicted.x0, t, predicted.epsilon)
    torch.testing.assert_close(again, x_t, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("prediction", sorted(PREDICTIONS))
@pytest.mark.parametrize("sampler", sorted(SAMPLERS))
def test_with_a_perfect_network_every_sampler_finds_the_image(
    prediction: str, sampler: str
) -> None:
    schedule = linear(100, scaled=True)
    x0 = torch.rand(1, *SHAPE, generator=seeded(2)) * 2 - 1
    family = DDPM(Knowing(schedule, x0, prediction), schedule, SHAPE, prediction=prediction)
    *_, last = family.sample(3, seeded(), sampler=sampler, steps=100)
    torch.testing.assert_close(last.x, x0.expand_as(last.x), atol=1e-3, rtol=0)


def test_the_mean_at_the_first_timestep_is_the_image() -> None:
    family = DDPM(Convolution(1), linear(40), SHAPE, prediction="mean")
    x_t, t = torch.randn(4, *SHAPE, generator=seeded()), torch.zeros(4, dtype=torch.long)
    torch.testing.assert_close(family.predict(x_t, t).x0, family.network(x_t, t).clamp(-1, 1))


@pytest.mark.parametrize("prediction", sorted(PREDICTIONS))
@pytest.mark.parametrize("gamma", [1.0, 5.0])
def test_min_snr_weighs_the_error_of_x0_alike_for_every_prediction(
    prediction: str, gamma: float
) -> None:
    """Hang et al. 2023: min(SNR, gamma) times the squared error of x0, whatever is predicted."""
    torch.manual_seed(0)
    schedule = linear(200)
    family = DDPM(
        Convolution(1).double(),
        schedule,
        SHAPE,
        prediction=prediction,
        weighting=MinSNR(gamma),
    )
    t = torch.arange(0, 200, 10)
    x0 = torch.rand(20, *SHAPE, generator=seeded(), dtype=torch.float64) * 2 - 1
    epsilon = torch.randn(x0.shape, generator=seeded(1), dtype=torch.float64)
    x_t = schedule.add_noise(x0, t, epsilon)
    predicted = family.predict(x_t, t).x0
    if prediction == "mean":  # `predict` clamps it
        of_x0, of_x_t = schedule.posterior_scales(t, x_t)
        predicted = (family.network(x_t, t) - of_x_t * x_t) / of_x0
    error = (predicted - x0).square().mean(dim=(1, 2, 3))
    snr = schedule.alpha_bars[t] / (1 - schedule.alpha_bars[t])
    torch.testing.assert_close(
        family.losses(x0, t, epsilon), snr.clamp(max=gamma) * error, rtol=1e-4, atol=0
    )


def test_min_snr_has_the_papers_closed_forms() -> None:
    schedule = cosine(100)
    snr = schedule.alpha_bars / (1 - schedule.alpha_bars)
    for prediction, expected in {
        "x0": snr.clamp(max=5),
        "epsilon": snr.clamp(max=5) / snr,
        "v": snr.clamp(max=5) / (snr + 1),
    }.items():
        weights = MinSNR().weights(schedule, PREDICTIONS[prediction].error_in_x0(schedule))
        torch.testing.assert_close(weights, expected)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (MSE(), lambda e: e * e),
        (L1(), abs),
        (Huber(), lambda e: 0.5 * e * e if abs(e) < 1 else abs(e) - 0.5),
        (Huber(0.1), lambda e: 0.5 * e * e if abs(e) < 0.1 else 0.1 * (abs(e) - 0.05)),
    ],
)
def test_a_regression_is_the_mean_of_its_formula(loss: Any, expected: Any) -> None:
    prediction, target = torch.randn(2, 3, 2, 4, 4, generator=seeded(), dtype=torch.float64)
    errors = (prediction - target).flatten(1).tolist()
    means = [sum(map(expected, row)) / len(row) for row in errors]
    assert loss(prediction, target).tolist() == pytest.approx(means)
    family = DDPM(Zero(), cosine(20), (2, 4, 4), loss=loss)
    draws = family.draw(3, seeded())
    torch.testing.assert_close(
        family.losses(torch.zeros(3, 2, 4, 4), *draws), loss(torch.zeros(3, 2, 4, 4), draws[1])
    )


def test_augmented_images_are_what_is_learned_from() -> None:
    family = DDPM(Zero(), linear(50), SHAPE, prediction="x0")
    draws = family.draw(4, seeded())
    x0 = torch.rand(4, *SHAPE, generator=seeded())
    torch.testing.assert_close(
        family.losses(x0, *draws, augment=lambda x: -0.5 * x), 0.25 * family.losses(x0, *draws)
    )


def hybrid(weight: float, t: int) -> tuple[DDPM, Tensor]:
    """A model with a learned variance, and its losses on a batch at that timestep."""
    torch.manual_seed(0)
    family = DDPM(Convolution(2), linear(50), SHAPE, variance=LearnedVariance(weight))
    x0 = ((torch.rand(8, *SHAPE, generator=seeded()) * 255).round() / 127.5) - 1
    _, epsilon = family.draw(8, seeded(1))
    return family, family.losses(x0, torch.full((8,), t), epsilon)


@pytest.mark.parametrize("t", [0, 1, 30, 49])
def test_the_bound_moves_the_variance_and_not_the_mean(t: int) -> None:
    """Nichol & Dhariwal 2021, section 3.1: stop-gradient on the mean in the L_vlb term."""
    gradients = {}
    for weight in (0.0, 0.001, 0.01):
        family, losses = hybrid(weight, t)
        losses.sum().backward()
        gradients[weight] = family.network.layer.weight.grad
    mean, variance = 0, 1  # output channels
    assert (gradients[0.0][mean] != 0).any()
    assert (gradients[0.0][variance] == 0).all()
    for weight in (0.001, 0.01):
        torch.testing.assert_close(gradients[weight][mean], gradients[0.0][mean])
        assert (gradients[weight][variance] != 0).any()
    torch.testing.assert_close(gradients[0.01][variance], 10 * gradients[0.001][variance])


@pytest.mark.parametrize("t", [1, 30, 49])
def test_the_hybrid_loss_adds_the_kl_divergence_in_bits_per_dimension(t: int) -> None:
    """Nichol & Dhariwal 2021, eq. 15 and 16, beside torch.distributions."""
    family, losses = hybrid(0.001, t)
    x0 = ((torch.rand(8, *SHAPE, generator=seeded()) * 255).round() / 127.5) - 1
    _, epsilon = family.draw(8, seeded(1))
    at, schedule = torch.full((8,), t), family.schedule
    x_t = schedule.add_noise(x0, at, epsilon)
    output, raw = family.network(x_t, at).detach().double().chunk(2, dim=1)
    share = (raw + 1) / 2
    log_beta, log_tilde = schedule.betas[t].log(), schedule.posterior_variance[t].log()
    deviation = torch.exp((share * log_beta + (1 - share) * log_tilde) / 2)
    estimate = (x_t - (1 - schedule.alpha_bars[t]).sqrt() * output) / schedule.alpha_bars[t].sqrt()
    kl = torch.distributions.kl_divergence(
        torch.distributions.Normal(
            schedule.posterior_mean(x0, x_t, at), schedule.posterior_variance[t].sqrt()
        ),
        torch.distributions.Normal(schedule.posterior_mean(estimate, x_t, at), deviation),
    )
    simple = (output - epsilon).square().mean(dim=(1, 2, 3))
    expected = simple + 0.001 * 50 * kl.mean(dim=(1, 2, 3)) / math.log(2)
    torch.testing.assert_close(losses.double(), expected, rtol=1e-4, atol=1e-5)


def test_a_learned_variance_finds_the_datas() -> None:
    """Data whose posterior is known: normal pixels. The best variance lies between the bounds."""
    schedule, deviation = linear(10, scaled=False, beta_start=0.05, beta_end=0.4), 0.5

    class Exact(nn.Module):
        """The exact noise; the variance's share is all it learns, one for each timestep."""

        def __init__(self) -> None:
            super().__init__()
            self.raw = nn.Parameter(torch.zeros(10))

        def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
            bar = schedule.alpha_bars[t].view(-1, 1, 1, 1)
            epsilon = (1 - bar).sqrt() * x_t / (bar * deviation**2 + 1 - bar)
            share = self.raw[t].view(-1, 1, 1, 1).expand_as(x_t)
            return torch.cat([epsilon.float(), share], dim=1)

    family = DDPM(Exact(), schedule, (1, 16, 16), variance=LearnedVariance(1.0))
    optimizer = torch.optim.Adam(family.parameters(), lr=0.05)
    for step in range(200):
        x0 = deviation * torch.randn(100, 1, 16, 16, generator=seeded(step))
        t = torch.arange(10).repeat(10)
        epsilon = torch.randn(x0.shape, generator=seeded(1000 + step))
        optimizer.zero_grad()
        family.losses(x0, t, epsilon).sum().backward()
        optimizer.step()
    t = torch.arange(1, 10)
    share = (family.network.raw.detach()[1:] + 1) / 2
    low, high = (schedule.posterior_variance[1:].log(), schedule.betas[1:].log())
    learned = torch.exp(share * high + (1 - share) * low)
    # Of p(x_{t-1} | x_t) for normal data: the joint covariance, conditioned.
    before = schedule.alpha_bars_previous[t] * deviation**2 + 1 - schedule.alpha_bars_previous[t]
    after = schedule.alphas[t] * before + schedule.betas[t]
    exact = before - schedule.alphas[t] * before**2 / after
    torch.testing.assert_close(learned, exact, rtol=0.02, atol=0)


def test_the_settings_are_copied_and_are_not_in_the_state() -> None:
    family = DDPM(Zero(2), cosine(20), SHAPE, weighting=MinSNR(), variance=LearnedVariance())
    assert list(family.state_dict()) == ["network.weight"]
    draws, x0 = family.draw(4, seeded()), torch.rand(4, *SHAPE, generator=seeded())
    torch.testing.assert_close(copy.deepcopy(family)(x0, *draws), family(x0, *draws))


def test_every_combination_has_a_finite_loss_at_both_ends() -> None:
    t = torch.tensor([0, 1, 98, 99])
    x0 = torch.rand(4, *SHAPE, generator=seeded()) * 2 - 1
    epsilon = torch.randn(x0.shape, generator=seeded())
    for prediction, loss, weighting, variance in itertools.product(
        PREDICTIONS, REGRESSIONS, WEIGHTINGS, VARIANCES
    ):
        torch.manual_seed(0)
        form = VARIANCES[variance]()
        family = DDPM(
            Convolution(form.outputs),
            cosine(100),
            SHAPE,
            prediction=prediction,
            loss=REGRESSIONS[loss](),
            weighting=WEIGHTINGS[weighting](),
            variance=form,
        )
        losses = family(x0, t, epsilon)
        assert losses.shape == (4,)
        losses.sum().backward()
        for tensor in (losses, *(p.grad for p in family.parameters())):
            assert tensor.isfinite().all()


def test_a_wrong_value_is_named() -> None:
    with pytest.raises(ValueError, match=r"`prediction` is 'noise', but must be one of epsilon"):
        DDPM(Zero(), cosine(20), SHAPE, prediction="noise")
    with pytest.raises(ValueError, match=r"`delta` is 0, but must be > 0"):
        Huber(0)
    with pytest.raises(ValueError, match=r"`gamma` is -1, but must be > 0"):
        MinSNR(-1)
    with pytest.raises(ValueError, match=r"`weight` is -1, but must be >= 0"):
        LearnedVariance(-1)
    family = DDPM(Zero(2), cosine(20), SHAPE, variance=FixedVariance())
    with pytest.raises(ValueError, match=r"output is \[4, 2, 8, 8\], but must be \[4, 1, 8, 8\]"):
        family.losses(torch.zeros(4, *SHAPE), *family.draw(4, seeded()))
    with pytest.raises(ValueError, match=r"`sampler` is 'euler'"):
        family.sample(1, seeded(), sampler="euler", steps=5)
