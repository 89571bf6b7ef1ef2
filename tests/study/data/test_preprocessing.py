from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.data import ImageSet
from study.data.preprocessing import resize
from study.spec.errors import UserError


def random_set(seed: int, shape: tuple[int, int, int, int]) -> ImageSet:
    pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    return ImageSet("random", pixels, np.arange(len(pixels), dtype=np.int64))


def test_the_right_size_is_left_alone() -> None:
    image_set = random_set(0, (3, 1, 8, 8))
    assert resize(image_set, 8) is image_set


@given(level=st.integers(0, 255), height=st.integers(1, 40), size=st.integers(1, 40))
def test_a_flat_image_stays_flat(level: int, height: int, size: int) -> None:
    flat = ImageSet("flat", np.full((2, 3, height, 17), level, dtype=np.uint8))
    assert np.array_equal(resize(flat, size).images, np.full((2, 3, size, size), level))


@given(seed=st.integers(0, 99), size=st.integers(1, 40))
def test_resizing_keeps_levels_in_range_and_commutes_with_flips(seed: int, size: int) -> None:
    image_set = random_set(seed, (2, 1, 12, 20))
    small = resize(image_set, size)
    assert small.images.min() >= image_set.images.min()
    assert small.images.max() <= image_set.images.max()
    flipped = resize(ImageSet("flipped", image_set.images[..., ::-1]), size).images[..., ::-1]
    # Equal but for ties between two levels.
    assert np.abs(flipped.astype(int) - small.images.astype(int)).max() <= 1


def test_shrinking_averages_all_pixels() -> None:
    checkerboard = np.indices((32, 32)).sum(axis=0) % 2 * 255
    image_set = ImageSet("checkerboard", checkerboard.astype(np.uint8)[None, None])
    inner = resize(image_set, 8).images[..., 1:-1, 1:-1].astype(int)
    assert np.abs(inner - 127).max() <= 1  # without antialiasing: all black, or all white


def test_many_images_are_resized_as_each_of_them() -> None:
    image_set = random_set(1, (600, 1, 9, 9))
    together = resize(image_set, 5)
    assert together.preprocessing == "resize 5x5, bilinear, antialias, rounded"
    assert together.labels is not None
    assert together.labels.tolist() == list(range(600))
    for index in (0, 255, 256, 599):
        alone = resize(image_set.take([index], part="one"), 5)
        assert np.array_equal(alone.images[0], together.images[index])


def test_no_size_is_refused() -> None:
    with pytest.raises(UserError, match="`size` is 0, but must be >= 1"):
        resize(random_set(0, (1, 1, 4, 4)), 0)
