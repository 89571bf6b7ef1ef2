"""The gradient of an unrolled GAN, by finite differences (Metz et al. 2017, eqs. 8 to 11)."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Generator, Tensor, nn

from models.family import as_they_are
from models.gan import GAN
from models.gan_losses import (
    GAN_LOSSES,
    Clip,
    GradientPenalty,
    MinMax,
    Penalty,
    Wasserstein,
)

SHAPE = (1, 2, 2)


def tiny(unroll: int, penalty: Penalty | None = None, loss: str = "non_saturating") -> GAN:
    """Smooth players of 4 pixels in float64, far from where they start."""
    torch.manual_seed(0)
    generator = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Unflatten(1, SHAPE))
    discriminator = nn.Sequential(
        nn.Flatten(), nn.Linear(4, 5), nn.Softplus(), nn.Linear(5, 1), nn.Flatten(0)
    )
    return GAN(
        generator,
        discriminator,
        SHAPE,
        latent=2,
        loss=GAN_LOSSES[loss](),
        penalty=penalty,
        unroll=unroll,
        unroll_rate=0.5,
    ).double()


def inputs(family: GAN) -> tuple[Tensor, tuple[Tensor, ...]]:
    generator = Generator().manual_seed(1)
    x0 = torch.rand(3, *SHAPE, generator=generator).double() * 2 - 1
    return x0, tuple(draw.double() for draw in family.draw(3, generator, "generator"))


def explicit_loss(family: GAN) -> float:
    """The same objective with an optimizer's steps on a copy: a number, without its gradient."""
    x0, (z, *inner) = inputs(family)
    twin = copy.deepcopy(family)
    optimizer = torch.optim.SGD(twin.discriminator.parameters(), family.unroll_rate)
    for step in range(family.unroll):
        latents, shares = (draw[:, step] for draw in inner)
        loss = twin.losses(x0, latents, shares, phase="discriminator").mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        twin.after_update("discriminator")
    with torch.no_grad():
        real, fake = twin.discriminator(x0), twin.discriminator(twin.generator(z))
    losses = family.loss.generator(fake)
    if family.unroll and type(family.loss) in (MinMax, Wasserstein):
        losses = -family.loss.discriminator(real, fake)  # eq. 10: f, with its term of real images
    return float(losses.mean())


def by_autograd(family: GAN) -> Tensor:
    x0, draws = inputs(family)
    family.zero_grad()
    family.losses(x0, *draws, phase="generator").mean().backward()
    gradients = [parameter.grad for parameter in family.generator.parameters()]
    return torch.cat([gradient.flatten() for gradient in gradients if gradient is not None])


def by_differences(family: GAN, step: float = 1e-5) -> Tensor:
    values = []
    for parameter in family.generator.parameters():
        flat = parameter.detach().view(-1)
        for index in range(len(flat)):
            around = []
            for sign in (1, -1):
                flat[index] += sign * step
                around.append(explicit_loss(family))
                flat[index] -= sign * step
            values.append((around[0] - around[1]) / (2 * step))
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize("unroll", [0, 1, 2, 4])
def test_the_gradient_goes_through_the_discriminators_steps(unroll: int) -> None:
    family = tiny(unroll)
    torch.testing.assert_close(by_autograd(family), by_differences(family), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("loss", sorted(GAN_LOSSES))
@pytest.mark.parametrize("penalty", [Penalty(), GradientPenalty(), Clip(0.3)])
def test_it_does_for_every_loss_and_penalty(loss: str, penalty: Penalty) -> None:
    family = tiny(2, penalty, loss)
    family.after_update("discriminator")
    torch.testing.assert_close(by_autograd(family), by_differences(family), rtol=1e-5, atol=1e-8)


def test_the_term_through_the_steps_matters() -> None:
    """A discriminator that is stepped and then held fixed gives another gradient."""
    family = tiny(3)
    x0, (z, latents, shares) = inputs(family)
    held = copy.deepcopy(family)
    optimizer = torch.optim.SGD(held.discriminator.parameters(), family.unroll_rate)
    for step in range(3):
        loss = held.losses(x0, latents[:, step], shares[:, step], phase="discriminator").mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    held.unroll = 0
    held.zero_grad()
    held.losses(x0, z, phase="generator").mean().backward()
    dropped = torch.cat([p.grad.flatten() for p in held.generator.parameters()])  # type: ignore[union-attr]
    full = by_autograd(family)
    assert (full - dropped).norm() > 0.05 * full.norm()


def test_unrolling_leaves_the_discriminator_as_it_is() -> None:
    family = tiny(3)
    before = copy.deepcopy(family.state_dict())
    by_autograd(family)
    torch.testing.assert_close(family.state_dict(), before, rtol=0, atol=0)
    assert all(parameter.grad is None for parameter in family.discriminator.parameters())


def test_with_a_gradient_penalty_a_generator_without_gradient_still_unrolls() -> None:
    family = tiny(1, GradientPenalty(), "wasserstein")
    x0, draws = inputs(family)
    with torch.no_grad():
        losses = family.losses(x0, *draws, phase="generator")
    torch.testing.assert_close(losses.mean().item(), explicit_loss(family))


def test_looking_ahead_ends_a_rotation() -> None:
    """The game f = a b, of one weight each: plain steps circle outwards, unrolled ones come in.

    The discriminator is D(x) = a x, the generator G(z) = b, real images are 0. With Wasserstein's
    loss the value is -a b, as in Mescheder et al. 2018, section 2.2.
    """

    class Constant(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.level = nn.Parameter(torch.ones(()))

        def forward(self, z: Tensor) -> Tensor:
            return self.level.expand(len(z), 1, 1, 1)

    class Slope(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.slope = nn.Parameter(torch.ones(()))

        def forward(self, x: Tensor) -> Tensor:
            return self.slope * x.flatten()

    def distance(unroll: int) -> float:
        """From the equilibrium at (0, 0), after 60 turns."""
        family = GAN(
            Constant(),
            Slope(),
            (1, 1, 1),
            latent=1,
            loss=Wasserstein(),
            unroll=unroll,
            unroll_rate=0.5,
        )
        x0 = torch.zeros(1, 1, 1, 1)
        for _ in range(60):
            for phase, (module, _) in family.players().items():
                draws = family.draw(1, Generator().manual_seed(0), phase)
                losses = family.losses(x0, *draws, phase=phase, augment=as_they_are)
                (parameter,) = module.parameters()
                (gradient,) = torch.autograd.grad(losses.mean(), parameter)
                with torch.no_grad():
                    parameter -= 0.2 * gradient
        return float(torch.stack([weight.detach() for weight in family.parameters()]).norm())

    assert distance(unroll=0) > 0.8
    assert distance(unroll=1) < 0.1


def test_looking_further_ahead_the_generator_sees_a_better_discriminator() -> None:
    """In a zero-sum game its loss is the value, which the discriminator's steps only raise."""
    values = []
    for unroll in (1, 2, 4, 16):
        family = tiny(unroll, loss="min_max")
        x0, (z, latents, shares) = inputs(family)
        draws = z, z[:, None].expand_as(latents), shares  # one batch for all steps: a fixed game
        values.append(family.losses(x0, *draws, phase="generator").mean().item())
    assert values == sorted(values)
    assert values[-1] > values[0] + 0.01
