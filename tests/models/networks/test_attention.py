from __future__ import annotations

import torch
from torch import nn

from models.networks.attention import PixelAttention


def test_pixel_attention_is_attention_between_pixels() -> None:
    """Against torch's own module, whose queries, keys and values are the normed pixels."""
    torch.manual_seed(0)
    ours, theirs = PixelAttention(6), nn.MultiheadAttention(6, 1, batch_first=True)
    nn.init.normal_(ours.output.weight)
    theirs.in_proj_weight, theirs.in_proj_bias = (
        ours.query_key_value.weight,
        ours.query_key_value.bias,
    )
    theirs.out_proj.weight, theirs.out_proj.bias = ours.output.weight, ours.output.bias
    x = torch.randn(2, 6, 3, 5)
    pixels = nn.functional.layer_norm(x, x.shape[1:]).flatten(2).mT  # [B, H*W, C]
    expected = x + theirs(pixels, pixels, pixels)[0].mT.reshape(x.shape)
    torch.testing.assert_close(ours(x), expected)


def test_it_starts_as_the_identity_and_learns_from_the_first_step() -> None:
    attention, x = PixelAttention(6), torch.randn(2, 6, 3, 5)
    output = attention(x)
    assert torch.equal(output, x)
    output.square().sum().backward()
    assert attention.output.weight.grad is not None
    assert attention.output.weight.grad.any()


def test_pixels_may_change_places() -> None:
    torch.manual_seed(0)
    attention = PixelAttention(6)
    nn.init.normal_(attention.output.weight)
    x = torch.randn(2, 6, 3, 5)
    order = torch.randperm(15)
    moved = x.flatten(2)[:, :, order].view_as(x)
    expected = attention(x).flatten(2)[:, :, order].view_as(x)
    torch.testing.assert_close(attention(moved), expected)
