"""Real data that may not be given away: looked at where it lies beside the repository, if it does.

Nothing else rests on these tests.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from paths import SHARED_DATA

from study.data import Fraction, KFold, Preparation, load_images, split

BESIDE = SHARED_DATA


@pytest.fixture
def beside() -> Path:
    if not BESIDE.is_dir():
        pytest.skip(f"extra: there is no {BESIDE}")
    return BESIDE


def test_bulbasaurs_of_many_sizes_and_modes(beside: Path) -> None:
    folder = str(beside / "bulbasaur")
    image_set = load_images(folder, Preparation(size=16, background=255))
    assert image_set.images.shape == (198, 3, 16, 16)
    # Most of them stand on white, whether it was painted or is what shows through.
    corners = image_set.images[:, :, [0, 0, -1, -1], [0, -1, 0, -1]].min(axis=(1, 2))
    assert np.count_nonzero(corners > 200) > 60
    black = load_images(folder, Preparation(size=16, background=0))
    changed = (black.images != image_set.images).any(axis=(1, 2, 3))
    assert 40 < np.count_nonzero(changed) <= 80  # of the 80 with an alpha channel
    folds = [split(image_set, KFold(10, fold)).held_out for fold in range(10)]
    assert sorted(map(len, folds)) == [19] * 2 + [20] * 8


def test_a_part_of_the_bedrooms(beside: Path) -> None:
    image_set = load_images(str(beside / "bedrooms"), Preparation(size=32, fraction=0.05))
    assert image_set.images.shape == (27, 3, 32, 32)
    assert 60 < image_set.images.mean() < 200
    assert len(split(image_set, Fraction(0.1)).held_out) == 3


def test_cats_plain_and_by_their_edges(beside: Path) -> None:
    path = str(beside / "quickdraw_cats" / "cats.npy")
    plain = load_images(path, Preparation(size=28, channels=1))
    assert plain.images.shape == (3000, 1, 28, 28)
    assert plain.preprocessing == "none"
    edges = load_images(path, Preparation(size=28, channels=1, edges="sobel"))
    assert edges.digest != plain.digest
    assert edges.images.mean() > 10


def test_all_of_mnists_training_set(beside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDY_DATA", str(beside))
    image_set = load_images("mnist")
    assert image_set.images.shape == (60000, 1, 28, 28)
    assert image_set.labels is not None
    # Y. LeCun et al.: the numbers of each digit.
    assert np.bincount(image_set.labels).tolist() == [
        5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949,
    ]  # fmt: skip
    small = load_images("mnist5k").images
    found = {image.tobytes() for image in image_set.images}
    assert sum(image.tobytes() in found for image in small) > 4900
