"""Images at rest are uint8, images in networks are float32 in [-1, 1]."""

from __future__ import annotations

from torch import Tensor, uint8


def to_float(images: Tensor) -> Tensor:
    """uint8 images, any shape, as float32 in [-1, 1]."""
    return images.float().div_(127.5).sub_(1)


def to_uint8(images: Tensor) -> Tensor:
    """Float images in [-1, 1], any shape, as uint8: rounded, and what is out of range clamped."""
    return ((images + 1) * 127.5).round_().clamp_(0, 255).to(uint8)
