from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor


@pytest.fixture(scope="session")
def digits() -> Tensor:
    """1797 real handwritten digits, [N, 1, 8, 8] uint8."""
    grey = torch.from_numpy(load_digits().images)[:, None]  # 0 .. 16
    return (grey * 255 / 16).round().to(torch.uint8)


@pytest.fixture
def model() -> dict[str, Any]:
    """What `build_family` takes, for a family small enough for unit tests."""
    return {
        "family": "ddpm",
        "timesteps": 20,
        "schedule": {"kind": "cosine"},
        "network": {"kind": "unet", "channels": [8, 16]},
    }


@pytest.fixture
def own_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    (tmp_path / "own_networks.py").write_text(
        """
import torch
from torch import nn
from models import DDPM
from models.schedules import cosine

class Flat(nn.Module):
    def __init__(self, image_shape, bias=0.0):
        super().__init__()
        self.scale = nn.Parameter(torch.full((1, image_shape[0], 1, 1), bias))

    def forward(self, x_t, t):
        return self.scale * x_t

def small_ddpm(image_shape, timesteps):
    return DDPM(Flat(image_shape), cosine(timesteps), image_shape)

class Refusing(Flat):
    def __init__(self, image_shape):
        raise RuntimeError("not today")

limit = 3
"""
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "own_networks"
    sys.modules.pop("own_networks", None)
