from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from study.scoring.embedders.base import in_blocks


@given(count=st.integers(0, 9), size=st.integers(1, 4))
def test_blocks_are_of_one_length_and_nothing_is_lost(count: int, size: int) -> None:
    seen = []

    def network(block: Tensor) -> Tensor:
        seen.append(len(block))
        return block * 2

    inputs = torch.arange(2.0 * count).view(count, 2)
    assert torch.equal(in_blocks(network, inputs.split(size), size), inputs * 2)
    assert set(seen) == {size}
