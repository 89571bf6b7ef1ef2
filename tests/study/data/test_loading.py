from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from study.data import DATASETS, Preparation, datasets, load_images
from study.spec.errors import UserError


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


def test_a_part_of_a_named_set_is_prepared() -> None:
    chosen = load_images("digits", Preparation(size=16, channels=3, count=100, seed=2))
    assert chosen.images.shape == (100, 3, 16, 16)
    assert chosen.labels is not None
    assert set(np.bincount(chosen.labels)) <= {9, 10, 11}
    assert chosen.preprocessing == "RGB; resize 16x16, bilinear, antialias, rounded"
    assert chosen.part == "count=100, seed=2"
    whole = load_images("digits", Preparation(size=16, channels=3)).images
    assert all((image == whole).all(axis=(1, 2, 3)).any() for image in chosen.images[::20])


def test_an_unknown_data_set_is_told_with_the_nearest() -> None:
    known = "digits, fashion_mnist, mnist, mnist5k, photo_patches"
    with pytest.raises(UserError, match=rf"'mnist6k', .* {known}, .*; did you mean mnist5k\?$"):
        load_images("mnist6k")
    with pytest.raises(UserError, match=r"'zzz', .* \(./NAME\), a .npy or a .npz file$"):
        load_images("zzz")


def test_the_data_sets_can_not_be_changed() -> None:
    with pytest.raises(TypeError):
        DATASETS["mine"] = datasets.digits  # type: ignore[index]


def test_what_looks_like_a_path_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "digits").mkdir()
    Image.new("RGB", (9, 9), "red").save("digits/red.png")
    small = Preparation(size=8)
    for path in ("./digits", "digits/", "~/digits", str(tmp_path / "digits"), "digits/../digits"):
        folder = load_images(path, small)
        assert (folder.name, folder.images.shape) == ("digits", (1, 3, 8, 8))
    assert len(load_images("digits", small)) == 1797
    np.save("a.npy", np.zeros((2, 8, 8), np.uint8))
    assert load_images("a.npy", small).images.shape == (2, 3, 8, 8)
    assert load_images("a.npy", Preparation(size=8, channels=1)).images.shape == (2, 1, 8, 8)


def test_a_path_needs_a_size(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=f"`size` is none, but must be given for the path {tmp_path}"
    ):
        load_images(str(tmp_path))


def test_a_single_picture_and_a_missing_folder_are_told(tmp_path: Path) -> None:
    small = Preparation(size=8)
    Image.new("L", (9, 9)).save(tmp_path / "one.png")
    with pytest.raises(UserError, match=r"one.png', but a file must end in .npy or .npz"):
        load_images(str(tmp_path / "one.png"), small)
    with pytest.raises(UserError, match=r"The folder .*nowhere does not exist"):
        load_images(str(tmp_path / "nowhere"), small)
    with pytest.raises(UserError, match=r"'~nosuchuser/x' can not be read: .*home"):
        load_images("~nosuchuser/x", small)
    with pytest.raises(UserError, match=r"aaa' can not be read: File name too long"):
        load_images("./" + "a" * 300, small)
