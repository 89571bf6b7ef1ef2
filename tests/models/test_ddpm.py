from __future__ import annotations

import copy
import itertools
import math

import pytest
import torch
from noise_networks import Convolution, Knowing, Zero
from torch import Generator, Tensor, nn

from models.ddpm import DDPM, VARIANCES, FixedVariance, LearnedVariance
from models.predictions import PREDICTIONS
from models.regression_losses import REGRESSIONS, WEIGHTINGS, MinSNR
from models.samplers import SAMPLERS
from models.schedules import cosine, linear

SHAPE = (1, 8, 8)


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


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
@pytest.mark.parametrize("sampler", sorted(SAMPLERS))
def test_with_a_perfect_network_every_sampler_finds_the_image(
    prediction: str, sampler: str
) -> None:
    schedule = linear(100, scaled=True)
    x0 = torch.rand(1, *SHAPE, generator=seeded(2)) * 2 - 1
    family = DDPM(Knowing(schedule, x0, prediction), schedule, SHAPE, prediction=prediction)
    *_, last = family.sample(3, seeded(), sampler=sampler, steps=100)
    torch.testing.assert_close(last.x, x0.expand_as(last.x), atol=1e-3, rtol=0)


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
    with pytest.raises(ValueError, match=r"`weight` is -1, but must be >= 0"):
        LearnedVariance(-1)
    family = DDPM(Zero(2), cosine(20), SHAPE, variance=FixedVariance())
    with pytest.raises(ValueError, match=r"output is \[4, 2, 8, 8\], but must be \[4, 1, 8, 8\]"):
        family.losses(torch.zeros(4, *SHAPE), *family.draw(4, seeded()))
    with pytest.raises(ValueError, match=r"`sampler` is 'euler'"):
        family.sample(1, seeded(), sampler="euler", steps=5)
