from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch

from study.data import ImageSet
from study.spec.errors import UserError
from study.spec.left_out import LeftOut, Reason


def images(seed: int = 0, shape: tuple[int, ...] = (6, 1, 4, 4)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


LABELS = np.arange(6, dtype=np.int64)


def test_the_digest_depends_on_contents_alone() -> None:
    digest = ImageSet("a", images(), LABELS).digest
    assert digest == ImageSet("b", images().copy(), LABELS.copy(), part="other").digest
    # A view with other strides holds the same pixels.
    assert digest == ImageSet("a", images().repeat(2, axis=0)[::2], LABELS).digest


def test_the_digest_tells_shape_pixels_and_labels_apart() -> None:
    variants = [
        ImageSet("a", images(), LABELS),
        ImageSet("a", images()),
        ImageSet("a", images(), LABELS[::-1]),
        ImageSet("a", images(seed=1), LABELS),
        ImageSet("a", images()[::-1], LABELS),
        ImageSet("a", images().reshape(6, 1, 2, 8), LABELS),
    ]
    assert len({variant.digest for variant in variants}) == len(variants)


def test_the_arrays_can_not_be_written_but_the_callers_own_can() -> None:
    own = images()
    image_set = ImageSet("a", own, LABELS)
    with pytest.raises(ValueError, match="read-only"):
        image_set.images[0] = 0
    own[0] = 0


def test_the_tensor_is_a_copy_and_comes_without_warning() -> None:
    image_set = ImageSet("a", images())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tensor = image_set.tensor()
    assert tensor.dtype == torch.uint8
    tensor.zero_()
    assert np.array_equal(image_set.images, images())


def test_take_keeps_order_labels_and_origin() -> None:
    left_out = (LeftOut("b.png", Reason.UNREADABLE), LeftOut("c.txt", Reason.NO_PICTURE))
    whole = ImageSet("a", images(), LABELS, preprocessing="cropped", left_out=left_out)
    assert whole.take([0], part="one").skipped == ("b.png",)
    taken = whole.take([4, 1], part="two")
    assert (taken.name, taken.preprocessing, taken.part) == ("a", "cropped", "two")
    assert taken.labels is not None
    assert taken.labels.tolist() == [4, 1]
    assert np.array_equal(taken.images, images()[[4, 1]])
    assert taken.take([0], part="first").part == "first, of two"


@pytest.mark.parametrize(
    "wrong",
    [images().astype(np.float32), images()[0], images()[:0], images(shape=(3, 0, 4, 4))],
)
def test_images_of_another_kind_are_refused(wrong: np.ndarray) -> None:
    with pytest.raises(UserError, match=r"must be uint8 \[N, C, H, W\]"):
        ImageSet("a", wrong)


@pytest.mark.parametrize("wrong", [LABELS[:5], LABELS.astype(np.int32), LABELS[:, None]])
def test_labels_of_another_kind_are_refused(wrong: np.ndarray) -> None:
    with pytest.raises(UserError, match=r"must be int64 \[6\]"):
        ImageSet("a", images(), wrong)
