from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.metrics.pairwise import polynomial_kernel
from torch import Tensor
from torch_fidelity.metric_kid import kid_features_to_metric
from torchmetrics.image.kid import poly_mmd

from study.data import load_images
from study.scoring import kernel_distance as kernel
from study.scoring.kernel_distance import kid, mmd
from study.spec.errors import UserError


def cloud(count: int, seed: int, dim: int = 6, shift: float = 0.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, dim, generator=generator) + shift


def brute(x: Tensor, y: Tensor) -> float:
    """The unbiased estimate as Gretton et al. write it, from scikit-learn's kernel."""
    a, b = x.double().numpy(), y.double().numpy()
    xx, yy, xy = polynomial_kernel(a), polynomial_kernel(b), polynomial_kernel(a, b)
    n, m = len(a), len(b)
    within = (xx.sum() - np.trace(xx)) / (n * (n - 1)) + (yy.sum() - np.trace(yy)) / (m * (m - 1))
    return float(within - 2 * xy.mean())


@pytest.fixture(scope="module")
def digits() -> tuple[Tensor, Tensor]:
    """Two kinds of real images, float32 features in 0..1: zeros to fours, fives to nines."""
    images = load_images("digits")
    assert images.labels is not None
    features = images.tensor().flatten(1).float() / 255
    low = torch.from_numpy(images.labels < 5)
    return features[low], features[~low]


@pytest.mark.parametrize("block", [1, 100, 2**23])
@pytest.mark.parametrize(("n", "m"), [(30, 30), (40, 25), (2, 3)])
def test_the_whole_sets_by_brute_force(
    monkeypatch: pytest.MonkeyPatch, n: int, m: int, block: int
) -> None:
    monkeypatch.setattr(kernel, "_BLOCK", block)
    x, y = cloud(n, 0, shift=0.5), cloud(m, 1)
    assert mmd(x, y).value == pytest.approx(brute(x, y), rel=1e-12)
    assert mmd(y, x).value == pytest.approx(brute(x, y), rel=1e-12)


@pytest.mark.parametrize("size", [50, 400])  # kernels of the subsets alone, and of all images
def test_the_same_as_torch_fidelity(digits: tuple[Tensor, Tensor], size: int) -> None:
    generated, real = digits
    theirs = kid_features_to_metric(
        generated,
        real,
        kid_subsets=20,
        kid_subset_size=size,
        rng_seed=2020,
        verbose=False,
        kid_kernel="poly",
        kid_kernel_poly_degree=3,
        kid_kernel_poly_gamma=None,
        kid_kernel_poly_coef0=1,
    )
    ours = kid(generated, real, subsets=20, subset_size=size)
    assert ours.value == pytest.approx(theirs["kernel_inception_distance_mean"], abs=1e-6)
    assert ours.deviation == pytest.approx(theirs["kernel_inception_distance_std"], abs=1e-6)


def test_the_same_as_torchmetrics(digits: tuple[Tensor, Tensor]) -> None:
    generated, real = (features[:600] for features in digits)
    theirs = float(poly_mmd(generated.double(), real.double()))
    assert mmd(generated, real).value == pytest.approx(theirs, abs=1e-9)
    whole = kid(generated, real, subsets=3, subset_size=600)  # each subset is the whole set
    assert whole.value == pytest.approx(theirs, abs=1e-9)
    assert whole.deviation == pytest.approx(0, abs=1e-9)


def test_both_ways_to_the_subsets_are_one(digits: tuple[Tensor, Tensor]) -> None:
    generated, real = (features[:200] for features in digits)
    draws = list(kernel._draw(200, 200, 7, 60, seed=3))
    expected = [brute(generated[rows], real[columns]) for rows, columns in draws]
    found = kid(generated, real, subsets=7, subset_size=60, seed=3)  # 4 x 7 x 60^2 < 400^2
    assert found.value == pytest.approx(np.mean(expected), rel=1e-9)
    assert found.deviation == pytest.approx(np.std(expected), rel=1e-9)
    more = kid(generated, real, subsets=14, subset_size=60, seed=3)  # 4 x 14 x 60^2 > 400^2
    draws = list(kernel._draw(200, 200, 14, 60, seed=3))
    expected = [brute(generated[rows], real[columns]) for rows, columns in draws]
    assert more.value == pytest.approx(np.mean(expected), rel=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(("shift", "most"), [(0.3, 1.25), (0.0, 1.7)])
def test_in_expectation_it_is_the_distance_and_knows_its_error(shift: float, most: float) -> None:
    real = cloud(300, 0)
    found = [mmd(cloud(100, seed, shift=shift), real) for seed in range(1, 151)]
    values = np.array([each.value for each in found])
    expected = mmd(cloud(8000, 1000, shift=shift), real).value
    assert values.mean() == pytest.approx(expected, abs=3.5 * values.std() / 150**0.5)
    # On the safe side where the distributions are alike.
    assert 0.8 < np.mean([each.error for each in found]) / values.std() < most


@pytest.mark.parametrize("size", [30, 90])
def test_the_error_of_the_mean_over_subsets(size: int) -> None:
    real = cloud(500, 0)
    found = [
        kid(cloud(100, seed, shift=0.3), real, subsets=10, subset_size=size, seed=seed)
        for seed in range(1, 151)
    ]
    deviation = np.std([each.value for each in found])
    assert deviation == pytest.approx(np.mean([each.error for each in found]), rel=0.35)


def test_the_seed_decides_and_nothing_else() -> None:
    x, y = cloud(50, 0), cloud(60, 1)
    first = kid(x, y, subsets=5, subset_size=20, seed=1)
    np.random.seed(0)
    assert kid(x, y, subsets=5, subset_size=20, seed=1) == first
    assert kid(x, y, subsets=5, subset_size=20, seed=2) != first


def test_mistakes() -> None:
    x, y = cloud(50, 0), cloud(60, 1)
    with pytest.raises(UserError, match="subsets have 1000 images, but there are only 50 gen"):
        kid(x, y)
    with pytest.raises(UserError, match="subsets have 55 images, but there are only 50 real"):
        kid(y, x, subset_size=55)
    with pytest.raises(UserError, match="0 subsets of 20"):
        kid(x, y, subsets=0, subset_size=20)
    with pytest.raises(UserError, match=r"shape \[1, 6\], but must be \[N >= 2, d\]"):
        mmd(x[:1], y)
    with pytest.raises(UserError, match="6 and 5 dimensions"):
        mmd(x, y[:, :5])
    with pytest.raises(UserError, match="finite"):
        mmd(x, torch.full((3, 6), math.nan))
