from __future__ import annotations

from typing import Any

import pytest
import torch
from diffusers.models.embeddings import get_2d_sincos_pos_embed
from torch import nn

from models.networks import DiT
from models.networks.dit import AdaLNZeroBlock, sinusoidal_positions


def test_it_starts_at_zero_and_its_blocks_as_the_identity() -> None:
    network = DiT((3, 8, 8))
    assert not network(torch.randn(2, 3, 8, 8), torch.tensor([0, 9])).any()
    tokens, embedding = torch.randn(2, 16, 64), torch.randn(2, 1, 64)
    torch.testing.assert_close(network.blocks[0](tokens, embedding), tokens)


def test_positions_are_those_of_diffusers_but_for_their_order() -> None:
    """Each is (sin, cos) of (row, column): theirs are sorted by axis, ours by function."""
    theirs = get_2d_sincos_pos_embed(16, 5, base_size=5, output_type="pt")
    columns, rows = theirs.float().chunk(2, dim=1)  # [25, 8] each: sines, cosines
    expected = torch.cat([rows[:, :4], columns[:, :4], rows[:, 4:], columns[:, 4:]], dim=1)
    ours = sinusoidal_positions((5, 5), 16, torch.device("cpu"))
    torch.testing.assert_close(ours, expected, atol=1e-5, rtol=1e-5)


def test_each_patch_has_a_position_of_its_own() -> None:
    positions = sinusoidal_positions((3, 7), 32, torch.device("cpu"))
    assert positions.shape == (21, 32)
    assert torch.pdist(positions).min() > 0.1


@pytest.mark.parametrize("heads", [1, 4])
def test_a_block_is_attention_and_an_mlp_steered_by_the_time(heads: int) -> None:
    """Figure 3 of the paper, with torch's own attention."""
    torch.manual_seed(0)
    width = 16
    block = AdaLNZeroBlock(width, heads, 0.0)
    attention = nn.MultiheadAttention(width, heads, batch_first=True)
    attention.in_proj_weight = block.query_key_value.weight
    attention.in_proj_bias = block.query_key_value.bias
    attention.out_proj.weight, attention.out_proj.bias = block.output.weight, block.output.bias
    x, embedding = torch.randn(2, 5, width), torch.randn(2, 1, width)

    beta1, gamma1, alpha1, beta2, gamma2, alpha2 = block.modulation(embedding).chunk(6, dim=2)
    h = nn.functional.layer_norm(x, (width,)) * (1 + gamma1) + beta1
    expected = x + alpha1 * attention(h, h, h)[0]
    h = nn.functional.layer_norm(expected, (width,)) * (1 + gamma2) + beta2
    expected = expected + alpha2 * block.mlp(h)
    torch.testing.assert_close(block(x, embedding), expected, rtol=1e-4, atol=1e-4)


def test_a_patch_comes_back_to_where_it_was_taken_from() -> None:
    network = DiT((3, 8, 12), patch=4, width=48, depth=1, heads=1)
    assert network.grid == (2, 3)
    with torch.no_grad():
        network.patchify.weight.copy_(torch.eye(48))
        network.head.weight.copy_(torch.eye(48))
    network.norm = nn.Identity()  # type: ignore[assignment]
    x = 100 * torch.randn(2, 3, 8, 12)
    positions = network(torch.zeros_like(x), torch.tensor([0, 0]))
    torch.testing.assert_close(network(x, torch.tensor([0, 0])) - positions, x, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"patch": 3}, "8x8, but with a `patch` of 3 their sides must be divisible by 3"),
        ({"patch": 0}, "`patch` is 0, but must be >= 1"),
        ({"depth": 0}, "`depth` is 0, but must be >= 1"),
        ({"heads": 0}, "`heads` is 0, but must be >= 1"),
        ({"width": 20, "heads": 3}, "`width` is 20, but must be a multiple of 4 and of `heads`"),
        ({"width": 6, "heads": 3}, "`width` is 6, but must be a multiple of 4 and of `heads`"),
    ],
)
def test_a_dit_that_cannot_be_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DiT((1, 8, 8), **options)
