"""How pictures come to Inception's 299 x 299 pixels: the same network, four habits.

The rule matters as much as the weights (Parmar et al. 2022, "On Aliased Resizing and Surprising
Subtleties in GAN Evaluation"): distances of two rules are not to be compared.

Each takes images uint8 [N, C, H, W] of any size and returns the network's input, float32
[N, C, 299, 299] in about [-1, 1]. Channels are treated alike and apart, so that it makes no
difference whether grey is repeated before or after.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

SIDE = 299


def like_tensorflow(images: Tensor) -> Tensor:
    """As the graph of 2015-12-05 does it, and so every FID of the original code and torch-fidelity.

    `ResizeBilinear` of TensorFlow 1, neither aligned at the corners nor at pixels' centres: output
    pixel i lies at i H / 299 of the input, between its two neighbours, of which the last one is
    repeated. Nothing is averaged when a picture shrinks. Levels are (x - 128) / 128.
    """
    x = images.float()
    for axis in (3, 2):
        size = x.shape[axis]
        scale = torch.tensor(size, dtype=torch.float32, device=x.device) / SIDE
        place = torch.arange(SIDE, dtype=torch.float32, device=x.device) * scale
        lower = place.long()
        upper = (lower + 1).clamp(max=size - 1)
        share = place - lower  # [299]
        first, second = x.index_select(axis, lower), x.index_select(axis, upper)
        x = first + (second - first) * (share[:, None] if axis == 2 else share)
    return (x - 128) / 128


def like_pytorch_fid(images: Tensor) -> Tensor:
    """As pytorch-fid does it: bilinear at pixels' centres, no antialiasing, 2 x / 255 - 1."""
    return 2 * functional.interpolate(images.float() / 255, (SIDE, SIDE), mode="bilinear") - 1


def with_antialias(images: Tensor) -> Tensor:
    """As torchmetrics does it from 1.8 on: bilinear at pixels' centres, averaging as it shrinks."""
    x = functional.interpolate(images.float(), (SIDE, SIDE), mode="bilinear", antialias=True)
    return (x - 128) / 128


def like_clean_fid(images: Tensor) -> Tensor:
    """As clean-fid does it: Pillow's bicubic on each channel as floats, kept to 0..255."""
    planes = images.flatten(0, 1).cpu().numpy().astype(np.float32)  # [N * C, H, W]
    resized = np.empty((len(planes), SIDE, SIDE), np.float32)
    for index, plane in enumerate(planes):
        picture = Image.fromarray(plane)  # of mode F
        resized[index] = np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    x = torch.from_numpy(resized).to(images.device).view(*images.shape[:2], SIDE, SIDE)
    return (x.clamp(0, 255) - 128) / 128


RESIZES: Mapping[str, Callable[[Tensor], Tensor]] = MappingProxyType(
    {
        "inception": like_tensorflow,
        "inception_torch": like_pytorch_fid,
        "inception_antialias": with_antialias,
        "inception_clean": like_clean_fid,
    }
)
"""The rule of each embedder."""
