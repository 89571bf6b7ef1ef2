from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from models.gan_losses import (
    GAN_LOSSES,
    PENALTIES,
    Clip,
    GANLoss,
    GradientPenalty,
    Hinge,
    MinMax,
    NonSaturating,
    Penalty,
    Wasserstein,
)

every_loss = pytest.mark.parametrize("name", sorted(GAN_LOSSES))
logits = st.floats(-30, 30)


def value(loss: Callable[..., Tensor], *at: float) -> float:
    return float(loss(*(torch.tensor([x], dtype=torch.float64) for x in at)))


def slope(loss: Callable[[Tensor], Tensor], at: float) -> float:
    x = torch.tensor(at, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(loss(x), x)
    return float(gradient)


@given(real=logits, fake=logits)
def test_min_max_is_the_value_of_the_game(real: float, fake: float) -> None:
    """Equations 13 to 15 of the GAN paper's game, in logarithms that do not overflow."""
    d_real, d_fake = 1 / (1 + math.exp(-real)), 1 / (1 + math.exp(-fake))
    if d_real > 0 and d_fake < 1:
        expected = -math.log(d_real) - math.log1p(-d_fake)
        assert value(MinMax().discriminator, real, fake) == pytest.approx(expected, rel=1e-3)
        assert value(MinMax().generator, fake) == pytest.approx(math.log1p(-d_fake), rel=1e-3)


def test_cross_entropies_are_those_of_torch() -> None:
    real, fake = torch.randn(2, 50, dtype=torch.float64) * 10
    ones, zeros = torch.ones_like(real), torch.zeros_like(real)
    bce = F.binary_cross_entropy_with_logits
    expected = bce(real, ones, reduction="none") + bce(fake, zeros, reduction="none")
    for loss in (MinMax(), NonSaturating()):
        torch.testing.assert_close(loss.discriminator(real, fake), expected)
    torch.testing.assert_close(MinMax().generator(fake), -bce(fake, zeros, reduction="none"))
    torch.testing.assert_close(NonSaturating().generator(fake), bce(fake, ones, reduction="none"))


def test_one_of_the_cross_entropies_saturates() -> None:
    found_out = -10.0
    assert abs(slope(MinMax().generator, found_out)) < 1e-4
    assert slope(NonSaturating().generator, found_out) == pytest.approx(-1, abs=1e-4)


@given(real=logits, fake=logits)
def test_hinge_and_wasserstein_are_what_they_say(real: float, fake: float) -> None:
    hinge = max(0.0, 1 - real) + max(0.0, 1 + fake)
    assert value(Hinge().discriminator, real, fake) == pytest.approx(hinge)
    assert value(Wasserstein().discriminator, real, fake) == pytest.approx(fake - real)
    for loss in (Hinge(), Wasserstein()):
        assert value(loss.generator, fake) == -fake


@every_loss
@given(fake=logits)
def test_the_generator_wants_larger_logits(name: str, fake: float) -> None:
    assert slope(GAN_LOSSES[name]().generator, fake) <= 0


@every_loss
def test_the_discriminator_tells_real_from_fake(name: str) -> None:
    loss: GANLoss = GAN_LOSSES[name]()
    at = torch.tensor(0.0, requires_grad=True), torch.tensor(0.0, requires_grad=True)
    real, fake = torch.autograd.grad(loss.discriminator(*at), at)
    assert real < 0 < fake


@pytest.mark.parametrize("share", [0.1, 0.5, 0.8])
def test_optimal_discriminators(share: float) -> None:
    """Where p_real / (p_real + p_fake) is known, so is the minimum over the logit.

    Cross entropy: that share itself (Goodfellow et al. 2014, proposition 1). Hinge: the sign of
    share - 1/2 (Lim & Ye 2017).
    """
    grid = torch.linspace(-5, 5, 10001, dtype=torch.float64)

    def best(loss: GANLoss) -> float:
        far = torch.full_like(grid, 1e3)  # where the other term is zero
        expected = share * loss.discriminator(grid, -far) + (1 - share) * loss.discriminator(
            far, grid
        )
        return float(grid[expected.argmin()])

    assert best(MinMax()) == pytest.approx(math.log(share / (1 - share)), abs=1e-3)
    if share != 0.5:
        assert best(Hinge()) == pytest.approx(math.copysign(1, share - 0.5), abs=1e-3)


@every_loss
def test_a_zero_sum_game_is_what_its_losses_say(name: str) -> None:
    """Whether both players' losses sum to a function of the real images alone."""
    loss = GAN_LOSSES[name]()
    real, fake = torch.randn(2, 7, 1, dtype=torch.float64)
    sums = loss.discriminator(real, fake) + loss.generator(fake)
    others = loss.discriminator(real, fake + 1) + loss.generator(fake + 1)
    assert torch.allclose(sums, others) is loss.zero_sum


@every_loss
def test_losses_are_of_single_images(name: str) -> None:
    loss = GAN_LOSSES[name]()
    real, fake = torch.randn(2, 7)
    assert loss.discriminator(real, fake).shape == (7,)
    torch.testing.assert_close(
        loss.discriminator(real, fake)[3:], loss.discriminator(real[3:], fake[3:])
    )
    torch.testing.assert_close(loss.generator(fake)[3:], loss.generator(fake[3:]))


def linear_critic(norm: float) -> nn.Module:
    linear = nn.Linear(12, 1).double()
    with torch.no_grad():
        linear.weight.mul_(norm / linear.weight.norm())
    return nn.Sequential(nn.Flatten(), linear, nn.Flatten(0))


@pytest.mark.parametrize("norm", [0.2, 1.0, 3.0])
def test_the_gradient_penalty_of_a_linear_critic(norm: float) -> None:
    real, fake = torch.randn(2, 5, 3, 2, 2, dtype=torch.float64)
    shares = torch.rand(5, dtype=torch.float64)
    penalty = GradientPenalty(weight=7.0).losses(linear_critic(norm), real, fake, shares)
    expected = torch.full((5,), 7 * (norm - 1) ** 2, dtype=torch.float64)
    torch.testing.assert_close(penalty, expected)


def test_the_gradient_penalty_is_taken_between_real_and_generated() -> None:
    """The critic x^2 / 2 has the gradient x, so each penalty tells where it was taken."""
    real, fake = torch.randn(2, 6, 3, 2, 2, dtype=torch.float64)
    shares = torch.tensor([0, 0.25, 0.5, 0.75, 1, 1], dtype=torch.float64)

    def critic(x: Tensor) -> Tensor:
        return x.square().flatten(1).sum(1) / 2

    x = torch.stack([s * r + (1 - s) * f for s, r, f in zip(shares, real, fake, strict=True)])
    expected = 10 * (x.flatten(1).norm(dim=1) - 1).square()
    torch.testing.assert_close(GradientPenalty().losses(critic, real, fake, shares), expected)


def test_the_gradient_penalty_moves_the_critic_even_where_gradients_are_off() -> None:
    critic = linear_critic(3.0)
    real, fake = torch.randn(2, 5, 3, 2, 2, dtype=torch.float64)
    with torch.no_grad():
        penalty = GradientPenalty().losses(critic, real, fake, torch.rand(5).double())
    weight = next(critic.parameters())
    (gradient,) = torch.autograd.grad(penalty.mean(), weight)
    torch.testing.assert_close(gradient, 2 * 10 * (3 - 1) * weight.detach() / 3)


def test_clipping_bounds_a_weight() -> None:
    weight = torch.tensor([-3.0, -0.4, 0.0, 0.2, 8.0])
    torch.testing.assert_close(Clip(0.3).bounded(weight), torch.tensor([-0.3, -0.3, 0.0, 0.2, 0.3]))


@pytest.mark.parametrize("penalty", [Penalty(), Clip()])
def test_without_a_gradient_penalty_nothing_is_added(penalty: Penalty) -> None:
    x = torch.randn(2, 1, 2, 2)
    assert penalty.losses(linear_critic(1), x, x, torch.rand(2)) is None
    assert not penalty.single_images


def test_without_clipping_weights_are_left_alone() -> None:
    weight = torch.randn(5)
    assert Penalty().bounded(weight) is weight
    assert GradientPenalty().bounded(weight) is weight


@pytest.mark.parametrize(("kind", "option"), [("clip", "limit"), ("gradient", "weight")])
@pytest.mark.parametrize("wrong", [0.0, -1.0, math.nan, math.inf])
def test_a_penalty_that_cannot_be_is_refused(kind: str, option: str, wrong: float) -> None:
    with pytest.raises(ValueError, match=f"`penalty.{option}` is {wrong}, but must be > 0"):
        PENALTIES[kind](**{option: wrong})
