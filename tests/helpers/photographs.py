"""Few real pictures, in colour and of several sizes, uint8 [N, 3, H, W]."""

from __future__ import annotations

import torch
from paths import SHARED_DATA
from PIL import Image
from sklearn.datasets import load_sample_image
from torch import Tensor

from study.data import load_images

BEDROOMS = SHARED_DATA / "bedrooms"


def patches() -> Tensor:
    return load_images("photo_patches").tensor()[::130]  # [4, 3, 32, 32]


def photographs() -> Tensor:
    pictures = [load_sample_image(name) for name in ("china.jpg", "flower.jpg")]
    return torch.stack([torch.from_numpy(picture.copy()) for picture in pictures]).permute(
        0, 3, 1, 2
    )  # [2, 3, 427, 640]


def bedrooms() -> Tensor:
    pictures = [Image.open(path).convert("RGB") for path in sorted(BEDROOMS.glob("**/*.*g"))[:6]]
    whole = [picture.resize((256, 170)).tobytes() for picture in pictures]
    return torch.stack(
        [torch.frombuffer(bytearray(one), dtype=torch.uint8).view(170, 256, 3) for one in whole]
    ).permute(0, 3, 1, 2)
