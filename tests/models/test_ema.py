from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models import Family, build_family
from models.ema import WeightAverage, decay


@pytest.fixture
def source(model: dict[str, Any]) -> Family:
    return build_family(model, (1, 8, 8), seed=0)


def fill(target: Any, value: float) -> None:
    with torch.no_grad():
        for parameter in target.parameters():
            parameter.fill_(value)


@given(st.integers(1, 200), st.integers(1, 50))
def test_an_old_weight_counts_half_after_the_half_life_for_any_batch_size(
    batch: int, batches: int
) -> None:
    half_life = batch * batches
    kept = 1.0
    for _ in range(batches):
        kept *= decay(batch, half_life)
    assert kept == pytest.approx(0.5)


def test_at_the_start_the_half_life_is_a_share_of_the_images_seen(source: Family) -> None:
    average = WeightAverage(source, half_life=1000, ramp=0.05)
    fill(average.family, 0.0)
    fill(source, 1.0)
    value = next(average.family.parameters()).flatten()[0]
    average.update(10, images_seen=10)
    assert float(value) == pytest.approx(1, abs=1e-5)  # nothing is left of the initialisation
    fill(average.family, 0.0)
    average.update(10, images_seen=200)
    assert float(value) == pytest.approx(0.5)
    fill(average.family, 0.0)
    average.update(1000, images_seen=1_000_000)
    assert float(value) == pytest.approx(0.5)


def test_the_average_moves_by_what_is_not_kept_and_is_a_copy(source: Family) -> None:
    average = WeightAverage(source, half_life=10, ramp=0.05)
    fill(average.family, 0.0)
    fill(source, 1.0)
    average.update(10, images_seen=1000)
    for parameter in average.family.parameters():
        torch.testing.assert_close(parameter, torch.full_like(parameter, 0.5))
        assert not parameter.requires_grad
    assert not average.family.training
    assert all((parameter == 1).all() for parameter in source.parameters())


def test_without_a_half_life_the_average_is_the_weights(source: Family) -> None:
    average = WeightAverage(source, half_life=0, ramp=0.05)
    fill(source, 7.0)
    average.update(8, images_seen=8)
    assert all((parameter == 7).all() for parameter in average.family.parameters())
