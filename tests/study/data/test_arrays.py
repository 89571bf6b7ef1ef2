from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from study.data import Preparation, load_images
from study.data.arrays import read_arrays
from study.data.npy_reader import stored_images
from study.spec.errors import UserError

GREY = np.random.default_rng(0).integers(0, 256, (5, 1, 10, 10), dtype=np.uint8)
RGB = np.random.default_rng(1).integers(0, 256, (5, 3, 10, 12), dtype=np.uint8)


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (GREY, GREY),
        (GREY[:, 0], GREY),
        (GREY.transpose(0, 2, 3, 1), GREY),
        (GREY.reshape(5, 1, 100), GREY),
        (GREY.reshape(5, 100), GREY),
        (RGB, RGB),
        (RGB.transpose(0, 2, 3, 1), RGB),
        (RGB[..., :10].reshape(5, 3, 100), RGB[..., :10]),
        (RGB[:, 0], RGB[:, :1]),
    ],
)
def test_images_of_every_shape_are_put_upright(
    tmp_path: Path, array: np.ndarray, expected: np.ndarray
) -> None:
    np.save(tmp_path / "some.npy", array)
    image_set = read_arrays(tmp_path / "some.npy")
    assert image_set.name == "some"
    assert np.array_equal(image_set.images, expected)
    assert image_set.labels is None
    np.savez(tmp_path / "alone.npz", whatever=array)
    assert read_arrays(tmp_path / "alone.npz").digest == image_set.digest


def test_labels_come_with_images_and_choose_by_label(tmp_path: Path) -> None:
    labels = np.array([0, 0, 0, 0, 1], dtype=np.int16)
    np.savez_compressed(
        tmp_path / "a.npz", images=np.tile(GREY, (2, 1, 1, 1)), labels=[*labels] * 2
    )
    chosen = load_images(str(tmp_path / "a.npz"), Preparation(size=8, channels=1, count=5))
    assert chosen.labels is not None
    assert np.bincount(chosen.labels).tolist() == [4, 1]
    assert chosen.part == "count=5, seed=0"
    assert chosen.preprocessing == "resize 8x8, bilinear, antialias, rounded"


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (GREY.astype(np.float32), r"float32 \[5, 1, 10, 10\] from 0 to 255, but must be uint8"),
        (GREY / 255, r"float64 .* from 0 to 1, .*: save them as \(255 \* images\)"),
        (np.where(GREY == 7, np.nan, GREY), r"float64 .* with NaN or infinity among them"),
        (np.zeros((0, 10, 10)), r"float64 \[0, 10, 10\]"),
        (GREY.astype(bool), "bool"),
        (np.zeros((5, 4, 10, 10), np.uint8), r"uint8 \[5, 4, 10, 10\]"),
        (np.zeros((5, 99), np.uint8), r"uint8 \[5, 99\]"),
        (np.zeros((0, 10, 10), np.uint8), r"uint8 \[0, 10, 10\]"),
        (np.zeros((10,), np.uint8), r"uint8 \[10\]"),
    ],
)
def test_arrays_of_another_kind_are_reported(
    tmp_path: Path, array: np.ndarray, message: str
) -> None:
    np.save(tmp_path / "wrong.npy", array)
    with pytest.raises(UserError, match=rf"The images in .*wrong.npy are {message}"):
        read_arrays(tmp_path / "wrong.npy")


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> Any:
            return pytest.fail, ("unpickled",)

    np.save(tmp_path / "bomb.npy", np.array([Bomb()], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "bomb.npz", images=np.array([Bomb()], dtype=object))
    for name in ("bomb.npy", "bomb.npz"):
        with pytest.raises(UserError, match=rf"{name} can not be read \(Object arrays"):
            read_arrays(tmp_path / name)


@pytest.mark.parametrize("name", ["broken.npy", "broken.npz"])
@pytest.mark.parametrize("kept", [0, 4, 60, -20])
def test_broken_files_are_reported(tmp_path: Path, name: str, kept: int) -> None:
    path = tmp_path / name
    if name.endswith("npy"):
        np.save(path, GREY)
    else:
        np.savez_compressed(path, images=GREY)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(UserError, match=rf"The file .*{name} can not be read") as caught:
        read_arrays(path)
    assert "\n" not in str(caught.value)


def test_missing_files_and_arrays_are_reported(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"The file .*none.npy does not exist"):
        read_arrays(tmp_path / "none.npy")
    np.savez(tmp_path / "two.npz", a=GREY, b=GREY)
    with pytest.raises(UserError, match=r"two.npz holds a, b, but must hold `images`"):
        read_arrays(tmp_path / "two.npz")
    np.savez(tmp_path / "labels.npz", images=GREY, labels=np.zeros(5))
    with pytest.raises(
        UserError, match=r"labels in .*labels.npz are float64, but must be integers"
    ):
        read_arrays(tmp_path / "labels.npz")
    np.savez(tmp_path / "short.npz", images=GREY, labels=np.zeros(4, int))
    with pytest.raises(UserError, match=r"`short` are int64 \[4\], but must be int64 \[5\]"):
        read_arrays(tmp_path / "short.npz")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.array([0, 1, -1, 2, 3]), "from -1 to 3"),
        (np.array([0, 1, 2, 3, 2**63 + 5], np.uint64), "from 0 to 9223372036854775813"),
    ],
)
def test_labels_that_count_nothing_are_reported(
    tmp_path: Path, labels: np.ndarray, message: str
) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, images=GREY, labels=labels)
    for read in (read_arrays, stored_images):
        with pytest.raises(UserError, match=rf"labels in .*a.npz are {message}, but must be in 0"):
            read(path)


def test_a_member_that_is_no_array_is_not_taken_for_one(tmp_path: Path) -> None:
    for member in ("readme.txt", "images"):
        path = tmp_path / "a.npz"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(member, "hello")
        for read in (read_arrays, stored_images):
            with pytest.raises(UserError, match=r"a.npz holds no array, but must hold `images`"):
                read(path)
