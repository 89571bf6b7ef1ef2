from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from models.networks import CNN


def test_it_is_the_coursework_network() -> None:
    """Four 7x7 convolutions, each with layer norm and GELU, and time after the first alone."""
    torch.manual_seed(0)
    network = CNN((1, 28, 28))
    assert [(c.in_channels, c.out_channels, c.kernel_size) for c in network.convolutions] == [
        (1, 16, (7, 7)),
        (16, 32, (7, 7)),
        (32, 32, (7, 7)),
        (32, 16, (7, 7)),
    ]
    assert network.head.kernel_size == (3, 3)
    x, t = torch.randn(2, 1, 28, 28), torch.tensor([3, 700])
    blocks = [
        nn.Sequential(convolution, norm, nn.GELU())
        for convolution, norm in zip(network.convolutions, network.norms, strict=True)
    ]
    (shift,) = network.shifts
    h = blocks[0](x) + shift(network.embed(t))[:, :, None, None]
    h = network.head(blocks[3](blocks[2](blocks[1](h))))
    torch.testing.assert_close(network(x, t), h)


def test_the_norm_is_over_channels_and_pixels() -> None:
    h = torch.randn(3, 16, 28, 28) * 5 + 2
    normed = CNN((1, 28, 28)).norms[0](h)
    torch.testing.assert_close(normed.mean((1, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(normed.std((1, 2, 3)), torch.ones(3), atol=1e-3, rtol=0)


def test_time_comes_into_the_first_block_or_every_one() -> None:
    assert len(CNN((1, 8, 8), channels=[4, 6, 4], time="first").shifts) == 1
    shifts = CNN((1, 8, 8), channels=[4, 6, 4], time="every").shifts
    assert [shift.out_features for shift in shifts] == [4, 6, 4]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": []}, r"`channels` is \[\], but must be integers >= 1"),
        ({"channels": [4, 0]}, r"`channels` is \[4, 0\], but must be integers >= 1"),
        ({"time": "last"}, "`time` is 'last', but must be one of first, every"),
    ],
)
def test_a_cnn_that_cannot_be_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CNN((1, 8, 8), **options)
