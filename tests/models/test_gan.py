from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Generator, Tensor, nn

from models.build import build_family
from models.family import State
from models.gan import GAN
from models.gan_losses import (
    GAN_LOSSES,
    Clip,
    GradientPenalty,
    Hinge,
    NonSaturating,
    Penalty,
    Wasserstein,
)
from models.networks import DCGANDiscriminator, DCGANGenerator
from models.precision import in_precision

SHAPE = (1, 8, 8)


def gan(*, discriminator: dict[str, Any] | None = None, **options: Any) -> GAN:
    torch.manual_seed(0)
    return GAN(
        DCGANGenerator(SHAPE, latent=6, channels=(16, 8)),
        DCGANDiscriminator(SHAPE, channels=(8, 16), **(discriminator or {})),
        SHAPE,
        latent=6,
        **options,
    )


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def images(count: int) -> Tensor:
    return torch.rand(count, *SHAPE, generator=seeded(9)) * 2 - 1


def gradients(family: GAN, phase: str, x0: Tensor) -> dict[str, Tensor | None]:
    family.zero_grad()
    draws = family.draw(len(x0), seeded(), phase)
    family.losses(x0, *draws, phase=phase).mean().backward()
    return {name: parameter.grad for name, parameter in family.named_parameters()}


def fit(family: GAN, x0: Tensor, *, steps: int, batch: int = 32, rate: float = 2e-3) -> None:
    """A plain training loop: Adam for each player, by turns."""
    family.train()
    players = {
        phase: (module, torch.optim.Adam(module.parameters(), rate * factor, betas=(0.5, 0.9)))
        for phase, (module, factor) in family.players().items()
    }
    generator = seeded()
    for step in range(steps):
        chosen = x0[torch.randint(len(x0), (batch,), generator=generator)]
        for phase in family.phases(step):
            _, optimizer = players[phase]
            draws = family.draw(batch, generator, phase)
            loss = family.losses(chosen, *draws, phase=phase).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            family.after_update(phase)


@pytest.mark.parametrize("critic_steps", [1, 2, 5])
def test_the_generator_has_its_turn_in_every_nth_batch(critic_steps: int) -> None:
    family = gan(critic_steps=critic_steps)
    turns = [list(family.phases(step)) for step in range(20)]
    assert all(turn[0] == "discriminator" for turn in turns)
    assert [step for step, turn in enumerate(turns) if turn[1:] == ["generator"]] == list(
        range(critic_steps - 1, 20, critic_steps)
    )


def test_players_are_the_two_modules_with_rates_of_their_own() -> None:
    family = gan(discriminator_rate=4.0)
    assert family.players() == {
        "discriminator": (family.discriminator, 4.0),
        "generator": (family.generator, 1.0),
    }


@pytest.mark.parametrize("unroll", [0, 2])
@pytest.mark.parametrize("phase", ["discriminator", "generator"])
def test_draws_are_seeded_and_have_a_row_for_each_image(phase: str, unroll: int) -> None:
    family = gan(unroll=unroll)
    draws = family.draw(5, seeded(), phase)
    assert all(len(draw) == 5 for draw in draws)
    for again, draw in zip(family.draw(5, seeded(), phase), draws, strict=True):
        torch.testing.assert_close(again, draw, rtol=0, atol=0)
    assert not torch.equal(family.draw(5, seeded(1), phase)[0], draws[0])


@pytest.mark.parametrize("unroll", [0, 2])
@pytest.mark.parametrize("name", sorted(GAN_LOSSES))
@pytest.mark.parametrize("phase", ["discriminator", "generator"])
def test_a_phase_moves_its_player_alone(phase: str, name: str, unroll: int) -> None:
    family = gan(loss=GAN_LOSSES[name](), unroll=unroll)
    for parameter_name, gradient in gradients(family, phase, images(6)).items():
        if parameter_name.startswith(phase):
            assert gradient is not None, parameter_name
            # but for the last bias, which real and fake pull apart equally where no loss saturates
            assert gradient.any() or parameter_name == "discriminator.head.bias", parameter_name
        else:
            assert gradient is None, parameter_name
    assert all(parameter.requires_grad for parameter in family.parameters())


@pytest.mark.parametrize("norm", ["batch", "layer", "none"])
def test_losses_are_what_the_logits_say(norm: str) -> None:
    family = gan(discriminator={"norm": norm}, loss=Hinge())
    x0 = images(4)
    z, shares = family.draw(4, seeded(), "discriminator")
    fake = family.generator(z)
    expected = Hinge().discriminator(family.discriminator(x0), family.discriminator(fake))
    actual = family.losses(x0, z, shares, phase="discriminator")
    torch.testing.assert_close(actual, expected)
    assert not torch.allclose(actual, actual.flip(0))
    torch.testing.assert_close(
        family.losses(x0, z, phase="generator"), Hinge().generator(family.discriminator(fake))
    )


def test_the_penalty_is_added_for_the_discriminator_alone() -> None:
    bare, penalised = (
        gan(discriminator={"norm": "layer"}, loss=Wasserstein(), penalty=penalty)
        for penalty in (Penalty(), GradientPenalty(3.0))
    )
    x0, (z, shares) = images(4), bare.draw(4, seeded(), "discriminator")
    added = penalised.losses(x0, z, shares) - bare.losses(x0, z, shares)
    fake = bare.generator(z).detach()
    expected = GradientPenalty(3.0).losses(bare.discriminator, x0, fake, shares)
    torch.testing.assert_close(added, expected)
    torch.testing.assert_close(
        penalised.losses(x0, z, phase="generator"), bare.losses(x0, z, phase="generator")
    )


@pytest.mark.parametrize("unroll", [0, 1])
def test_real_and_generated_images_are_augmented(unroll: int) -> None:
    """To the discriminator: what it sees is what the augmentation gives."""
    family = gan(unroll=unroll, unroll_rate=1e-12, discriminator={"norm": "none"})
    seen: list[Tensor] = []
    family.discriminator.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))

    def grey(x: Tensor) -> Tensor:
        return 0.5 * x + 0.1

    x0 = images(4)
    for phase in ("discriminator", "generator"):
        draws = family.draw(4, seeded(), phase)
        family.losses(x0, *draws, phase=phase, augment=grey)
        fake = grey(family.generator(draws[0]))
        if phase == "discriminator":
            torch.testing.assert_close(seen.pop(), torch.cat([grey(x0), fake]))
        else:
            torch.testing.assert_close(seen.pop(), fake)
            for both in seen:
                torch.testing.assert_close(both[:4], grey(x0))
                assert (both[4:] - 0.1).abs().max() <= 0.5
            assert len(seen) == unroll


@pytest.mark.parametrize("unroll", [0, 2])
@pytest.mark.parametrize("options", [{"norm": "batch"}, {"norm": "none", "spectral_norm": True}])
def test_the_discriminators_averages_move_in_its_own_phase_alone(
    options: dict[str, Any], unroll: int
) -> None:
    family = gan(discriminator=options, unroll=unroll)
    before = copy.deepcopy(family.discriminator.state_dict())
    gradients(family, "generator", images(6))
    torch.testing.assert_close(family.discriminator.state_dict(), before, rtol=0, atol=0)
    gradients(family, "discriminator", images(6))
    after = family.discriminator.state_dict()
    assert any(not torch.equal(after[name], before[name]) for name in before)


@pytest.mark.parametrize("phase", ["discriminator", "generator"])
def test_without_batch_norm_a_batch_can_be_cut(phase: str) -> None:
    family = gan(discriminator={"norm": "layer"}, penalty=GradientPenalty())
    family.generator.eval()  # the same for all
    x0, draws = images(6), family.draw(6, seeded(), phase)
    whole = family.losses(x0, *draws, phase=phase)
    parts = [
        family.losses(x0[part], *(draw[part] for draw in draws), phase=phase)
        for part in (slice(0, 2), slice(2, 6))
    ]
    torch.testing.assert_close(torch.cat(parts), whole)


def test_clipping_keeps_the_discriminators_weights_within_the_limit() -> None:
    family = gan(loss=Wasserstein(), penalty=Clip(0.02))
    fit(family, images(32), steps=3)
    largest = [
        max(parameter.abs().max().item() for parameter in player.parameters())
        for player in (family.discriminator, family.generator)
    ]
    assert largest[0] == pytest.approx(0.02)
    assert largest[1] > 0.02


def test_a_phase_of_the_generator_clips_nothing() -> None:
    family = gan(penalty=Clip(1e-4))
    before = copy.deepcopy(family.state_dict())
    family.after_update("generator")
    torch.testing.assert_close(family.state_dict(), before, rtol=0, atol=0)


def test_samples_are_one_pass_of_the_generator_in_evaluation_mode() -> None:
    family = gan()
    fit(family, images(32), steps=3)
    before = copy.deepcopy(family.state_dict())
    states = list(family.sample(5, seeded(3)))
    (state,) = states
    assert isinstance(state, State)
    z = family.latents(5, seeded(3))
    assert z.shape == (5, 6)
    torch.testing.assert_close(state.x, family.decode(z))
    torch.testing.assert_close(state.x[:1], family.decode(z[:1]))  # no batch statistics
    torch.testing.assert_close(state.x, family.eval().generator(z))
    assert state.x.shape == (5, *SHAPE)
    assert not state.x.requires_grad
    torch.testing.assert_close(family.state_dict(), before, rtol=0, atol=0)


@pytest.mark.parametrize("training", [True, False])
def test_decoding_leaves_the_mode_as_it_was(training: bool) -> None:
    family = gan().train(training)
    z = torch.zeros(2, 6, requires_grad=True)
    family.decode(z).sum().backward()
    assert family.generator.training is training
    assert z.grad is not None


def test_an_unknown_sampler_is_refused() -> None:
    with pytest.raises(ValueError, match="`sampler` is 'ddim', but must be 'generator'"):
        gan().sample(2, seeded(), sampler="ddim", steps=5)
    with pytest.raises(ValueError, match=r"`sampler.eta` is unknown"):
        gan().sample(2, seeded(), eta=0.5)


def test_an_unknown_phase_is_refused() -> None:
    family = gan()
    with pytest.raises(ValueError, match="`phase` is 'model', but must be one of discr"):
        family.draw(2, seeded(), "model")
    with pytest.raises(ValueError, match="`phase` is 'model', but must be one of discr"):
        family.losses(images(2), phase="model")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"critic_steps": 0}, "`critic_steps` is 0, but must be >= 1"),
        ({"unroll": -1}, "`unroll` is -1, but must be >= 0"),
        ({"unroll_rate": 0.0}, "`unroll_rate` is 0.0, but must be > 0"),
        ({"discriminator_rate": float("inf")}, "`discriminator_rate` is inf, but must be > 0"),
        ({"penalty": GradientPenalty()}, "needs a discriminator without batch norm"),
    ],
)
def test_a_gan_that_cannot_be_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        gan(**options)


def test_a_latent_of_no_length_is_refused() -> None:
    with pytest.raises(ValueError, match="`latent` is 0, but must be >= 1"):
        GAN(nn.Identity(), nn.Identity(), SHAPE, latent=0)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [{}, {"unroll": 1}, {"penalty": GradientPenalty(), "discriminator": {"norm": "none"}}],
)
def test_players_can_be_compiled(options: dict[str, Any]) -> None:
    """Although what is differentiated twice cannot be."""
    plain = gan(**options)
    compiled = copy.deepcopy(plain)
    for part in compiled.children():
        part.compile(backend="aot_eager")
    for phase in plain.phases(0):
        expected, actual = (gradients(family, phase, images(3)) for family in (plain, compiled))
        torch.testing.assert_close(actual, expected)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"loss": NonSaturating()},
        {"loss": Hinge(), "discriminator": {"norm": "none", "spectral_norm": True}},
        {"loss": Wasserstein(), "penalty": GradientPenalty(), "discriminator": {"norm": "layer"}},
        {"loss": NonSaturating(), "unroll": 2},
    ],
)
def test_it_learns_where_the_ink_is(options: dict[str, Any]) -> None:
    """Bright in one half or the other: the generator starts grey, and learns both kinds."""
    left = torch.full(SHAPE, -0.8)
    left[..., :4] = 0.8
    x0 = torch.stack([left, left.flip(2)] * 16) + 0.1 * torch.randn(32, *SHAPE, generator=seeded())
    family = gan(**options)

    def distance() -> float:
        """To the nearest of the two, on average over the samples, in units of a pixel."""
        (state,) = family.sample(64, seeded(5))
        modes = torch.stack([left, left.flip(2)]).flatten(1)
        return float(torch.cdist(state.x.flatten(1), modes).min(1).values.mean() / 8)

    assert distance() > 0.7
    fit(family, x0, steps=150)
    assert distance() < 0.5


@pytest.mark.parametrize("loss", ["wasserstein", "hinge"])
@pytest.mark.parametrize("phase", ["discriminator", "generator"])
def test_in_half_precision_the_losses_are_in_single(loss: str, phase: str) -> None:
    """Differences of logits are taken in float32, or small ones would be lost."""
    family = build_family(
        {
            "family": "gan",
            "latent": 4,
            "generator": {"kind": "dcgan", "channels": [8]},
            "discriminator": {"kind": "dcgan", "channels": [8], "norm": "none"},
            "loss": loss,
        },
        (1, 8, 8),
        seed=0,
    )
    draws = family.draw(4, torch.Generator().manual_seed(0), phase)
    with in_precision("bfloat16", torch.device("cpu")):
        losses = family.losses(torch.zeros(4, 1, 8, 8), *draws, phase=phase)
    assert losses.dtype == torch.float32
