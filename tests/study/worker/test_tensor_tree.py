from __future__ import annotations

import math
import struct
from typing import Any

import pytest
import torch

from study.worker.tensor_tree import from_safetensors, to_safetensors

TREE: dict[str, Any] = {
    "family": {"a.weight": torch.arange(6.0).view(2, 3), "flags": torch.tensor([True, False])},
    "state": {0: {"step": torch.tensor(3.0), "moment": torch.ones(2, dtype=torch.bfloat16)}, 7: {}},
    "groups": [{"lr": 1e-3, "betas": [0.9, 0.999], "params": [0, 1], "fused": None}],
    "rng": torch.arange(5, dtype=torch.uint8),
    "empty": torch.zeros(0, 4),
    "best": math.inf,
    "count": 12,
    "name": "ä",
    "on": True,
}


def same(a: object, b: object) -> bool:
    if isinstance(a, torch.Tensor):
        assert isinstance(b, torch.Tensor)
        return a.dtype == b.dtype and a.shape == b.shape and torch.equal(a, b)
    if isinstance(a, dict):
        assert isinstance(b, dict)
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        assert isinstance(b, list)
        return len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


def test_what_goes_in_comes_out() -> None:
    assert same(from_safetensors(to_safetensors(TREE), "cpu"), TREE)


def test_a_view_and_a_shared_tensor_are_whole() -> None:
    base = torch.arange(12.0).view(3, 4)
    tree = {"view": base.T, "again": base, "row": base[1]}
    assert same(from_safetensors(to_safetensors(tree), "cpu"), tree)


def test_the_memory_format_comes_back() -> None:
    weights = torch.arange(72.0).view(2, 4, 3, 3).to(memory_format=torch.channels_last)
    thin = torch.ones(8, 16, 1, 1).to(memory_format=torch.channels_last)
    tree = {"weights": weights, "thin": thin, "turned": torch.arange(6.0).view(2, 3).T}
    again = from_safetensors(to_safetensors(tree), "cpu")
    assert same(again, tree)
    assert [t.stride() for t in again.values()] == [t.stride() for t in tree.values()]


def test_an_optimizer_goes_on_from_it() -> None:
    layer = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(layer.parameters())
    layer(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    state = optimizer.state_dict()
    read = from_safetensors(to_safetensors(state), "cpu")
    torch.optim.AdamW(layer.parameters()).load_state_dict(read)
    assert same(read["state"], state["state"])


def test_something_else_is_refused() -> None:
    with pytest.raises(TypeError, match=r"/a/0 is a set, which no checkpoint can hold"):
        to_safetensors({"a": [{1}]})


HEADER = b'{"__metadata__": {"tree": "{\\"tensor\\": \\"gone\\", \\"order\\": []}"}}'


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no checkpoint",
        to_safetensors(TREE)[:-1],
        to_safetensors(TREE)[:40],
        struct.pack("<Q", 2) + b"{}",
        struct.pack("<Q", len(HEADER)) + HEADER,
        struct.pack("<Q", 2**62) + b"{}",
    ],
)
def test_another_file_is_told_apart(data: bytes) -> None:
    with pytest.raises(ValueError, match="is no checkpoint"):
        from_safetensors(data, "cpu")
