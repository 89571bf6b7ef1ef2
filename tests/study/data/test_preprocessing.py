from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

from study.data import ImageSet, Preparation
from study.data.preprocessing import (
    edge_magnitude,
    prepare,
    resize,
    squared,
    with_channels,
)
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


@given(seed=st.integers(0, 999))
def test_grey_is_pillows_luma_and_rgb_repeats_grey(seed: int) -> None:
    rgb = random_set(seed, (3, 3, 7, 5)).images
    grey = with_channels(rgb, 1)
    for picture, expected in zip(rgb, grey, strict=True):
        pillow = Image.fromarray(picture.transpose(1, 2, 0)).convert("L")
        assert np.array_equal(np.asarray(pillow), expected[0])
    # 299/1000 R + 587/1000 G + 114/1000 B, to the nearest level.
    luma = np.tensordot([0.299, 0.587, 0.114], rgb.astype(float), axes=([0], [1]))
    assert np.abs(luma - grey[:, 0]).max() <= 0.51
    repeated = with_channels(grey, 3)
    assert repeated.shape == rgb.shape
    assert np.array_equal(with_channels(repeated, 1), grey)
    assert with_channels(rgb, 3) is rgb


@given(
    height=st.integers(1, 30), width=st.integers(1, 30), background=st.sampled_from([0, 77, 255])
)
def test_squares_are_cut_from_the_middle_or_padded_evenly(
    height: int, width: int, background: int
) -> None:
    images = random_set(height, (2, 3, height, width)).images
    cut, padded = squared(images, "crop", background), squared(images, "pad", background)
    small, large = min(height, width), max(height, width)
    assert cut.shape == (2, 3, small, small)
    assert padded.shape == (2, 3, large, large)
    # Cutting the padding away again gives the images.
    top, left = (large - height) // 2, (large - width) // 2
    assert np.array_equal(padded[:, :, top : top + height, left : left + width], images)
    outside = np.ones((large, large), bool)
    outside[top : top + height, left : left + width] = False
    assert (padded[:, :, outside] == background).all()
    # What is cut off differs by one row or column at most on the two sides.
    top, left = (height - small) // 2, (width - small) // 2
    assert np.array_equal(cut, images[:, :, top : top + small, left : left + small])


@given(seed=st.integers(0, 99), channels=st.sampled_from([1, 3]))
def test_edges_are_scipys(seed: int, channels: int) -> None:
    images = random_set(seed, (2, channels, 9, 12)).images
    wide = images.astype(float)
    # One plane at a time: SciPy's would smooth across images and channels too.
    across, down = np.empty_like(wide), np.empty_like(wide)
    laplacian = np.empty_like(wide)
    for index in np.ndindex(wide.shape[:2]):
        across[index] = ndimage.sobel(wide[index], axis=1, mode="nearest")
        down[index] = ndimage.sobel(wide[index], axis=0, mode="nearest")
        laplacian[index] = ndimage.laplace(wide[index], mode="nearest")
    sobel = np.rint(np.minimum(np.hypot(across, down) / 4, 255))
    assert np.abs(edge_magnitude(images, "sobel") - sobel).max() <= 1
    assert (edge_magnitude(images, "sobel") == sobel).mean() > 0.99
    expected = np.minimum(np.abs(laplacian), 255)
    assert np.array_equal(edge_magnitude(images, "laplacian"), expected)
    assert edge_magnitude(images, "none") is images


@pytest.mark.parametrize("contrast", [255, 100])
def test_a_straight_border_has_its_contrast_as_its_level(contrast: int) -> None:
    border = np.zeros((1, 1, 8, 8), np.uint8)
    border[..., 4:] = contrast
    for edges in ("sobel", "laplacian"):
        magnitude = edge_magnitude(border, edges)  # type: ignore[arg-type]
        assert (magnitude[..., 3:5] == contrast).all()
        assert not magnitude[..., :3].any()
        assert not magnitude[..., 5:].any()
        turned = edge_magnitude(border.swapaxes(2, 3), edges)  # type: ignore[arg-type]
        assert np.array_equal(turned, magnitude.swapaxes(2, 3))


def test_a_preparation_does_its_steps_in_order_and_tells_them() -> None:
    image_set = random_set(0, (300, 3, 20, 30))
    prepared = prepare(
        image_set, Preparation(size=16, channels=1, fit="pad", background=7, edges="sobel")
    )
    step_by_step = squared(with_channels(image_set.images, 1), "pad", 7)
    step_by_step = resize(ImageSet("padded", step_by_step), 16).images
    assert np.array_equal(prepared.images, edge_magnitude(step_by_step, "sobel"))
    assert prepared.labels is not None
    assert prepared.preprocessing == (
        "grey (luma of ITU-R BT.601); padding to a square (7); "
        "resize 16x16, bilinear, antialias, rounded; "
        "length of the Sobel gradient / 4, clipped, borders repeated"
    )


def test_steps_that_change_nothing_are_neither_done_nor_recorded() -> None:
    image_set = random_set(0, (3, 1, 8, 8))
    assert prepare(image_set, Preparation(size=8, channels=1)) is image_set
    assert prepare(image_set, Preparation()) is image_set
    assert prepare(image_set, Preparation(size=9)).preprocessing.startswith("resize 9x9")
