from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.neighbors import KNeighborsClassifier

from study.data import load_images
from study.scoring.modes import (
    Clusters,
    classify,
    count_modes,
    different_shares,
    divergence,
    modes_found,
)


def blobs(per_blob: list[int], seed: int) -> torch.Tensor:
    """Tight clouds about far corners, so many points each."""
    random = torch.Generator().manual_seed(seed)
    corners = torch.eye(len(per_blob)) * 100
    return torch.cat(
        [
            torch.randn(n, len(per_blob), generator=random) + c
            for n, c in zip(per_blob, corners, strict=True)
        ]
    )


def test_labels_of_real_digits() -> None:
    digits = load_images("digits")
    assert digits.labels is not None
    features, labels = digits.tensor().flatten(1).float(), torch.from_numpy(digits.labels.copy())
    found = classify(features[:500], features[500:], labels[500:])
    assert float((found == labels[:500]).double().mean()) > 0.95
    judge = KNeighborsClassifier(5).fit(features[500:].numpy(), labels[500:].numpy())
    agree = float((found.numpy() == judge.predict(features[:500].numpy())).mean())
    assert agree > 0.99  # of a tie, scikit-learn takes the smallest label


def test_of_a_tie_the_nearest_decides() -> None:
    references = torch.tensor([[1.0], [2.0], [-3.0], [-4.0]])
    labels = torch.tensor([3, 3, 1, 1])
    assert classify(torch.tensor([[0.0]]), references, labels, k=4).tolist() == [3]
    assert classify(torch.tensor([[-1.5]]), references, labels, k=4).tolist() == [1]


def test_collapse_in_closed_form() -> None:
    real = torch.tensor([50, 50, 50, 50])
    assert divergence(real * 3, real) == 0
    alone = torch.tensor([70, 0, 0, 0])
    assert modes_found(alone) == 1
    assert divergence(alone, real) == pytest.approx(math.log(4))
    half = torch.tensor([10, 10, 0, 0])
    assert modes_found(half) == 2
    assert divergence(half, real) == pytest.approx(math.log(2))
    assert divergence(real, alone) == math.inf


def test_divergence_is_scipys() -> None:
    p, q = torch.tensor([3, 9, 0, 5]), torch.tensor([7, 2, 4, 4])
    expected = stats.entropy(p.numpy() / p.sum().item(), q.numpy() / q.sum().item())
    assert divergence(p, q) == pytest.approx(float(expected))


def test_shares_differ_as_in_a_chi_square_test() -> None:
    # For two proportions, the chi-square statistic without correction is z squared.
    random = np.random.default_rng(0)
    generated, real = (
        random.multinomial(300, [0.25] * 4),
        random.multinomial(500, [0.1, 0.3, 0.3, 0.3]),
    )
    found = different_shares(torch.from_numpy(generated), torch.from_numpy(real))
    for mode in range(4):
        table = [[generated[mode], 300 - generated[mode]], [real[mode], 500 - real[mode]]]
        p = stats.chi2_contingency(table, correction=False).pvalue
        assert bool(found[mode]) == (p < 0.05)
    assert bool(found[0])


def test_a_mode_that_neither_has_does_not_differ() -> None:
    nobody = different_shares(torch.tensor([0, 5]), torch.tensor([0, 9]))
    assert nobody.tolist() == [False, False]


def test_clusters_stand_in_for_labels() -> None:
    real = blobs([40, 40, 40, 40], seed=0)
    clusters = Clusters.of(real, seed=0, modes=4)
    counts = count_modes(clusters.members(real), 4)
    assert counts.tolist() == [40] * 4
    collapsed = count_modes(clusters.members(blobs([30, 30, 0, 0], seed=1)), 4)
    assert sorted(collapsed.tolist()) == [0, 0, 30, 30]
    assert different_shares(collapsed, counts).all()
    same = count_modes(clusters.members(blobs([25, 25, 25, 25], seed=2)), 4)
    assert not different_shares(same, counts).any()


def test_clusters_depend_on_the_seed_alone() -> None:
    real = torch.randn(300, 3, generator=torch.Generator().manual_seed(0))
    first, again = Clusters.of(real, seed=3), Clusters.of(real, seed=3)
    assert torch.equal(first.centres, again.centres)
    assert len(first.centres) == 15  # one for every 20 images
