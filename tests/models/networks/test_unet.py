from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models.networks import UNet
from models.networks.attention import PixelAttention


def unet(
    image_shape: tuple[int, int, int] = (1, 8, 8), channels: tuple[int, ...] = (8, 12)
) -> UNet:
    """A network whose zero-initialised layers are not zero, as after some training."""
    torch.manual_seed(0)
    network = UNet(image_shape, channels)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.1)
    return network


@pytest.mark.parametrize("image_shape", [(1, 8, 8), (3, 12, 8), (2, 4, 20)])
@pytest.mark.parametrize("channels", [[8], [6, 10], [4, 8, 12]])
def test_the_output_is_shaped_like_the_images_and_starts_at_zero(
    image_shape: tuple[int, int, int], channels: list[int]
) -> None:
    network = UNet(image_shape, channels)
    output = network(torch.randn(5, *image_shape), torch.arange(5))
    assert output.shape == (5, *image_shape)
    assert not output.any()


def test_every_parameter_gets_a_gradient() -> None:
    network = unet(channels=(8, 12, 16))
    network(torch.randn(4, 1, 8, 8), torch.arange(4)).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


def test_the_images_of_a_batch_do_not_mix() -> None:
    network, x, t = unet().eval(), torch.randn(6, 1, 8, 8), torch.arange(6)
    together = network(x, t)
    alone = torch.cat([network(x[i : i + 1], t[i : i + 1]) for i in range(6)])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_each_block_knows_the_time() -> None:
    network = unet(channels=(8, 12, 16))
    x, outputs = torch.randn(1, 1, 8, 8), []
    blocks = [*network.down_blocks, *network.middle_blocks, *network.up_blocks]
    for t in (0, 10):
        embedding = network.embed(torch.tensor([t]))
        outputs.append([block.shift(embedding) for block in blocks])
    assert len(blocks) == 6
    for early, late in zip(*outputs, strict=True):
        assert not torch.allclose(early, late)
    assert not torch.allclose(network(x, torch.tensor([0])), network(x, torch.tensor([10])))


def test_the_skip_connections_carry_what_the_bottom_cannot() -> None:
    network = unet(channels=(8, 12))

    def silence(module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
        return torch.zeros_like(output)

    network.middle_blocks[-1].register_forward_hook(silence)
    x = torch.randn(2, 1, 8, 8)
    changed = x.clone()
    changed[:, :, 3, 3] += 1  # one pixel: gone from the output, were the bottom the only way
    t = torch.zeros(2, dtype=torch.long)
    assert not torch.allclose(network(x, t), network(changed, t), atol=1e-4)


def test_attention_follows_each_block_at_the_chosen_sides() -> None:
    network = UNet((1, 16, 16), (8, 12, 16), attention=[8, 4])
    attending = {
        name for name, module in network.named_modules() if isinstance(module, PixelAttention)
    }
    assert attending == {
        "down_blocks.1.attention",
        "middle_blocks.0.attention",
        "middle_blocks.1.attention",
        "up_blocks.0.attention",
    }


def test_attention_leaves_all_else_as_it_is() -> None:
    torch.manual_seed(0)
    plain = UNet((1, 16, 16), (8, 12))
    torch.manual_seed(0)
    attending = UNet((1, 16, 16), (8, 12), attention=[16])
    weights = attending.state_dict()
    for name, weight in plain.state_dict().items():
        torch.testing.assert_close(weights[name], weight, rtol=0, atol=0)
    x, t = torch.randn(2, 1, 16, 16), torch.tensor([0, 9])
    torch.testing.assert_close(attending(x, t), plain(x, t))  # it starts as the identity


@pytest.mark.parametrize("attention", [[5], [8, 2], [32]])
def test_a_side_that_does_not_occur_is_refused(attention: list[int]) -> None:
    with pytest.raises(
        ValueError, match=r"`attention` is \[.*but the feature maps' sides are 16, 8"
    ):
        UNet((1, 16, 16), (8, 12), attention=attention)


@pytest.mark.parametrize(
    ("image_shape", "channels", "embedding", "message"),
    [
        ((1, 28, 28), [8, 8, 8, 8], 64, "28x28, but with 4 `channels` .* divisible by 8"),
        ((1, 16, 6), [8, 8, 8], 64, "16x6, but with 3 `channels` .* divisible by 4"),
        ((1, 8, 8), [], 64, r"`channels` is \[\], but must be"),
        ((1, 8, 8), [8, 0], 64, r"`channels` is \[8, 0\], but must be"),
        ((1, 8, 8), [8], 30, "`embedding` is 30, but must be a positive multiple of 4"),
    ],
)
def test_a_network_that_cannot_be_is_refused(
    image_shape: tuple[int, int, int], channels: list[int], embedding: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        UNet(image_shape, channels, embedding=embedding)
