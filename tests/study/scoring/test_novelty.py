from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from study.data import load_images
from study.scoring.neighbours import nearest
from study.scoring.novelty import (
    COPY_RATIO,
    authenticity,
    closeness,
    distinct,
    memorisation_ratio,
    memorised,
)
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
    assert authenticity(torch.tensor([[0.0], [9.0], [0.5]]), train) == 0
    assert authenticity(torch.tensor([[4.0]]), torch.tensor([[0.0], [0.0], [3.0]])) == 0
    assert authenticity(torch.tensor([[-3.5]]), torch.tensor([[0.0], [0.0], [3.0]])) == 1


def test_real_digits_are_as_new_as_each_other() -> None:
    images = load_images("digits").tensor().flatten(1).float()
    assert memorisation_ratio(images[:300], images[300:]) < 0.02
    noisy = images[300:400] + torch.rand(100, 64, generator=torch.Generator().manual_seed(0))
    assert memorisation_ratio(noisy, images[300:]) > 0.9
    assert authenticity(noisy, images[300:]) < authenticity(images[:300], images[300:]) - 0.2


def test_near_copies_of_images_that_the_set_holds_repeatedly() -> None:
    train, samples = cloud(100, 0), cloud(60, 1)
    samples[:30] = train[:30] + 1e-3
    for times in (1, 2, 3, 20):
        repeated = train.repeat(times, 1)
        assert memorisation_ratio(samples, repeated) == 0.5
        assert authenticity(samples, repeated) == authenticity(samples, train)
    # By the two smallest distances alone, there would be none.
    assert not memorised(nearest(samples, train.repeat(2, 1), 2)).any()


def test_where_nothing_is_repeated_the_numbers_are_those_of_the_two_smallest_distances() -> None:
    images = load_images("digits").tensor().flatten(1).float()
    samples, train = images[:300], images[300:]
    near = nearest(samples, train, 2)
    assert memorisation_ratio(samples, train) == float(memorised(near).double().mean())
    ratio = near.distances[:, 0] / near.distances[:, 1]
    assert torch.equal(closeness(samples, train, 2).ratio, ratio)
    kept, which = distinct(train)
    assert torch.equal(kept, torch.arange(len(train)))
    assert torch.equal(which, kept)


def test_equal_rows_are_found_whatever_the_sign_of_zero() -> None:
    kept, which = distinct(torch.tensor([[1.0, 0.0], [2.0, 0.0], [1.0, -0.0], [2.0, 0.0]]))
    assert kept.tolist() == [0, 1]
    assert which.tolist() == [0, 1, 0, 1]


def test_closeness_to_pictures_that_are_nearly_equal() -> None:
    train = torch.tensor([[0.0], [0.1], [0.1], [10.0], [20.0]])
    close = closeness(torch.tensor([[0.5], [7.0], [0.1]]), train, 3)
    # The first three are one picture: to the next one it is 9.5.
    assert close.ratio.tolist() == pytest.approx([0.4 / 9.5, 3.0 / 6.9, 0.0], abs=1e-6)
    assert close.same.tolist() == [[True] * 3, [True, False, False], [True] * 3]
    assert (close.ratio < COPY_RATIO).tolist() == [True, False, True]


def test_one_picture_alone_has_no_other() -> None:
    with pytest.raises(UserError, match="1 training image that differs"):
        closeness(cloud(3, 0), cloud(1, 1).repeat(5, 1), 2)
    assert memorisation_ratio(cloud(3, 0), cloud(1, 1).repeat(5, 1)) == 0
