from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from models.networks import (
    DISCRIMINATORS,
    GENERATORS,
    DCGANDiscriminator,
    DCGANGenerator,
)
from models.networks.dcgan import BatchNorm


def players(
    image_shape: tuple[int, int, int], halvings: int = 2, **options: Any
) -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(0)
    channels = [8, 6, 4, 3, 2, 2][:halvings]
    return (
        GENERATORS["dcgan"](image_shape, latent=5, channels=channels),
        DISCRIMINATORS["dcgan"](image_shape, channels=channels[::-1], **options),
    )


@pytest.mark.parametrize(
    ("image_shape", "halvings"),
    [
        ((1, 28, 28), 2),
        ((3, 32, 32), 3),
        ((1, 8, 8), 3),
        ((3, 64, 64), 4),
        ((1, 128, 128), 5),
        ((3, 36, 36), 1),
        ((1, 8, 16), 2),
    ],
)
@pytest.mark.parametrize("count", [1, 3])
def test_latents_become_images_and_images_logits(
    image_shape: tuple[int, int, int], halvings: int, count: int
) -> None:
    generator, discriminator = players(image_shape, halvings)
    for mode in (True, False):
        images = generator.train(mode)(100 * torch.randn(count, 5))
        assert images.shape == (count, *image_shape)
        assert images.abs().max() <= 1
        logits = discriminator.train(mode)(images)
        assert logits.shape == (count,)
        assert torch.isfinite(logits).all()


def test_the_defaults_suit_digits() -> None:
    images = DCGANGenerator((1, 28, 28), latent=100)(torch.randn(2, 100))
    assert DCGANDiscriminator((1, 28, 28))(images).shape == (2,)


@pytest.mark.parametrize("spectral_norm", [False, True])
@pytest.mark.parametrize("norm", ["batch", "layer", "none"])
def test_every_parameter_gets_a_gradient(norm: str, spectral_norm: bool) -> None:
    generator, discriminator = players((3, 16, 16), 3, norm=norm, spectral_norm=spectral_norm)
    discriminator(generator(torch.randn(4, 5))).square().sum().backward()
    for player in (generator, discriminator):
        for name, parameter in player.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.any(), name


def test_weights_start_normal_with_the_deviation_of_the_paper() -> None:
    torch.manual_seed(0)
    for player in (DCGANGenerator((1, 28, 28), latent=100), DCGANDiscriminator((1, 28, 28))):
        for module in player.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
                few = module.weight.numel() ** -0.5
                assert module.weight.mean().abs() < 0.1 * few
                assert module.weight.std().item() == pytest.approx(0.02, rel=3 * few)
                assert module.bias is None or not module.bias.any()


@pytest.mark.parametrize(
    ("norm", "kind", "mixes"),
    [("batch", nn.BatchNorm2d, True), ("layer", nn.GroupNorm, False), ("none", None, False)],
)
def test_norms_come_after_all_layers_but_the_first(
    norm: str, kind: type[nn.Module] | None, mixes: bool
) -> None:
    _, discriminator = players((1, 16, 16), 3, norm=norm)
    norms = [m for m in discriminator.modules() if isinstance(m, nn.BatchNorm2d | nn.GroupNorm)]
    assert [type(m) for m in norms] == ([] if kind is None else [type(norms[0])] * 2)
    assert kind is None or isinstance(norms[0], kind)
    x = torch.randn(4, 1, 16, 16)
    alone = torch.cat([discriminator(x[i : i + 1]) for i in range(4)])
    assert torch.allclose(discriminator(x), alone, atol=1e-6) is not mixes


def test_spectral_norm_bounds_every_layer() -> None:
    _, discriminator = players((1, 16, 16), 3, norm="none", spectral_norm=True)
    with torch.no_grad():
        for parameter in discriminator.parameters():
            parameter.mul_(30)
    for _ in range(200):  # one power iteration each
        discriminator(torch.randn(1, 1, 16, 16))
    layers = [m for m in discriminator.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert len(layers) == 4
    for layer in layers:
        largest = torch.linalg.matrix_norm(layer.weight.flatten(1), ord=2)
        assert largest.item() == pytest.approx(1, abs=1e-3)


def test_a_player_with_spectral_norm_can_be_copied() -> None:
    _, discriminator = players((1, 8, 8), spectral_norm=True)
    x = torch.randn(2, 1, 8, 8)
    twin = copy.deepcopy(discriminator)
    torch.testing.assert_close(twin(x), discriminator(x))
    assert not set(twin.parameters()) & set(discriminator.parameters())


def test_batch_norm_takes_a_single_value_by_its_averages() -> None:
    norm = BatchNorm(3)
    for _ in range(100):
        norm(2 + 3 * torch.randn(64, 3, 4, 4))
    x = torch.tensor([2.0, 5.0, 8.0]).reshape(1, 3, 1, 1)
    torch.testing.assert_close(norm(x).flatten(), torch.tensor([0.0, 1.0, 2.0]), atol=0.05, rtol=0)
    torch.testing.assert_close(norm(x), norm.eval()(x))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: DCGANGenerator((1, 10, 8), latent=5), "10x8, but with 2 `channels` .* by 4"),
        (lambda: DCGANDiscriminator((1, 10, 8)), "10x8, but with 2 `channels` .* by 4"),
        (lambda: DCGANGenerator((1, 8, 8), latent=0), "`latent` is 0, but must be >= 1"),
        (lambda: DCGANGenerator((1, 8, 8), latent=5, channels=[]), r"`channels` is \[\], but"),
        (lambda: DCGANDiscriminator((1, 8, 8), channels=[0]), r"`channels` is \[0\], but"),
        (
            lambda: DCGANDiscriminator((1, 8, 8), norm="instance"),  # type: ignore[arg-type]
            "`norm` is 'instance', but must be one of batch, layer, none",
        ),
    ],
)
def test_a_player_that_cannot_be_is_refused(build: Callable[[], nn.Module], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()
