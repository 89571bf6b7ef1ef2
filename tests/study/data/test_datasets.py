from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from study.data import Preparation, datasets, load_images


def test_digits_are_spread_over_all_levels() -> None:
    digits = load_images("digits")
    assert digits.images.shape == (1797, 1, 8, 8)
    assert digits.preprocessing == "none"
    assert digits.labels is not None
    assert set(digits.labels) == set(range(10))
    levels = np.unique(digits.images)
    assert len(levels) == 17
    assert (levels[0], levels[-1]) == (0, 255)


def test_mnist5k_is_parsed_once_and_the_same_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = load_images("mnist5k")
    assert first.images.shape == (5000, 1, 28, 28)
    assert first.labels is not None
    assert np.bincount(first.labels).tolist() == [500] * 10

    monkeypatch.setattr(datasets, "_parse_mnist5k", None)  # not to be called again
    assert load_images("mnist5k", Preparation(size=28)).digest == first.digest
    # Scores name these digests: they must not differ between machines or releases.
    assert first.digest.startswith("5d07151b1d2ffe54")
    assert load_images("mnist5k", Preparation(size=16)).digest.startswith("018d74f54d15d028")


def test_photo_patches_are_the_photographs_cut_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sklearn.datasets import load_sample_image

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    patches = load_images("photo_patches")
    assert patches.images.shape == (520, 3, 32, 32)
    assert patches.labels is not None
    for label, name in enumerate(("china.jpg", "flower.jpg")):
        photo = load_sample_image(name)  # [427, 640, 3]
        of_it = patches.images[patches.labels == label]
        for index in (0, 19, 20, 259):
            row, column = divmod(index, 20)
            expected = photo[row * 32 : row * 32 + 32, column * 32 : column * 32 + 32]
            assert np.array_equal(of_it[index].transpose(1, 2, 0), expected)
    monkeypatch.setattr(datasets, "_cut_photo_patches", None)  # not to be called again
    assert load_images("photo_patches").digest == patches.digest
