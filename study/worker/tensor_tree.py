"""Trees of tensors and plain values as one safetensors file: nothing in it can be executed.

Tensors lie in the file under their paths. Everything else is JSON in its header, where a tensor's
place is `{"tensor": path, "order": dimensions}`, and dictionaries are lists of pairs, as their keys
may be numbers. A tensor comes back in the memory format that it had: the fused optimizers of torch
take weights and moments of differing formats for one another, without a word.
"""

from __future__ import annotations

import json
import math
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

_KEY = "tree"


def to_safetensors(tree: Any) -> bytes:
    """Encode a tree of dictionaries, lists, tuples, tensors, numbers, texts, booleans and None.

    Tuples come back as lists.

    Raises:
        TypeError: Something else is in it.
    """
    tensors: dict[str, Tensor] = {}
    text = json.dumps(_encode(tree, "", tensors), allow_nan=False)
    return save(tensors, metadata={_KEY: text})


def from_safetensors(data: bytes, device: torch.device | str) -> Any:
    """Decode what `to_safetensors` made.

    Args:
        data: The file.
        device: Where the tensors go.

    Raises:
        ValueError: It is no such file.
    """
    try:
        length = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + length])
        tree = json.loads(header["__metadata__"][_KEY])
        tensors = {name: tensor.to(device) for name, tensor in load(data).items()}
        return _decode(tree, tensors)
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"is no checkpoint: {error}") from error


def _encode(value: Any, path: str, tensors: dict[str, Tensor]) -> Any:
    match value:
        case Tensor():
            # From the outermost dimension in memory to the innermost.
            strides = value.stride()
            order = sorted(range(value.ndim), key=lambda dim: -strides[dim])
            # Each has memory of its own in the file, whatever shared it.
            tensors[path] = value.detach().cpu().permute(order).contiguous().clone()
            return {"tensor": path, "order": order}
        case dict():
            items = value.items()
            return {
                "pairs": [[key, _encode(item, f"{path}/{key}", tensors)] for key, item in items]
            }
        case list() | tuple():
            return [_encode(item, f"{path}/{i}", tensors) for i, item in enumerate(value)]
        case float() if not math.isfinite(value):
            return {"number": repr(value)}
        case None | bool() | int() | float() | str():
            return value
        case _:
            raise TypeError(f"{path} is a {type(value).__name__}, which no checkpoint can hold")


def _decode(value: Any, tensors: dict[str, Tensor]) -> Any:
    match value:
        case {"tensor": path, "order": order}:
            return tensors[path].permute([order.index(dim) for dim in range(len(order))])
        case {"pairs": pairs}:
            return {key: _decode(item, tensors) for key, item in pairs}
        case {"number": text}:
            return float(text)
        case list():
            return [_decode(item, tensors) for item in value]
        case _:
            return value
