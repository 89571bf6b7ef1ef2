from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from study.spec.array_file import ArrayRule, image_arrays, nchw_shape


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((3000, 784), (3000, 1, 28, 28)),
        ((3000, 1, 784), (3000, 1, 28, 28)),
        ((3000, 3, 784), (3000, 3, 28, 28)),
        ((3, 1, 784), (3, 1, 28, 28)),
        ((3000, 28, 30), (3000, 1, 28, 30)),
        ((2, 28, 28), (2, 1, 28, 28)),
        ((1, 28, 28), (1, 1, 28, 28)),
        ((3000, 1, 28, 30), (3000, 1, 28, 30)),
        ((3000, 3, 28, 30), (3000, 3, 28, 30)),
        ((3000, 28, 30, 1), (3000, 1, 28, 30)),
        ((3000, 28, 30, 3), (3000, 3, 28, 30)),
        ((1, 3, 28, 28), (1, 3, 28, 28)),
        ((3, 1, 28, 28), (3, 1, 28, 28)),
    ],
)
def test_images_of_every_shape(shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    assert nchw_shape(shape) == expected


@pytest.mark.parametrize(
    ("shape", "rule"),
    [
        (
            (3, 28, 28),
            r": one image of 3 channels, and no set: .* \[N, 3, H, W\], .*\[3, 1, H, W\]",
        ),
        ((28, 30, 3), r": one image of 3 channels, and no set: .* \[N, H, W, C\]"),
        ((28, 30, 1), r": one image of 1 channel, and no set: .* \[N, H, W, C\]"),
        ((28, 30, 4), r": one image of 4 channels, and no set: .* \[N, H, W, C\]"),
        ((28, 28), r": one grey image, and no set: .* \[N, H, W\]"),
        ((64, 64), r": one grey image, and no set: .* \[N, H, W\], also where each row is one"),
        ((5, 99), r", but must be uint8 \[N, H, W\]"),
        ((5, 4, 10, 10), r", but must be uint8 \[N, H, W\]"),
        ((10,), r", but must be uint8 \[N, H, W\]"),
        ((), r", but must be uint8 \[N, H, W\]"),
    ],
)
def test_one_image_is_no_set(shape: tuple[int, ...], rule: str) -> None:
    with pytest.raises(ArrayRule, match=rule):
        nchw_shape(shape)


X = np.zeros((5, 8, 8, 3), np.uint8)
Y = np.arange(5)


@pytest.mark.parametrize(
    ("arrays", "images", "labels"),
    [
        ({"images": X}, "images", None),
        ({"images": X, "labels": Y, "more": X}, "images", "labels"),
        ({"samples": X}, "samples", None),
        ({"samples": X, "labels": Y}, "samples", "labels"),
        ({"arr_0": X}, "arr_0", None),
        ({"arr_0": X, "arr_1": Y}, "arr_0", "arr_1"),
        ({"arr_0": X, "arr_1": Y, "mu": Y, "sigma": Y}, "arr_0", "arr_1"),
        ({"arr_0": X, "mu": Y, "sigma": Y}, "arr_0", None),
    ],
)
def test_the_images_and_labels_of_a_file(
    arrays: Mapping[str, np.ndarray], images: str, labels: str | None
) -> None:
    chosen = image_arrays(arrays)
    assert (chosen.images, chosen.labels) == (images, labels)


@pytest.mark.parametrize(
    ("arrays", "rule"),
    [
        ({}, "holds no array, but must hold `images`, or one array alone"),
        ({"a": X, "b": X}, "holds a, b, but must hold `images`"),
        ({"arr_0": X, "arr_1": X}, "holds arr_0, arr_1, .* integer labels"),
        ({"arr_0": X, "arr_1": Y / 2}, "holds arr_0, arr_1, .* integer labels"),
        ({"arr_0": X, "arr_1": Y[:3]}, "holds arr_0, arr_1, .* integer labels"),
        ({"mu": Y, "sigma": Y}, "holds `mu` and `sigma`, statistics for `study score --against`"),
    ],
)
def test_a_file_that_leaves_open_which_are_the_images(
    arrays: Mapping[str, np.ndarray], rule: str
) -> None:
    with pytest.raises(ArrayRule, match=rule):
        image_arrays(arrays)
