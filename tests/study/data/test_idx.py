from __future__ import annotations

import gzip
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from torchvision.datasets import utils

from study.data import load_images
from study.data.idx import _MD5, places
from study.spec.errors import UserError

IMAGES, LABELS = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"
PIXELS = np.random.default_rng(0).integers(0, 256, (6, 28, 28), dtype=np.uint8)
CLASSES = np.array([5, 0, 4, 1, 9, 2], dtype=np.uint8)


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No data but what a test writes, and no internet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("STUDY_DATA", str(tmp_path / "given"))
    monkeypatch.setattr("study.data.idx._SYSTEM", tmp_path / "system")

    def refuse(url: str, *args: object, **options: object) -> None:
        raise OSError(f"no internet for {url}")

    monkeypatch.setattr(utils, "download_url", refuse)


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Six images in MNIST's format, taken for the real ones."""
    header = b"\0\0\x08\x03" + np.array([6, 28, 28], ">i4").tobytes()
    contents = {
        IMAGES: header + PIXELS.tobytes(),
        LABELS: b"\0\0\x08\x01" + np.array([6], ">i4").tobytes() + CLASSES.tobytes(),
    }
    for name in ("mnist", "fashion_mnist"):
        for file, content in contents.items():
            monkeypatch.setitem(_MD5[name], file, hashlib.md5(content).hexdigest())
    return {file: gzip.compress(content) for file, content in contents.items()}


def put(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("mnist", "given/mnist"),
        ("mnist", "cache/fidtune/mnist"),
        ("mnist", "system/mnist"),
        ("fashion_mnist", "given/fashion_mnist"),
        ("fashion_mnist", "cache/fidtune/fashion_mnist"),
        ("fashion_mnist", "system/fashion-mnist"),
    ],
)
def test_the_files_are_found_in_each_place(
    tmp_path: Path, files: dict[str, bytes], name: str, folder: str
) -> None:
    put(tmp_path / folder, files)
    assert tmp_path / folder in places(name)
    image_set = load_images(name)
    assert (image_set.name, image_set.preprocessing) == (name, "none")
    assert np.array_equal(image_set.images, PIXELS[:, None])
    assert image_set.labels is not None
    assert image_set.labels.tolist() == CLASSES.tolist()


def test_debians_place_is_looked_into_without_any_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.delenv("STUDY_DATA", raising=False)
    assert places("fashion_mnist")[-1] == Path("/usr/share/datasets/fashion-mnist")
    assert len(places("fashion_mnist")) == 2


def test_missing_files_are_reported_with_where_they_were_looked_for(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        load_images("fashion_mnist")
    message = str(caught.value)
    for folder in ("given/fashion_mnist", "cache/fidtune/fashion_mnist", "system/fashion-mnist"):
        assert str(tmp_path / folder) in message
    assert message.startswith(f"The file {IMAGES} of `fashion_mnist` is in none of ")
    assert "can not be downloaded (no internet for http" in message
    assert "\n" not in message


def test_what_is_found_nowhere_is_downloaded_once(
    tmp_path: Path, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def fetch(url: str, root: str, filename: str, md5: str) -> None:
        asked.append(url)
        if len(asked) == 1:
            raise OSError("the first mirror is down")
        assert len(md5) == 32
        (Path(root) / filename).write_bytes(files[filename])

    monkeypatch.setattr(utils, "download_url", fetch)
    first = load_images("mnist")
    assert [url.rsplit("/", 1)[1] for url in asked] == [IMAGES, IMAGES, LABELS]
    assert load_images("mnist").digest == first.digest
    assert len(asked) == 3
    kept = sorted(path.name for path in (tmp_path / "cache/fidtune/mnist").glob("*.gz"))
    assert kept == [IMAGES, LABELS]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: b"", "unpacks to what has the MD5 d41d8cd98f00b204e9800998ecf8427e, but"),
        (lambda content: b"rubbish", r"can not be read \(Not a gzipped file"),
        (lambda content: content[:-300], r"can not be read \(Compressed file ended"),
        (lambda content: gzip.compress(b"other"), "unpacks to what has the MD5 .*, but must to"),
    ],
)
def test_damaged_files_are_reported(
    tmp_path: Path, files: dict[str, bytes], damage: Callable[[bytes], bytes], message: str
) -> None:
    put(tmp_path / "given/mnist", files | {IMAGES: damage(files[IMAGES])})
    with pytest.raises(UserError, match=rf"^The file {tmp_path}/given/mnist/{IMAGES} .*{message}"):
        load_images("mnist")


@pytest.mark.skipif(
    not Path("/usr/share/datasets/fashion-mnist", IMAGES).exists(),
    reason="extra: Debian's dataset-fashion-mnist is not installed",
)
def test_debians_fashion_mnist_is_the_original(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("STUDY_DATA", os.devnull)
    image_set = load_images("fashion_mnist")
    assert image_set.images.shape == (60000, 1, 28, 28)
    assert image_set.labels is not None
    assert np.bincount(image_set.labels).tolist() == [6000] * 10


def test_all_of_mnists_training_set(real_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("STUDY_DATA", str(real_data))
    image_set = load_images("mnist")
    assert image_set.images.shape == (60000, 1, 28, 28)
    assert image_set.labels is not None
    # Y. LeCun et al.: the numbers of each digit.
    assert np.bincount(image_set.labels).tolist() == [
        5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949,
    ]  # fmt: skip
    small = load_images("mnist5k").images
    whole = {image.tobytes() for image in image_set.images}
    assert sum(image.tobytes() in whole for image in small) > 4900
