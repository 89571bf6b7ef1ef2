from __future__ import annotations

import pytest
import torch
from torch import Tensor

from study.scoring.embedders.inception import InceptionEmbedder
from study.scoring.embedders.inception_weights import load_weights


@pytest.fixture(scope="session")
def inception_weights() -> dict[str, Tensor]:
    return load_weights()


@pytest.fixture(scope="session")
def inception(inception_weights: dict[str, Tensor]) -> InceptionEmbedder:
    return InceptionEmbedder("inception", inception_weights, torch.device("cpu"))
