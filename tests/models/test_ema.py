from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models import Family, build_family
from models.ema import WeightAverage
from tests.models.conftest import TINY


def family() -> Family:
    return build_family(TINY, (1, 8, 8), seed=0)


def fill(target: Any, value: float) -> None:
    with torch.no_grad():
        for parameter in target.parameters():
            parameter.fill_(value)


@given(st.integers(1, 200), st.floats(50, 5000))
def test_an_old_weight_counts_half_after_the_half_life_for_any_batch_size(
    batch: int, half_life: float
) -> None:
    average = WeightAverage(family(), half_life)
    kept, seen = 1.0, 1_000_000  # long after the ramp
    while seen < 1_000_000 + 4 * half_life:
        seen += batch
        kept *= average.decay(batch, seen)
    assert kept == pytest.approx(0.5 ** ((seen - 1_000_000) / half_life), rel=1e-6)


@given(st.integers(1, 200), st.integers(1, 10_000))
def test_at_the_start_the_half_life_is_a_share_of_the_images_seen(batch: int, seen: int) -> None:
    average = WeightAverage(family(), half_life=1e9, ramp=0.05)
    assert average.decay(batch, seen) == pytest.approx(0.5 ** (batch / (0.05 * seen)))
    assert average.decay(batch, batch) < 1e-5  # nothing is left of the initialisation


def test_the_average_moves_by_what_is_not_kept_and_is_a_copy() -> None:
    source = family()
    average = WeightAverage(source, half_life=10)
    fill(average.family, 0.0)
    fill(source, 1.0)
    average.update(10, images_seen=1000)
    for parameter in average.family.parameters():
        torch.testing.assert_close(parameter, torch.full_like(parameter, 0.5))
        assert not parameter.requires_grad
    assert not average.family.training
    assert all((parameter == 1).all() for parameter in source.parameters())


def test_without_a_half_life_the_average_is_the_weights() -> None:
    source = family()
    average = WeightAverage(source, half_life=0)
    fill(source, 7.0)
    average.update(8, images_seen=8)
    assert all((parameter == 7).all() for parameter in average.family.parameters())
