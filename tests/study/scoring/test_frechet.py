from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from study.data import load_images
from study.scoring.frechet import (
    MomentAccumulator,
    Moments,
    Reference,
    covariance_root,
    distance_and_error,
    distance_to,
    frechet_distance,
)
from study.spec.errors import UserError


def textbook_distance(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """The Fréchet distance as papers write it: |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)).

    Args:
        x: Features of one set of images, [N, d].
        y: Those of the other, [M, d].
    """
    m1, m2 = x.mean(axis=0), y.mean(axis=0)
    s1, s2 = np.atleast_2d(np.cov(x, rowvar=False)), np.atleast_2d(np.cov(y, rowvar=False))
    root = scipy.linalg.sqrtm(s1 @ s2).real
    return float(np.sum((m1 - m2) ** 2) + np.trace(s1 + s2 - 2 * root))


def random_features(seed: int, count: int, dim: int) -> Tensor:
    """Correlated features of unequal scales, off centre: float64 [count, dim]."""
    generator = torch.Generator().manual_seed(seed)
    draw = torch.randn(count, dim, generator=generator, dtype=torch.float64)
    mix = torch.randn(dim, dim, generator=generator, dtype=torch.float64)
    return draw @ mix + 3 * torch.randn(dim, generator=generator, dtype=torch.float64)


def gaussian(mean: Tensor, covariance: Tensor) -> Moments:
    return Moments(1000, mean.double(), covariance.double())


@pytest.fixture(scope="module")
def pixels() -> Tensor:
    """Real digits, shuffled: 64 pixels, several of them constant, others nearly so."""
    images = load_images("digits").tensor().flatten(1).double()
    return images[torch.randperm(len(images), generator=torch.Generator().manual_seed(0))]


# Against independent computations


@pytest.mark.parametrize("dim", [1, 2, 7, 30])
def test_it_agrees_with_the_textbook_formula(dim: int) -> None:
    x, y = random_features(0, 400, dim), random_features(1, 300, dim)
    expected = pytest.approx(textbook_distance(x.numpy(), y.numpy()), rel=1e-9)
    reference = Reference.of(Moments.of(x))
    assert frechet_distance(Moments.of(x), Moments.of(y)) == expected
    assert distance_to(reference, y) == expected
    assert distance_and_error(reference, y)[0] == expected


@given(m1=st.floats(-1e3, 1e3), m2=st.floats(-1e3, 1e3), s1=st.floats(0, 1e3), s2=st.floats(0, 1e3))
def test_in_one_dimension(m1: float, m2: float, s1: float, s2: float) -> None:
    a = gaussian(torch.tensor([m1]), torch.tensor([[s1]], dtype=torch.float64) ** 2)
    b = gaussian(torch.tensor([m2]), torch.tensor([[s2]], dtype=torch.float64) ** 2)
    mean_gap = float(a.mean - b.mean)
    expected = mean_gap**2 + (s1 - s2) ** 2
    assert frechet_distance(a, b) == pytest.approx(
        expected, rel=1e-9, abs=1e-9 * (1 + s1 + s2) ** 2
    )


@given(seed=st.integers(0, 999), dim=st.integers(1, 12))
def test_commuting_covariances(seed: int, dim: int) -> None:
    # Same eigenvectors: the distance is that between the standard deviations along them.
    generator = torch.Generator().manual_seed(seed)
    basis = torch.linalg.qr(torch.randn(dim, dim, generator=generator, dtype=torch.float64)).Q
    d1, d2 = torch.rand(2, dim, generator=generator, dtype=torch.float64)
    zero = torch.zeros(dim)
    a, b = (gaussian(zero, basis * d**2 @ basis.T) for d in (d1, d2))
    # Rounding: at most 6e-12 over all 1,000 seeds.
    assert frechet_distance(a, b) == pytest.approx(float((d1 - d2).square().sum()), abs=1e-11)


@given(seed=st.integers(0, 999), scale=st.floats(0, 10))
def test_scaling_about_the_mean(seed: int, scale: float) -> None:
    a = Moments.of(random_features(seed, 50, 6))
    b = gaussian(a.mean, a.covariance * scale**2)
    expected = (1 - scale) ** 2 * float(a.covariance.trace())
    assert frechet_distance(a, b) == pytest.approx(
        expected, rel=1e-9, abs=1e-11 * float(a.covariance.trace())
    )


# Properties

seeds = st.integers(0, 10_000)
counts = st.integers(2, 40)  # with 8 dimensions: singular covariances as often as not


@given(seed=seeds, n=counts, m=counts)
def test_symmetric_non_negative_and_zero_on_itself(seed: int, n: int, m: int) -> None:
    a, b = Moments.of(random_features(seed, n, 8)), Moments.of(random_features(seed + 1, m, 8))
    there, back = frechet_distance(a, b), frechet_distance(b, a)
    assert there > 0
    assert there == pytest.approx(back, rel=1e-9)
    assert 0 <= frechet_distance(a, a) < 1e-12 * float(a.covariance.trace())


@given(seed=seeds, n=counts, m=counts)
def test_unchanged_by_rotation_and_common_shift(seed: int, n: int, m: int) -> None:
    x, y = random_features(seed, n, 8), random_features(seed + 1, m, 8)
    rotation = torch.linalg.qr(random_features(seed + 2, 8, 8)).Q
    moved = [Moments.of(features @ rotation + 5) for features in (x, y)]
    expected = frechet_distance(Moments.of(x), Moments.of(y))
    assert frechet_distance(*moved) == pytest.approx(expected, rel=1e-8)


@given(seed=seeds, n=counts, m=counts)
def test_a_shift_adds_its_square(seed: int, n: int, m: int) -> None:
    x, y = random_features(seed, n, 8), random_features(seed + 1, m, 8)
    y = y - y.mean(0) + x.mean(0)
    shift = random_features(seed + 2, 1, 8)
    together = frechet_distance(Moments.of(x), Moments.of(y))
    apart = frechet_distance(Moments.of(x), Moments.of(y + shift))
    assert apart - together == pytest.approx(float(shift.square().sum()), rel=1e-7, abs=1e-8)


# Singular covariances


def test_constant_features() -> None:
    point, other = Moments.of(torch.ones(5, 4)), Moments.of(torch.zeros(3, 4))
    assert frechet_distance(point, other) == 4
    cloud = Moments.of(random_features(0, 50, 4))
    expected = float((cloud.mean - 1).square().sum() + cloud.covariance.trace())
    assert frechet_distance(point, cloud) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("scale", [1e-30, 1e-3, 1.0, 1e6, 1e30])
def test_fewer_images_than_dimensions_at_any_scale(pixels: Tensor, scale: float) -> None:
    reference = Moments.of(pixels[200:])
    expected = frechet_distance(reference, Moments.of(pixels[:20])) * scale**2
    scaled = Moments(reference.count, reference.mean * scale, reference.covariance * scale**2)
    few = Moments.of(pixels[:20] * scale)
    assert frechet_distance(scaled, few) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(few, few) == pytest.approx(0, abs=1e-12 * expected)


@given(seed=seeds, n=st.integers(2, 30))
def test_the_root_has_full_rank_and_gives_the_covariance_back(seed: int, n: int) -> None:
    covariance = Moments.of(random_features(seed, n, 12)).covariance
    root = covariance_root(covariance)
    assert root.shape == (12, min(n - 1, 12))
    assert torch.allclose(root @ root.T, covariance, atol=1e-12 * float(covariance.trace()))


def test_a_reference_stands_for_its_moments(pixels: Tensor) -> None:
    a, b = Moments.of(pixels[:900]), Moments.of(pixels[900:])
    assert frechet_distance(Reference.of(a), b) == frechet_distance(a, b)
    assert frechet_distance(Reference.of(a), Reference.of(b)) == frechet_distance(a, b)


# From features, and where dimensions are many


@given(seed=seeds, n=counts, m=counts)
def test_features_give_the_distance_of_their_moments(seed: int, n: int, m: int) -> None:
    real, generated = random_features(seed, n, 8), random_features(seed + 1, m, 8)
    reference = Reference.of(Moments.of(real))
    expected = frechet_distance(reference, Moments.of(generated))
    assert distance_to(reference, generated) == pytest.approx(expected, rel=1e-9)
    assert distance_and_error(reference, generated)[0] == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("count", [2, 100, 299, 301, 500, 700])
def test_many_dimensions_with_few_images_and_with_many(count: int) -> None:
    # 300 dimensions are past where singular values are taken as they are; 100 of them are constant
    # in the generated images.
    real, generated = random_features(0, 1000, 300), random_features(1, count, 300) * 0.8
    generated[:, 200:] = 1.5
    a, b = Moments.of(real), Moments.of(generated)
    common = torch.linalg.svdvals(covariance_root(a.covariance).T @ covariance_root(b.covariance))
    shift = (a.mean - b.mean).square().sum()
    expected = float(shift + a.covariance.trace() + b.covariance.trace() - 2 * common.sum())
    reference = Reference.of(a)
    assert frechet_distance(reference, b) == pytest.approx(expected, rel=1e-7)
    assert frechet_distance(b, reference) == pytest.approx(expected, rel=1e-7)
    assert frechet_distance(reference, Reference.of(b)) == pytest.approx(expected, rel=1e-7)
    assert distance_to(reference, generated) == pytest.approx(expected, rel=1e-7)
    assert distance_and_error(reference, generated)[0] == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("count", [50, 310, 1000])
def test_closed_forms_in_many_dimensions(count: int) -> None:
    features = random_features(0, count, 300)
    reference = Reference.of(Moments.of(features))
    variance = float(reference.moments.covariance.trace())
    assert distance_to(reference, features) < 1e-10 * variance
    assert frechet_distance(reference, Moments.of(features)) < 1e-10 * variance
    far = features + 1.0
    assert distance_to(reference, far) == pytest.approx(300, rel=1e-6)
    wide = (features - features.mean(0)) * 1.5 + features.mean(0)
    assert distance_to(reference, wide) == pytest.approx(0.25 * variance, rel=1e-6)


def test_a_reference_of_equal_images() -> None:
    reference = Reference.of(Moments.of(torch.ones(5, 4)))
    features = random_features(0, 50, 4)
    expected = float((features.mean(0) - 1).square().sum() + torch.cov(features.T).trace())
    assert distance_to(reference, features) == pytest.approx(expected, rel=1e-12)
    assert distance_and_error(reference, features)[0] == pytest.approx(expected, rel=1e-12)


# The standard error


def spread_and_errors(dim: int, count: int, draws: int) -> tuple[float, float]:
    """The standard deviation of the distance over draws of the images; the mean standard error."""
    generator = torch.Generator().manual_seed(dim)
    real, other = (torch.randn(dim, dim, generator=generator).double() for _ in range(2))
    other = real + 0.25 * other
    reference = Reference.of(Moments(9, torch.zeros(dim).double(), real @ real.T))
    found = [
        distance_and_error(
            reference, torch.randn(count, dim, generator=generator).double() @ other.T + 0.5
        )
        for _ in range(draws)
    ]
    distances, errors = torch.tensor(found, dtype=torch.float64).T
    return float(distances.std()), float(errors.mean())


def test_the_standard_error_is_the_standard_deviation_over_draws_of_the_images() -> None:
    deviation, error = spread_and_errors(dim=16, count=1600, draws=400)
    assert error == pytest.approx(deviation, rel=0.1)  # 400 draws know it to 3.5 %


@pytest.mark.parametrize("count", [20, 40, 240])
def test_with_few_images_the_standard_error_errs_on_the_safe_side(count: int) -> None:
    deviation, error = spread_and_errors(dim=40, count=count, draws=100)
    assert deviation < error < 1.8 * deviation


def test_the_standard_error_in_closed_form() -> None:
    # In one dimension the distance is (m - m1)^2 + (s - s1)^2, and what an image x adds to it
    # 2 (m - m1) (x - m) + (1 - s1 / s) ((x - m)^2 - s^2).
    features = random_features(3, 500, 1)
    reference = Reference.of(gaussian(torch.tensor([1.0]), torch.tensor([[4.0]])))
    mean, deviation = features.mean(), features.std()
    centred = features[:, 0] - mean
    influence = 2 * (mean - 1) * centred + (1 - 2 / deviation) * centred.square()
    assert distance_and_error(reference, features)[1] == pytest.approx(
        float(influence.std()) / 500**0.5
    )


def test_the_standard_error_agrees_with_the_jackknife() -> None:
    features = random_features(1, 120, 5)
    reference = Reference.of(Moments.of(random_features(0, 200, 5)))
    without = [
        distance_to(reference, torch.cat([features[:i], features[i + 1 :]])) for i in range(120)
    ]
    jackknife = (
        119 / 120 * 120 * torch.tensor(without, dtype=torch.float64).var(correction=0)
    ) ** 0.5
    assert distance_and_error(reference, features)[1] == pytest.approx(float(jackknife), rel=0.03)


# Accumulation


def test_moments_are_mean_and_unbiased_covariance(pixels: Tensor) -> None:
    moments = Moments.of(pixels.float())
    assert moments.count == len(pixels)
    assert torch.allclose(moments.mean, pixels.mean(0))
    assert torch.allclose(moments.covariance, torch.cov(pixels.T))


@pytest.mark.parametrize("count", [20, 256])  # fewer images than pixels, and more
@pytest.mark.parametrize("batch_size", [1, 7, 19, 20, 64, 255, 300])
def test_order_and_batch_size_make_no_difference(
    pixels: Tensor, batch_size: int, count: int
) -> None:
    reference = Reference.of(Moments.of(pixels[500:]))
    expected = frechet_distance(reference, Moments.of(pixels[:count]))
    for seed in range(3):
        order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
        accumulator = MomentAccumulator()
        for batch in pixels[order].split(batch_size):
            accumulator.add(batch)
        actual = frechet_distance(reference, accumulator.moments())
        assert actual == pytest.approx(expected, rel=1e-11)  # 1e-6 is what we promise


@given(seed=seeds, cuts=st.lists(st.integers(0, 60), max_size=4))
def test_parts_of_any_size_are_the_whole(seed: int, cuts: list[int]) -> None:
    features = random_features(seed, 60, 5)
    whole = MomentAccumulator()
    for start, end in pairwise([0, *sorted(cuts), 60]):  # some of them empty
        whole.add(features[start:end])
    expected = Moments.of(features)
    assert whole.count == 60
    assert torch.allclose(whole.moments().mean, expected.mean)
    assert torch.allclose(whole.moments().covariance, expected.covariance)


def test_moments_stay_as_they_are_when_more_images_are_added() -> None:
    accumulator = MomentAccumulator()
    accumulator.add(random_features(0, 10, 3))
    before = accumulator.moments()
    covariance = before.covariance.clone()
    accumulator.add(random_features(1, 10, 3))
    assert before.count == 10
    assert torch.equal(before.covariance, covariance)


def test_features_far_from_zero_lose_no_digits() -> None:
    features = random_features(0, 100, 4)
    accumulator = MomentAccumulator()
    for batch in (features + 1e7).split(9):
        accumulator.add(batch)
    expected = Moments.of(features).covariance
    assert torch.allclose(accumulator.moments().covariance, expected, rtol=1e-6)


# Mistakes


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_images_are_refused(count: int) -> None:
    with pytest.raises(UserError, match=f"{count} images, but it takes 2 or more"):
        Moments.of(torch.zeros(count, 3))
    with pytest.raises(UserError, match=f"{count} images, but it takes 2 or more"):
        distance_to(Reference.of(Moments.of(torch.zeros(4, 3))), torch.zeros(count, 3))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_values_that_are_not_finite_are_refused(value: float) -> None:
    features = torch.zeros(4, 3)
    features[2, 1] = value
    with pytest.raises(UserError, match="finite"):
        Moments.of(features)
    fine = Moments.of(torch.zeros(4, 3))
    with pytest.raises(UserError, match="finite"):
        frechet_distance(fine, gaussian(features[2], torch.eye(3)))
    with pytest.raises(UserError, match="finite"):
        frechet_distance(Reference.of(fine), gaussian(features[2], torch.eye(3)))
    with pytest.raises(UserError, match="finite"):
        distance_to(Reference.of(fine), features)


def test_unequal_dimensions_are_refused() -> None:
    three, four = MomentAccumulator(), MomentAccumulator()
    three.add(torch.zeros(5, 3))
    four.add(torch.zeros(5, 4))
    with pytest.raises(UserError, match="3 and 4 dimensions"):
        three.add(torch.zeros(5, 4))
    with pytest.raises(UserError, match="3 and 4 dimensions"):
        frechet_distance(three.moments(), four.moments())
    with pytest.raises(UserError, match=r"shape \[5\], but must be \[N, d\]"):
        three.add(torch.zeros(5))
