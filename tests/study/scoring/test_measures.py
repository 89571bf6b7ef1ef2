from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from study.scoring.coverage import density_coverage, precision_recall
from study.scoring.extrapolation import extrapolate
from study.scoring.frechet import Moments, distance_and_error, frechet_distance
from study.scoring.kernel_distance import kid, mmd
from study.scoring.measures import Comparison, Value, measure, note
from study.scoring.modes import divergence, divergence_error
from study.scoring.novelty import authenticity, memorisation_ratio
from study.scoring.sliced_wasserstein import sliced_wasserstein
from study.spec.errors import UserError
from study.spec.measure_info import MEASURES


def test_each_is_what_its_function_gives(comparison: Comparison) -> None:
    found = measure(comparison, MEASURES)
    generated, reference = comparison.generated, comparison.reference
    real, train = comparison.real, comparison.train
    assert reference is not None
    assert real is not None
    assert train is not None
    line = extrapolate(reference, generated, seed=7)
    kernel = kid(generated, real, subset_size=100)
    spread, cover = precision_recall(real, generated), density_coverage(real, generated)
    sliced = sliced_wasserstein(generated, real, seed=7)
    assert found["fd"].value == pytest.approx(
        frechet_distance(reference, Moments.of(generated)), rel=1e-7
    )
    assert found["fd"].spread == distance_and_error(reference, generated)[1]
    assert found["fd_infinity"] == Value(line.distance, line.error)
    assert found["kid"] == Value(kernel.value, kernel.error)
    assert found["precision"].value == spread.precision
    assert found["recall"] == Value(spread.recall)
    assert found["density"] == Value(cover.density, cover.density_error)
    assert found["coverage"] == Value(cover.coverage)
    assert found["memorisation"].value == memorisation_ratio(generated, train)
    assert found["authenticity"].value == authenticity(generated, train)
    assert found["sliced_wasserstein"] == Value(sliced.value, sliced.error)
    assert found["modes"] == Value(10)
    assert 0 < found["mode_divergence"].value < 0.05  # a sample of the same digits
    for name, each in found.items():
        assert measure(comparison, [name])[name] == each


def test_shares_have_the_binomial_standard_error(comparison: Comparison) -> None:
    found = measure(comparison, ["precision", "memorisation", "authenticity"])
    for each in found.values():
        assert each.spread == pytest.approx((each.value * (1 - each.value) / 400) ** 0.5)


def test_kernel_distance_of_the_whole_sets(comparison: Comparison) -> None:
    assert comparison.real is not None
    whole = measure(replace(comparison, kid_subset_size=None), ["kid"])["kid"]
    expected = mmd(comparison.generated, comparison.real)
    assert whole == Value(expected.value, expected.error)


def test_mode_collapse_and_its_error(comparison: Comparison) -> None:
    assert comparison.real is not None
    assert comparison.labels is not None
    ones = replace(comparison, generated=comparison.real[comparison.labels == 1])
    share = float((comparison.labels == 1).double().mean())
    found = measure(ones, ["modes", "mode_divergence"])
    assert found["modes"] == Value(1)
    assert found["mode_divergence"].value == pytest.approx(math.log(1 / share))
    assert found["mode_divergence"].spread == pytest.approx(0)


def test_the_error_of_a_divergence_is_its_deviation_over_draws() -> None:
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    weights, real = torch.tensor([0.5, 0.3, 0.2]), torch.tensor([100, 100, 100])
    draws = [
        torch.bincount(torch.multinomial(weights, 500, True, generator=generator), minlength=3)
        for _ in range(300)
    ]
    deviation = torch.tensor([divergence(counts, real) for counts in draws]).std()
    errors = [divergence_error(counts, real) for counts in draws]
    assert sum(errors) / 300 == pytest.approx(float(deviation), rel=0.15)


def test_the_error_of_a_density_is_its_deviation_over_draws() -> None:
    generator = torch.Generator().manual_seed(0)
    real = torch.randn(200, 3, generator=generator)
    found = [density_coverage(real, torch.randn(80, 3, generator=generator)) for _ in range(200)]
    deviation = torch.tensor([each.density for each in found]).std()
    assert sum(each.density_error for each in found) / 200 == pytest.approx(
        float(deviation), rel=0.15
    )


def test_mistakes(comparison: Comparison) -> None:
    moments = replace(comparison, real=None)
    assert measure(moments, ["fd"])["fd"].value > 0
    with pytest.raises(UserError, match="`kid` needs the features of the real images"):
        measure(moments, ["fd", "kid"])
    with pytest.raises(UserError, match="`fd` needs the features of the real images"):
        measure(replace(moments, reference=None), ["fd"])
    with pytest.raises(UserError, match="`modes` needs labels, but the real images have none"):
        measure(replace(comparison, labels=None), ["modes"])
    with pytest.raises(UserError, match="3 labels of 600 real images"):
        measure(replace(comparison, labels=torch.zeros(3, dtype=torch.int64)), ["modes"])
    with pytest.raises(UserError, match="no measure 'fid', but only fd, fd_infinity, kid"):
        measure(comparison, ["fid"])
    with pytest.raises(UserError, match=r"^precision and recall take 4 or more generated images"):
        measure(replace(comparison, generated=comparison.generated[:3]), ["fd", "recall"])
    for name in ("memorisation", "authenticity"):
        with pytest.raises(UserError, match=rf"^{name} takes 2 or more training images, but"):
            measure(replace(comparison, train=torch.zeros(1, 64)), [name])
    with pytest.raises(
        UserError, match="subsets have 500 images, but there are only 400 generated"
    ):
        measure(replace(comparison, kid_subset_size=500), ["kid"])


def test_a_note_where_the_covariance_is_singular() -> None:
    assert note(2049, 2048) is None
    sentence = note(1000, 2048)
    assert sentence is not None
    assert sentence.startswith("N = 1000 images are no more than the embedder's 2048 dimensions")
    assert "\n" not in sentence
