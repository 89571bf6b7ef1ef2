from __future__ import annotations

import numpy as np
import pytest

from study.data import ImageSet
from study.spec.errors import UserError
from study.trust.repeated_sets import MOST_SAMPLES, draw_sets, sample_size

IMAGES = ImageSet("numbers", np.zeros((1797, 1, 1, 1), np.uint8))


def test_by_default_sets_are_as_large_as_disjoint_ones_can_be() -> None:
    assert sample_size(IMAGES, 898, None, 5) == 179
    assert sample_size(IMAGES, 100_000, None, 5) == MOST_SAMPLES
    assert sample_size(IMAGES, 4, None, 5) == 2  # and they overlap
    assert sample_size(IMAGES, 898, 400, 5) == 400


@pytest.mark.parametrize(
    ("available", "samples", "repeats", "message"),
    [
        (898, 1, 5, r"`samples` is 1, but must be in 2\.\.449"),
        (898, 450, 5, r"`samples` is 450, but must be in 2\.\.449: of the 1797 images"),
        (898, None, 1, "`repeats` is 1, but must be >= 2"),
        (3, None, 5, "`numbers` has 1797 images, but it takes 7 or more"),
    ],
)
def test_sizes_that_cannot_be(
    available: int, samples: int | None, repeats: int, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        sample_size(IMAGES, available, samples, repeats)


def test_sets_share_no_image_if_there_are_enough() -> None:
    pool = np.arange(20, dtype=np.uint8).reshape(20, 1, 1, 1)
    sets, overlapping = draw_sets(pool, 5, 4, seed=0)
    assert not overlapping
    assert sorted(np.concatenate(sets).ravel()) == [*range(20)]
    sets, overlapping = draw_sets(pool, 8, 4, seed=0)
    assert overlapping
    assert all(len({*each.ravel()}) == 8 for each in sets)
    again, _ = draw_sets(pool, 8, 4, seed=0)
    assert all(map(np.array_equal, sets, again))
