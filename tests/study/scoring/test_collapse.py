from __future__ import annotations

import pytest
import torch
from torch import Tensor

from study.scoring.collapse import LEAST_IMAGES, LEAST_VARIATION, total_variance, variety


def features(count: int, scale: float = 1.0) -> Tensor:
    return scale * torch.randn(count, 5, generator=torch.Generator().manual_seed(count))


REAL = features(500)
REAL_VARIANCE = total_variance(REAL)


def test_the_total_variance_is_the_trace_of_the_covariance() -> None:
    assert total_variance(REAL) == pytest.approx(float(torch.cov(REAL.double().T).trace()))


@pytest.mark.parametrize(
    ("scale", "collapsed"), [(0.0, True), (0.05, True), (0.2, False), (1.0, False), (9.0, False)]
)
def test_images_that_hardly_vary_have_collapsed_wherever_they_are(
    scale: float, collapsed: bool
) -> None:
    generated = features(64, scale) + 3.0
    result = variety(generated, REAL_VARIANCE, real_images=500)
    assert result.collapsed is collapsed
    assert result.variation == pytest.approx(total_variance(generated) / REAL_VARIANCE)
    assert (result.variation < LEAST_VARIATION) is collapsed


@pytest.mark.parametrize(
    ("generated", "real", "recall", "collapsed"),
    [
        (LEAST_IMAGES, LEAST_IMAGES, 0.0, True),
        (LEAST_IMAGES - 1, LEAST_IMAGES, 0.0, False),
        (LEAST_IMAGES, LEAST_IMAGES - 1, 0.0, False),
        (LEAST_IMAGES, LEAST_IMAGES, 0.01, False),
        (LEAST_IMAGES, LEAST_IMAGES, None, False),
    ],
)
def test_a_recall_of_0_counts_over_enough_images(
    generated: int, real: int, recall: float | None, collapsed: bool
) -> None:
    result = variety(features(generated), REAL_VARIANCE, real_images=real, recall=recall)
    assert result.collapsed is collapsed


def test_beside_real_images_that_do_not_vary_it_is_not_known() -> None:
    result = variety(features(200), 0.0, real_images=200)
    assert (result.variation, result.collapsed) == (None, None)
    assert variety(features(200), 0.0, real_images=200, recall=0.0).collapsed is True
