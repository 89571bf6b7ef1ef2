"""What every denoiser promises, whatever it is made of."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch
from torch import nn

from models.networks import NETWORKS

SMALL: dict[str, dict[str, Any]] = {
    "unet": {"channels": [6, 8], "attention": [4, 14, 16, 32]},
    "cnn": {"channels": [6, 8], "time": "every"},
    "convnext_unet": {"channels": [6, 8]},
    "dit": {"patch": 4, "width": 16, "depth": 2, "heads": 2},
}
SHAPES = [(1, 28, 28), (3, 32, 32), (1, 8, 8), (3, 64, 64), (1, 8, 16), (3, 128, 128)]

every_network = pytest.mark.parametrize("name", sorted(NETWORKS))
every_shape = pytest.mark.parametrize("image_shape", SHAPES)


def build(name: str, image_shape: tuple[int, int, int], **options: Any) -> nn.Module:
    torch.manual_seed(0)
    chosen = SMALL[name] | options
    if "attention" in chosen:  # of the sides that the feature maps have
        sides = (image_shape[1], image_shape[1] // 2)
        chosen["attention"] = [side for side in chosen["attention"] if side in sides]
    return NETWORKS[name](image_shape, **chosen)


def trained(network: nn.Module, image_shape: tuple[int, int, int]) -> nn.Module:
    """A few steps on: layers that start at zero are no longer there."""
    torch.manual_seed(1)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.03)
    for _ in range(4):
        x, t = torch.randn(4, *image_shape), torch.tensor([0, 3, 50, 999])
        optimizer.zero_grad()
        (network(x, t) - x.flip(0).mean((1, 2, 3), keepdim=True) - 1).square().mean().backward()
        optimizer.step()
    optimizer.zero_grad()
    return network


def test_every_network_is_tested() -> None:
    assert set(SMALL) == set(NETWORKS)


@every_network
@every_shape
def test_the_output_is_shaped_like_the_images(name: str, image_shape: tuple[int, int, int]) -> None:
    network = build(name, image_shape)
    output = network(torch.randn(3, *image_shape), torch.arange(3))
    assert output.shape == (3, *image_shape)
    assert output.dtype == torch.float32
    assert torch.isfinite(output).all()


@every_network
def test_the_defaults_suit_digits(name: str) -> None:
    network = NETWORKS[name]((1, 28, 28))
    assert network(torch.randn(1, 1, 28, 28), torch.tensor([7])).shape == (1, 1, 28, 28)


@every_network
def test_the_output_has_as_many_channels_as_are_asked_for(name: str) -> None:
    network = build(name, (3, 8, 8), out_channels=6)
    assert network(torch.randn(2, 3, 8, 8), torch.arange(2)).shape == (2, 6, 8, 8)
    with pytest.raises(ValueError, match="`out_channels` is 0, but must be >= 1"):
        build(name, (3, 8, 8), out_channels=0)


@every_network
def test_options_are_named_and_have_defaults(name: str) -> None:
    parameters = inspect.signature(NETWORKS[name]).parameters
    assert next(iter(parameters)) == "image_shape"
    assert parameters["out_channels"].default is None
    for option, parameter in list(parameters.items())[1:]:
        assert parameter.default is not inspect.Parameter.empty, option


@pytest.mark.slow
@every_network
@every_shape
def test_every_parameter_learns_within_a_few_steps(
    name: str, image_shape: tuple[int, int, int]
) -> None:
    network = trained(build(name, image_shape), image_shape)
    weighted = network(torch.randn(4, *image_shape), torch.tensor([1, 20, 300, 800]))
    weighted.mul(torch.randn_like(weighted)).sum().backward()
    for parameter_name, parameter in network.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.any(), parameter_name


@every_network
def test_the_output_depends_on_the_time(name: str) -> None:
    network = trained(build(name, (1, 8, 8)), (1, 8, 8)).eval()
    x = torch.randn(1, 1, 8, 8)
    outputs = torch.cat([network(x, torch.tensor([t])) for t in (0, 10, 500)])
    assert torch.pdist(outputs.flatten(1)).min() > 1e-3


@every_network
def test_the_images_of_a_batch_do_not_mix(name: str) -> None:
    network = trained(build(name, (1, 8, 8)), (1, 8, 8))
    x, t = torch.randn(5, 1, 8, 8), torch.arange(5) * 100
    together = network(x, t)
    alone = torch.cat([network(x[i : i + 1], t[i : i + 1]) for i in range(5)])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


@every_network
def test_every_pixel_can_see_the_whole_image(name: str) -> None:
    """Near enough: a change in one place reaches pixels 4 away."""
    network = trained(build(name, (1, 8, 8)), (1, 8, 8)).eval()
    x = torch.randn(1, 1, 8, 8)
    changed = x.clone()
    changed[..., 2, 2] += 1
    t = torch.tensor([5])
    assert (network(x, t) - network(changed, t))[..., 6, 6].abs().item() > 0


@every_network
def test_dropout_acts_in_training_alone(name: str) -> None:
    network = trained(build(name, (1, 8, 8), dropout=0.3), (1, 8, 8))
    x, t = torch.randn(2, 1, 8, 8), torch.tensor([4, 40])
    assert not torch.allclose(network(x, t), network(x, t))
    network.eval()
    torch.testing.assert_close(network(x, t), network(x, t), rtol=0, atol=0)


@every_network
def test_without_dropout_no_random_number_is_drawn(name: str) -> None:
    network = build(name, (1, 8, 8))
    before = torch.random.get_rng_state()
    network(torch.zeros(1, 1, 8, 8), torch.tensor([4]))
    assert torch.equal(torch.random.get_rng_state(), before)


@every_network
def test_dropout_does_not_change_the_initial_weights(name: str) -> None:
    plain, dropping = build(name, (1, 8, 8)), build(name, (1, 8, 8), dropout=0.5)
    torch.testing.assert_close(plain.state_dict(), dropping.state_dict(), rtol=0, atol=0)


@every_network
@pytest.mark.parametrize("dropout", [-0.1, 1.0, float("nan")])
def test_an_impossible_dropout_is_refused(name: str, dropout: float) -> None:
    with pytest.raises(ValueError, match=rf"`dropout` is {dropout}, but must be in \[0, 1\)"):
        build(name, (1, 8, 8), dropout=dropout)


@every_network
def test_a_network_works_in_half_precision(name: str) -> None:
    network = trained(build(name, (1, 8, 8)), (1, 8, 8)).eval()
    x, t = torch.randn(2, 1, 8, 8), torch.tensor([4, 400])
    exact = network(x, t)
    with torch.autocast("cpu", torch.bfloat16):
        rough = network(x, t).float()
    torch.testing.assert_close(rough, exact, rtol=0.1, atol=0.1 * exact.abs().max().item())
