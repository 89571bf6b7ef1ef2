from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from study.scoring import neighbours
from study.scoring.neighbours import nearest, squared_distances
from study.spec.errors import UserError


def features(count: int, dim: int = 5, seed: int = 0, shift: float = 0.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, dim, generator=generator) + shift


@pytest.mark.parametrize("block", [1, 7 * 80, 2**23])
@pytest.mark.parametrize("shift", [0.0, 1000.0])
def test_the_same_neighbours_as_scikit_learn(
    monkeypatch: pytest.MonkeyPatch, block: int, shift: float
) -> None:
    monkeypatch.setattr(neighbours, "_BLOCK", block)
    a, b = features(30, seed=1, shift=shift), features(80, seed=2, shift=shift)
    found = nearest(a, b, 4)
    judge = NearestNeighbors(n_neighbors=4, algorithm="brute").fit(b.double().numpy())
    distances, indices = judge.kneighbors(a.double().numpy())
    assert np.array_equal(found.indices.numpy(), indices)
    assert np.allclose(found.distances.numpy(), distances, rtol=1e-9, atol=0)


def test_apart_from_self_is_what_scikit_learn_does_for_its_own_points() -> None:
    a = features(50)
    judge = NearestNeighbors(n_neighbors=3, algorithm="brute").fit(a.double().numpy())
    distances, indices = judge.kneighbors()
    found = nearest(a, a, 3, apart_from_self=True)
    assert np.array_equal(found.indices.numpy(), indices)
    assert np.allclose(found.distances.numpy(), distances, rtol=1e-9)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 3))
def test_a_copy_is_at_distance_nought(count: int, dim: int, seed: int) -> None:
    a = features(count, dim, seed) * 255 + 1e4
    (block,) = [block for _, block in squared_distances(a, a.clone())]
    assert (block.diagonal() == 0).all()
    brute = (a.double()[:, None] - a.double()[None]).square().sum(2)
    # About the mean of features that are far from zero, six digits are left of the smallest.
    assert torch.allclose(block, brute, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("a", "b", "count", "match"),
    [
        (features(3), features(4), 5, "must be 1 to 4"),
        (features(3), features(4), 0, "must be 1 to 4"),
        (features(3), features(4, dim=6), 1, "5 and 6 dimensions"),
        (features(3).fill_(torch.nan), features(4), 1, "must be finite"),
        (features(3), features(4)[:, 0], 1, r"must be \[N >= 1, d\]"),
    ],
)
def test_mistakes(a: torch.Tensor, b: torch.Tensor, count: int, match: str) -> None:
    with pytest.raises(UserError, match=match):
        nearest(a, b, count)


def test_a_point_is_not_its_own_rival() -> None:
    with pytest.raises(UserError, match="must be 1 to 2"):
        nearest(features(3), features(3), 3, apart_from_self=True)
