from __future__ import annotations

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
