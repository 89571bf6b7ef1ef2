from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from study.data import load_images
from study.scoring.neighbours import nearest
from study.scoring.novelty import authenticity, memorisation_ratio, memorised
from study.spec.errors import UserError


def cloud(count: int, seed: int, dim: int = 16) -> torch.Tensor:
    return torch.randn(count, dim, generator=torch.Generator().manual_seed(seed))


def test_copies_are_memorised_and_new_images_are_not() -> None:
    train = cloud(100, 0)
    assert memorisation_ratio(train[:20] + 1e-3, train) == 1
    assert memorisation_ratio(cloud(50, 1), train) == 0
    assert memorisation_ratio(torch.cat([train[:25], cloud(75, 1)]), train) == 0.25


def test_a_third_is_the_threshold() -> None:
    train = torch.tensor([[0.0], [4.0], [50.0]])
    samples = torch.tensor([[0.9], [1.1]])  # 0.9 / 3.1 < 1 / 3 < 1.1 / 2.9
    assert memorised(nearest(samples, train, 2)).tolist() == [True, False]


def test_a_copy_of_an_image_that_the_set_holds_twice() -> None:
    train = torch.tensor([[0.0], [0.0], [9.0]])
    assert memorisation_ratio(torch.tensor([[0.0]]), train) == 1


def test_one_neighbour_is_not_enough() -> None:
    with pytest.raises(UserError, match="takes 2"):
        memorised(nearest(cloud(3, 0), cloud(3, 1)))


def test_authenticity_point_by_point() -> None:
    samples, train = cloud(30, 0, dim=3), cloud(40, 1, dim=3)
    between = cdist(samples.double(), train.double())
    among = cdist(train.double(), train.double()) + np.diag([np.inf] * len(train))
    expected = np.mean([among[row.argmin()].min() <= row.min() for row in between])
    assert authenticity(samples, train) == pytest.approx(float(expected))
    assert 0 < expected < 1


def test_a_copy_is_not_authentic_even_of_an_image_that_the_set_holds_twice() -> None:
    train = torch.tensor([[0.0], [0.0], [9.0]])
    assert authenticity(torch.tensor([[0.0], [9.0]]), train) == 0
    assert authenticity(torch.tensor([[0.5]]), train) == 1


def test_real_digits_are_as_new_as_each_other() -> None:
    images = load_images("digits").tensor().flatten(1).float()
    assert memorisation_ratio(images[:300], images[300:]) < 0.02
    noisy = images[300:400] + torch.rand(100, 64, generator=torch.Generator().manual_seed(0))
    assert memorisation_ratio(noisy, images[300:]) > 0.9
    assert authenticity(noisy, images[300:]) < authenticity(images[:300], images[300:]) - 0.2
