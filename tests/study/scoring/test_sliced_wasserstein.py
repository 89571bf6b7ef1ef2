from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
import torch
from torch import Tensor

from study.scoring.sliced_wasserstein import sliced_wasserstein
from study.spec.errors import UserError


def cloud(count: int, seed: int, dim: int = 8) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, dim, generator=generator)


def test_a_shift_in_closed_form() -> None:
    # The mean over directions of (direction . shift)^2 is |shift|^2 / d.
    features = cloud(50, 0)
    shift = torch.arange(8.0)
    found = sliced_wasserstein(features, features + shift, projections=4000)
    assert abs(found.value - float(shift.square().sum()) / 8) < 3 * found.directions_error
    assert found.directions_error < 0.03 * found.value


def test_a_scaled_set_in_closed_form() -> None:
    # On every line the quantiles are scaled: 4 times the mean of (direction . x)^2, |x|^2 / d.
    features = cloud(50, 0)
    found = sliced_wasserstein(features, 3 * features, projections=4000)
    assert (
        abs(found.value - 4 * float(features.square().sum(1).mean()) / 8)
        < 3 * found.directions_error
    )


def test_gaussians_of_unequal_width_and_number() -> None:
    # W2^2 of N(0, 1) and N(0, 4) is 1; what few samples add is small at these numbers.
    found = sliced_wasserstein(cloud(20_000, 0, 3), 2 * cloud(5000, 1, 3))
    assert found.value == pytest.approx(1, abs=0.05)


def test_in_one_dimension_it_is_that_of_the_quantiles() -> None:
    a, b = cloud(40, 0, 1), cloud(40, 1, 1) * 2 + 1
    expected = float((a.sort(0).values - b.sort(0).values).double().square().mean())
    found = sliced_wasserstein(a, b)
    assert found.value == pytest.approx(expected, rel=1e-6)
    assert found.directions_error == pytest.approx(0, abs=1e-12)
    # W2 is at least W1, which SciPy has.
    w1 = scipy.stats.wasserstein_distance(a[:, 0].numpy(), b[:, 0].numpy())
    assert found.value >= w1**2


def test_unequal_numbers() -> None:
    features = cloud(30, 0)
    assert sliced_wasserstein(features, features).value == 0
    assert sliced_wasserstein(features[:1].repeat(7, 1), features[:1]).value < 1e-30
    few, many = cloud(20, 1), cloud(33, 2)
    one, other = sliced_wasserstein(few, many), sliced_wasserstein(many, few)
    assert (one.value, one.directions_error) == (other.value, other.directions_error)
    # A point against a set: the mean square about the point.
    point = torch.zeros(1, 8)
    found = sliced_wasserstein(point, features, projections=4000)
    assert (
        abs(found.value - float(features.square().sum(1).mean()) / 8) < 3 * found.directions_error
    )


def test_the_error_over_directions() -> None:
    a, b = cloud(60, 0), cloud(60, 1) + torch.arange(8.0)
    found = [sliced_wasserstein(a, b, projections=50, seed=seed) for seed in range(100)]
    deviation = np.std([each.value for each in found])
    assert np.mean([each.directions_error for each in found]) == pytest.approx(deviation, rel=0.25)
    torch.manual_seed(0)
    assert sliced_wasserstein(a, b, projections=50, seed=3) == found[3]


@pytest.mark.parametrize(("count", "real"), [(50, 100), (400, 100), (200, 200)])
def test_the_error_is_that_over_generated_images(count: int, real: int) -> None:
    """Directions and real images stay: that is the noise in which trials are told apart."""
    generator = torch.Generator().manual_seed(4)
    target = torch.randn(real, 8, generator=generator)
    found = [
        sliced_wasserstein(
            1.5 * torch.randn(count, 8, generator=generator) + 0.5, target, projections=32
        )
        for _ in range(300)
    ]
    deviation = np.std([each.value for each in found])
    assert np.mean([each.error or 0 for each in found]) == pytest.approx(deviation, rel=0.2)


def test_where_both_are_draws_of_one_distribution_the_error_is_too_large_if_anything() -> None:
    generator = torch.Generator().manual_seed(5)
    target = torch.randn(200, 8, generator=generator)
    found = [
        sliced_wasserstein(torch.randn(100, 8, generator=generator), target, projections=32)
        for _ in range(300)
    ]
    ratio = np.mean([each.error or 0 for each in found]) / np.std([each.value for each in found])
    assert 0.9 < ratio < 1.5


def test_the_error_is_the_derivative_by_an_images_weight() -> None:
    """Doubling one image of many moves the distance as its influence says."""
    features, target = cloud(400, 6, 2), 2 * cloud(400, 7, 2)
    base = sliced_wasserstein(features, target, projections=64)
    doubled = (torch.cat([features, features[i : i + 1]]) for i in range(0, 400, 8))
    moved = [
        sliced_wasserstein(more, target, projections=64).value - base.value for more in doubled
    ]
    # An image more has 1/401 of the weight; the standard error is the influence's over root N.
    assert np.std(moved) * 401 / 20 == pytest.approx(base.error, rel=0.25)


def test_a_single_image_has_no_error() -> None:
    assert sliced_wasserstein(cloud(1, 0), cloud(9, 1)).error is None


def test_mistakes() -> None:
    with pytest.raises(UserError, match=r"shape \[0, 8\], but must be \[N >= 1, d\]"):
        sliced_wasserstein(cloud(5, 0), cloud(5, 0)[:0])
    with pytest.raises(UserError, match="8 and 7 dimensions"):
        sliced_wasserstein(cloud(5, 0), cloud(5, 0)[:, :7])
    with pytest.raises(UserError, match="finite"):
        sliced_wasserstein(cloud(5, 0), torch.full((5, 8), math.inf))
    with pytest.raises(UserError, match="`projections` is 1, but must be >= 2"):
        sliced_wasserstein(cloud(5, 0), cloud(5, 0), projections=1)
