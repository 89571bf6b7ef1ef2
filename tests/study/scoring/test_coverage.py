from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from study.scoring.coverage import density_coverage, precision_recall
from study.spec.errors import UserError


def cloud(count: int, seed: int, dim: int = 4, shift: float = 0.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, dim, generator=generator) + shift


def brute(real: torch.Tensor, generated: torch.Tensor, k: int) -> tuple[float, float, float, float]:
    """Precision, recall, density, coverage, point by point as the papers write them."""
    x, y = real.double().numpy(), generated.double().numpy()

    def radius(points: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.sort(cdist(points, points), axis=1)[:, k]  # [:, 0] is the point itself

    between, of_real, of_fake = cdist(x, y), radius(x), radius(y)
    precision = np.mean(
        [any(between[i, j] <= of_real[i] for i in range(len(x))) for j in range(len(y))]
    )
    recall = np.mean(
        [any(between[i, j] <= of_fake[j] for j in range(len(y))) for i in range(len(x))]
    )
    inside = sum(between[i, j] <= of_real[i] for i in range(len(x)) for j in range(len(y)))
    coverage = np.mean([between[i].min() <= of_real[i] for i in range(len(x))])
    return float(precision), float(recall), inside / k / len(y), float(coverage)


@settings(deadline=None, max_examples=40)
@given(
    st.integers(6, 30), st.integers(6, 30), st.integers(1, 5), st.integers(0, 99), st.floats(0, 3)
)
def test_as_the_papers_write_them(n: int, m: int, k: int, seed: int, shift: float) -> None:
    real, generated = cloud(n, seed), cloud(m, seed + 1000, shift=shift)
    precision, recall, density, coverage = brute(real, generated, k)
    spread, cover = precision_recall(real, generated, k), density_coverage(real, generated, k)
    assert (spread.precision, spread.recall) == pytest.approx((precision, recall))
    assert (cover.density, cover.coverage) == pytest.approx((density, coverage))


def test_a_set_covers_itself() -> None:
    real = cloud(40, 0)
    spread, cover = precision_recall(real, real.clone()), density_coverage(real, real.clone())
    assert (spread.precision, spread.recall, cover.coverage) == (1, 1, 1)
    assert cover.density == pytest.approx(6 / 5)  # k + 1 points in each closed ball, its centre too


def test_sets_far_apart_share_nothing() -> None:
    real, generated = cloud(40, 0), cloud(40, 1, shift=100)
    spread, cover = precision_recall(real, generated), density_coverage(real, generated)
    assert (spread.precision, spread.recall, cover.density, cover.coverage) == (0, 0, 0, 0)


def test_one_image_again_and_again_is_precise_and_recalls_nothing() -> None:
    real = cloud(60, 0)
    generated = real[:1].repeat(50, 1)
    spread, cover = precision_recall(real, generated), density_coverage(real, generated)
    assert spread.precision == 1
    assert spread.recall == pytest.approx(1 / 60)  # the image that it is
    assert cover.coverage < 0.3


def test_half_of_the_real_images_is_half_of_the_recall() -> None:
    left, right = cloud(200, 0), cloud(200, 1, shift=50)
    spread = precision_recall(torch.cat([left, right]), cloud(200, 2))
    assert spread.precision > 0.8
    assert 0.4 < spread.recall <= 0.5


def test_an_outlier_fools_precision_but_hardly_density() -> None:
    # Naeem et al. 2020, figure 2: a ball about an outlier is as wide as it is far away.
    real = torch.cat([cloud(100, 0), torch.full((1, 4), 20.0)])
    generated = cloud(100, 1, shift=8)
    assert precision_recall(real, generated).precision > 0.9
    assert density_coverage(real, generated).density < 0.3


def test_too_few_images_are_told_by_measure_and_side() -> None:
    few, many = cloud(3, 0), cloud(50, 1)
    pair = "^precision and recall take 4 or more"
    with pytest.raises(UserError, match=f"{pair} real images, but there are 3$"):
        precision_recall(few, many)
    with pytest.raises(UserError, match=f"{pair} generated images, but there are 3$"):
        precision_recall(many, few)
    with pytest.raises(
        UserError, match=r"^density and coverage take 6 or more real images, but there are 3$"
    ):
        density_coverage(few, many)
    assert 0 <= density_coverage(many, few).coverage <= 1
