from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from study.results.image_grid import image_grid, titled


@given(
    count=st.integers(1, 9),
    channels=st.sampled_from([1, 3]),
    columns=st.none() | st.integers(1, 12),
    pad=st.integers(0, 3),
    scale=st.integers(1, 3),
)
@settings(max_examples=30)
def test_every_image_is_in_the_grid(
    count: int, channels: int, columns: int | None, pad: int, scale: int
) -> None:
    images = np.random.default_rng(0).integers(0, 256, (count, channels, 4, 5), dtype=np.uint8)
    grid = np.asarray(image_grid(images, columns, pad, scale))
    wide = min(columns or int(np.ceil(np.sqrt(count))), count)
    high = -(-count // wide)
    assert grid.shape[:2] == ((high * (4 + pad) + pad) * scale, (wide * (5 + pad) + pad) * scale)
    small = grid[::scale, ::scale].reshape(*(size // scale for size in grid.shape[:2]), channels)
    for index in range(count):
        top, left = pad + index // wide * (4 + pad), pad + index % wide * (5 + pad)
        found = small[top : top + 4, left : left + 5].transpose(2, 0, 1)
        assert np.array_equal(found, images[index])


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((1, 1, 4, 4), np.float32),
        np.zeros((1, 2, 4, 4), np.uint8),
        np.zeros((4, 4), np.uint8),
        np.zeros((0, 1, 4, 4), np.uint8),
    ],
)
def test_what_is_no_batch_of_images_is_refused(images: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match="images"):
        image_grid(images)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_title_stands_above_and_changes_no_pixel(channels: int) -> None:
    grid = image_grid(np.full((4, channels, 60, 60), 9, np.uint8))
    whole = titled(grid, "N = 4 samples\nstudy s, trial 0, epoch 1")
    above = whole.height - grid.height
    left = (whole.width - grid.width) // 2
    below = np.asarray(whole)[above:, left : left + grid.width]
    assert np.array_equal(below, np.asarray(grid))
    strip = np.asarray(whole)[:above]
    assert strip.min() == 0  # ink
    assert (strip[:, -3:] == 255).all()  # none of it cut
    longer = titled(grid, "study s, trial 0, epoch 1 " * 5)
    assert longer.width == whole.width
    assert longer.height > whole.height + 40
