"""The precision of arithmetic, chosen by device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, get_args

import torch

Precision = Literal["auto", "float32", "tf32", "bfloat16"]


def resolve(precision: Precision, device: torch.device) -> Precision:
    """What `auto` means on a device; any other name means itself.

    On a CPU bfloat16 can be ten times slower than float32. On CUDA it is bfloat16 from compute
    capability 8 on, where tensor cores have it, else float32.

    Raises:
        ValueError: If there is no such precision, or the device does not have it.
    """
    if precision not in get_args(Precision):
        known = ", ".join(get_args(Precision))
        raise ValueError(f"The value of `precision` is {precision!r}, but must be one of {known}")
    if precision == "tf32" and device.type != "cuda":
        raise ValueError(f"The value of `precision` is 'tf32', which a {device.type} does not have")
    if precision != "auto":
        return precision
    if device.type == "cuda" and torch.cuda.get_device_capability(device)[0] >= 8:
        return "bfloat16"
    return "float32"


@contextmanager
def in_precision(precision: Precision, device: torch.device) -> Iterator[None]:
    """Run networks forward in a precision; weights and losses stay as they are.

    `bfloat16` is autocast: matrix products and convolutions only. `tf32` keeps float32's range with
    10 bits of mantissa in the same operations.

    Raises:
        ValueError: As `resolve`.
    """
    enabled = resolve(precision, device) == "bfloat16"
    with tf32_as(precision, device), torch.autocast(device.type, torch.bfloat16, enabled=enabled):
        yield


@contextmanager
def tf32_as(precision: Precision, device: torch.device) -> Iterator[None]:
    """Allow TF32 or not, as the precision has it: for what goes backward too.

    Autocast is for the way forward alone; whether TF32 is allowed is looked up by each operation
    when it runs.

    Raises:
        ValueError: As `resolve`.
    """
    name = resolve(precision, device)
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    if device.type == "cuda":
        matmul.allow_tf32 = cudnn.allow_tf32 = name == "tf32"
    try:
        yield
    finally:
        if device.type == "cuda":
            matmul.allow_tf32, cudnn.allow_tf32 = before
