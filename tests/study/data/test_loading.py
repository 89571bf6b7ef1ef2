from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from study.data import DATASETS, Fraction, KFold, Preparation, datasets, load_images, split
from study.spec.errors import UserError


def test_a_part_of_a_named_set_is_prepared() -> None:
    chosen = load_images("digits", Preparation(size=16, channels=3, count=100, seed=2))
    assert chosen.images.shape == (100, 3, 16, 16)
    assert chosen.labels is not None
    assert set(np.bincount(chosen.labels)) <= {9, 10, 11}
    assert chosen.preprocessing == "RGB; resize 16x16, bilinear, antialias, rounded"
    assert chosen.part == "count=100, seed=2"
    whole = load_images("digits", Preparation(size=16, channels=3)).images
    assert all((image == whole).all(axis=(1, 2, 3)).any() for image in chosen.images[::20])


def test_an_unknown_data_set_is_reported_with_the_nearest() -> None:
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
    assert load_images("a.npy", small).images.shape == (2, 1, 8, 8)
    assert load_images("a.npy", Preparation(size=8, channels=3)).images.shape == (2, 3, 8, 8)


def test_a_path_needs_a_size(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=f"`size` is none, but must be given for the path {tmp_path}"
    ):
        load_images(str(tmp_path))


def test_a_single_picture_and_a_missing_folder_are_reported(tmp_path: Path) -> None:
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


def test_bulbasaurs_of_many_sizes_and_modes(real_data: Path) -> None:
    folder = str(real_data / "bulbasaur")
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


def test_a_part_of_the_bedrooms(real_data: Path) -> None:
    image_set = load_images(str(real_data / "bedrooms"), Preparation(size=32, fraction=0.05))
    assert image_set.images.shape == (27, 3, 32, 32)
    assert 60 < image_set.images.mean() < 200
    assert len(split(image_set, Fraction(0.1)).held_out) == 3


def test_cats_plain_and_by_their_edges(real_data: Path) -> None:
    path = str(real_data / "quickdraw_cats" / "cats.npy")
    plain = load_images(path, Preparation(size=28, channels=1))
    assert plain.images.shape == (3000, 1, 28, 28)
    assert plain.preprocessing == "none"
    edges = load_images(path, Preparation(size=28, channels=1, edges="sobel"))
    assert edges.digest != plain.digest
    assert edges.images.mean() > 10
