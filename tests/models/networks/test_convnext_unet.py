from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.networks import ConvNeXtUNet
from models.networks.convnext_unet import ConvNeXtBlock


@pytest.mark.parametrize("kernel", [1, 3])
def test_a_block_is_the_one_of_the_paper_with_time(kernel: int) -> None:
    torch.manual_seed(0)
    block = ConvNeXtBlock(6, 6, kernel)
    x, embedding = torch.randn(2, 6, 8, 8), torch.randn(2, 64)
    assert block.widen.weight.shape == (24, 6, kernel, kernel)
    assert block.narrow.weight.shape == (6, 24, kernel, kernel)
    h = x + block.shift(embedding)[:, :, None, None]
    h = torch.cat(  # depthwise: each channel by itself
        [
            F.conv2d(h[:, c : c + 1], block.depthwise.weight[c : c + 1], padding=3)
            + block.depthwise.bias[c]
            for c in range(6)
        ],
        dim=1,
    )
    h = F.layer_norm(h, h.shape[1:])
    h = block.narrow(F.gelu(block.widen(h)))
    torch.testing.assert_close(block(x, embedding), x + h)


def test_channels_double_down_and_halve_up() -> None:
    shapes: list[tuple[int, int]] = []

    def note(module: nn.Module, inputs: Any, output: Tensor) -> None:
        shapes.append((output.shape[1], output.shape[2]))

    network = ConvNeXtUNet((1, 28, 28))
    for module in network.modules():
        if isinstance(module, ConvNeXtBlock):
            module.register_forward_hook(note)
    network(torch.randn(1, 1, 28, 28), torch.tensor([0]))
    assert shapes == [
        (32, 28),
        (64, 14),
        (128, 7),
        (128, 7),
        (128, 7),
        (64, 14),
        (32, 28),
        (32, 28),
    ]


def test_skip_connections_carry_what_the_middle_cannot() -> None:
    network = ConvNeXtUNet((1, 8, 8), channels=[4, 6])

    def silence(module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
        return torch.zeros_like(output)

    network.middle_block.register_forward_hook(silence)
    x, t = torch.randn(1, 1, 8, 8), torch.tensor([0])
    changed = x.clone()
    changed[..., 3, 3] += 1
    assert not torch.allclose(network(x, t), network(changed, t), atol=1e-4)


@pytest.mark.parametrize(
    ("image_shape", "options", "message"),
    [
        ((1, 28, 28), {"channels": [4] * 4}, "28x28, but with 4 `channels` .* divisible by 8"),
        ((1, 8, 8), {"channels": [4, -1]}, r"`channels` is \[4, -1\], but must be integers >= 1"),
        ((1, 8, 8), {"kernel": 5}, "`kernel` is 5, but must be 1 or 3"),
    ],
)
def test_a_convnext_unet_that_cannot_be_is_refused(
    image_shape: tuple[int, int, int], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        ConvNeXtUNet(image_shape, **options)
