from __future__ import annotations

import numpy as np
import pytest

from study.data import ImageSet, load_images
from study.spec.errors import UserError
from study.trust.foreign_images import (
    choose_foreign_images,
    default_foreign_set,
    shape_of,
)


def test_photographs_come_among_digits_and_digits_among_others() -> None:
    assert default_foreign_set("mnist5k") == "photo_patches"
    assert default_foreign_set("photo_patches") == "mnist5k"
    photographs, digits = load_images("photo_patches"), load_images("digits")
    shaped = choose_foreign_images(photographs, digits, (3, 32, 32))
    assert shaped.images.shape == (len(digits), 3, 32, 32)


def test_foreign_images_that_cannot_be() -> None:
    digits = load_images("digits")
    with pytest.raises(UserError, match="`digits` is to invade itself"):
        choose_foreign_images(digits, digits, shape_of(digits))
    oblong = ImageSet("oblong", np.zeros((40, 1, 8, 12), np.uint8))
    with pytest.raises(UserError, match="cannot be brought to the shape"):
        choose_foreign_images(oblong, digits, shape_of(oblong))
