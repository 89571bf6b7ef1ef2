from __future__ import annotations

import pytest
import torch

from study.data import load_images
from study.scoring.comparison import Comparison
from study.scoring.frechet import Moments, Reference


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    """Real digits against others, as pixels."""
    images = load_images("digits")
    assert images.labels is not None
    features = images.tensor().flatten(1).float() / 255
    labels = torch.from_numpy(images.labels.copy())
    order = torch.randperm(len(features), generator=torch.Generator().manual_seed(0))
    features, labels = features[order], labels[order]
    real = features[400:1000]
    return Comparison(
        generated=features[:400] * 0.9,
        reference=Reference.of(Moments.of(real)),
        real=real,
        labels=labels[400:1000],
        train=features[1000:],
        seed=7,
        kid_subset_size=100,
    )
