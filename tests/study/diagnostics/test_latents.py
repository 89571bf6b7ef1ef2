from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from study.diagnostics.latents import interpolate, largest_step, lerp, slerp


def normal(*size: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 999), st.floats(0, 1), st.integers(2, 50))
def test_a_great_circle_keeps_its_length_and_its_pace(seed: int, share: float, dim: int) -> None:
    a, b = normal(3, dim, seed=seed), normal(3, dim, seed=seed + 1000)
    a, b = a / a.norm(dim=1, keepdim=True) * 2, b / b.norm(dim=1, keepdim=True) * 2
    between = slerp(a, b, share)
    assert torch.allclose(between.norm(dim=1), torch.full((3,), 2.0, dtype=torch.float64))
    whole = torch.acos(((a * b).sum(1) / 4).clamp(-1, 1))
    part = torch.acos(((a * between).sum(1) / 4).clamp(-1, 1))
    assert torch.allclose(part, share * whole, atol=1e-6)


def test_lengths_that_differ_change_evenly() -> None:
    a, b = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 3.0]])
    assert slerp(a, b, 0.5).tolist() == [pytest.approx([math.sqrt(2), math.sqrt(2)])]


@pytest.mark.parametrize("way", [lerp, slerp])
def test_ways_start_and_end_where_they_should(way: object) -> None:
    a, b = normal(4, 1, 8, 8, seed=1), normal(4, 1, 8, 8, seed=2)
    assert callable(way)
    assert torch.allclose(way(a, b, 0.0), a)
    assert torch.allclose(way(a, b, 1.0), b)


def test_vectors_of_one_direction_do_not_divide_by_nought() -> None:
    a = normal(1, 10)
    assert torch.allclose(slerp(a, a, 0.3), a)
    assert torch.allclose(slerp(a, 3 * a, 0.5), 2 * a)
    assert slerp(a, -a, 0.5).isfinite().all()  # no way is the way, but some number is due
    near = a + 1e-9 * normal(1, 10, seed=2)
    assert torch.allclose(slerp(a, near, 0.5), a)


def test_halfway_between_normal_vectors_a_line_cuts_the_corner() -> None:
    a, b = normal(200, 100, seed=1), normal(200, 100, seed=2)
    ratio = lerp(a, b, 0.5).norm(dim=1) / slerp(a, b, 0.5).norm(dim=1)
    assert float(ratio.mean()) == pytest.approx(1 / math.sqrt(2), abs=0.02)


def test_images_on_the_way() -> None:
    def decode(z: torch.Tensor) -> torch.Tensor:
        return z.view(-1, 1, 2, 2)

    a, b = normal(3, 4, seed=1), normal(3, 4, seed=2)
    images = interpolate(decode, a, b, "linear", points=5)
    assert images.shape == (3, 5, 1, 2, 2)
    assert torch.allclose(images[:, 2], decode((a + b) / 2))
    assert largest_step(images) == pytest.approx(1 / 4)
    jump = torch.cat([images[:, :1].expand(-1, 4, -1, -1, -1), images[:, -1:]], dim=1)
    assert largest_step(jump) == pytest.approx(1)
