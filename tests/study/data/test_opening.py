from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from image_streams import GREY, LABELS, RGB, saved, whole
from PIL import Image

from study.data import Preparation, load_images, split
from study.data.arrays import read_arrays
from study.data.opening import open_images
from study.data.pictures import read_folder
from study.spec.errors import UserError


@pytest.mark.parametrize(
    "stored",
    [
        GREY,
        RGB,
        GREY[:, 0],
        RGB.transpose(0, 2, 3, 1),
        np.ascontiguousarray(RGB.transpose(0, 2, 3, 1)),
        np.asfortranarray(RGB),
        RGB[:, :, :10].reshape(11, 3, 100),
        GREY[:, 0, :10].reshape(11, 100),
    ],
    ids=["grey", "rgb", "no channels", "fortran-like", "channels last", "fortran", "flat", "rows"],
)
@pytest.mark.parametrize("ending", ["npy", "npz", "compressed.npz"])
def test_a_file_gives_what_reading_it_whole_gives_and_has_its_digest(
    tmp_path: Path, stored: np.ndarray, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"a.{ending}"
    if ending == "npy":
        np.save(path, stored)
    else:
        save = np.savez_compressed if "compressed" in ending else np.savez
        save(path, images=stored, labels=LABELS)
    # Three rows at a time, which do not go evenly into eleven.
    monkeypatch.setattr("study.data.npy_reader._BYTES_AT_ONCE", 3 * stored[0].nbytes + 1)
    expected = read_arrays(path)
    stream = open_images(str(path))
    np.testing.assert_array_equal(whole(stream), expected.images)
    channels_last = stored.shape[-1] == 3
    assert (stream.digest == expected.digest) != channels_last
    assert stream.digest == open_images(str(path)).digest
    assert (len(stream), stream.name) == (11, path.stem)
    assert stream.shape == expected.images.shape[1:]
    if expected.labels is not None:
        np.testing.assert_array_equal(stream.labels, expected.labels)
    memory = stream.in_memory()
    assert memory.digest == expected.digest


def test_a_folder_gives_what_reading_it_gives(tmp_path: Path) -> None:
    folder = saved(tmp_path / "f", RGB)
    (folder / "below").mkdir()
    Image.fromarray(np.dstack([RGB[0].transpose(1, 2, 0), GREY[0, 0]])).save(folder / "below/a.png")
    Image.fromarray(GREY[0, 0]).resize((30, 20)).save(folder / "grey.png")
    prepared = Preparation(size=9, channels=3)
    expected = read_folder(folder, prepared)
    stream = open_images(str(folder), size=9, channels=3)
    np.testing.assert_array_equal(whole(stream), expected.images)
    assert (stream.name, stream.preprocessing) == (expected.name, expected.preprocessing)


def test_the_digest_of_a_folder_is_of_its_pictures_whatever_they_are_called(tmp_path: Path) -> None:
    digest = open_images(str(saved(tmp_path / "a", RGB))).digest
    renamed = saved(tmp_path / "b", RGB)
    (renamed / "010.png").rename(renamed / "999.png")
    (renamed / "notes.txt").write_text("no picture")
    assert open_images(str(renamed)).digest == digest
    (renamed / "999.png").rename(renamed / "000a.png")  # another order
    assert open_images(str(renamed)).digest != digest
    changed = RGB.copy()
    changed[10, 0, 0, 0] ^= 1
    assert open_images(str(saved(tmp_path / "c", changed))).digest != digest
    assert open_images(str(saved(tmp_path / "d", RGB[:10]))).digest != digest


def test_the_digest_of_a_folder_needs_no_decoding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = open_images(str(saved(tmp_path / "a", RGB)))
    monkeypatch.setattr("study.data.opening.decode", None)  # not to be called
    assert len(stream.digest) == 64


def test_a_data_set_and_its_parts_are_those_of_a_study() -> None:
    digits = load_images("digits")
    parts = split(digits)
    for source, expected in (
        ("digits", digits),
        ("digits:train", parts.train),
        ("digits:held_out", parts.held_out),
    ):
        stream = open_images(source)
        assert (stream.digest, stream.part) == (expected.digest, expected.part)
        assert stream.in_memory().digest == expected.digest
    small = open_images("digits", size=16, channels=3)
    assert small.shape == (3, 16, 16)
    assert small.preprocessing == load_images("digits", Preparation(16, 3)).preprocessing


def test_a_folder_is_found_without_a_slash_but_a_data_set_of_its_name_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    saved(tmp_path / "cats", RGB)
    saved(tmp_path / "digits", RGB)
    assert len(open_images("cats")) == 11
    assert len(open_images("digits")) == 1797
    assert len(open_images("./digits")) == 11


def _save(**arrays: object) -> dict[str, np.ndarray]:
    return {name: np.asarray(array) for name, array in arrays.items()}


MIXED = np.empty(2, object)
MIXED[:] = [RGB[0], RGB[0, :, :5]]

BAD_ARRAYS = {
    "from 0 to 1": (RGB / 255, r"float64 \[11, 3, 12, 10\] from 0 to 1, .* \(255 \* images\)"),
    "from -1 to 1": (RGB / 127.5 - 1, r"from -1 to 1, .* \(127.5 \* images \+ 127.5\)"),
    "floats of levels": (RGB.astype(np.float32), r"float32 .* from 0 to 255, .* bring them"),
    "integers": (RGB.astype(np.int64), r"int64 .* images.astype\('uint8'\)"),
    "beyond": (RGB.astype(np.int64) * 3, r"int64 .* from 0 to 765, but must be uint8 in 0..255"),
    "NaN": (np.where(RGB == 7, np.nan, RGB), r"with NaN or infinity among them, but must be uint8"),
    "infinity": (np.where(RGB == 7, np.inf, RGB), "with NaN or infinity among them"),
    "truth": (RGB > 100, r"bool .* multiply them by 255"),
    "text": (np.array(["a", "b"]), r"are <U1 \[2\], but must be uint8"),
    "sizes": (MIXED, "Python objects, as NumPy makes of images of different sizes"),
    "none": (RGB[:0], r"uint8 \[0, 3, 12, 10\]: there are none"),
    "shape": (RGB[:, :2], r"uint8 \[11, 2, 12, 10\], but must be uint8 \[N, H, W\]"),
}


@pytest.mark.parametrize("ending", ["npy", "npz"])
@pytest.mark.parametrize(("array", "message"), BAD_ARRAYS.values(), ids=BAD_ARRAYS.keys())
def test_an_array_of_another_kind_is_reported_with_what_to_do(
    tmp_path: Path, array: np.ndarray, message: str, ending: str
) -> None:
    path = tmp_path / f"a.{ending}"
    (np.save if ending == "npy" else np.savez)(path, array, allow_pickle=True)
    with pytest.raises(UserError, match=message) as caught:
        open_images(str(path))
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("ending", ["npy", "npz", "compressed.npz"])
def test_a_damaged_file_is_reported_when_it_is_met(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    save = {"npy": np.save, "npz": np.savez}.get(ending, np.savez_compressed)
    save(path, RGB)
    payload = bytearray(path.read_bytes())
    if ending == "npy":
        path.write_bytes(payload[:-50])
    else:
        payload[len(payload) // 2] ^= 255
        path.write_bytes(payload)
    with pytest.raises(UserError, match="can not be read"):
        whole(open_images(str(path)))
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(UserError, match="can not be read"):
        open_images(str(path))


def test_other_mistakes_are_reported_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    broken = saved(tmp_path / "broken", RGB)
    (broken / "005.png").write_bytes((broken / "005.png").read_bytes()[:60])
    np.savez(tmp_path / "two.npz", a=RGB, b=RGB)
    np.savez(tmp_path / "few.npz", images=RGB, labels=LABELS[:5])
    (tmp_path / "a.png").write_bytes(b"")
    for source, message in (
        ("nowhere/at/all", "There is no 'nowhere/at/all': it must be a folder"),
        ("digitz", r"or a data set \(.*did you mean `digits`"),
        ("gone.npy", "There is no 'gone.npy'"),
        ("digits:heldout", "part 'heldout' of `digits` .* train or held_out.*mean `held_out`"),
        ("empty", "empty has no pictures that Pillow can decode, but must have some"),
        ("two.npz", "holds a, b, but must hold `images`, or one array alone"),
        ("few.npz", r"labels in .* are \[5\], but must be \[11\], one for each image"),
        ("", "A path of images is '', but must not be empty"),
        ("~nosuchuser/x", r"path '~nosuchuser/x' can not be read: .*home"),
        ("a" * 300, "aaa' can not be read: File name too long"),
        ("a.png", "a.png must end in .npy or .npz; pictures are given by their folder"),
    ):
        with pytest.raises(UserError, match=message):
            open_images(source)
    with pytest.raises(
        UserError, match=r"picture .*broken/005.png can not be read .* take it away"
    ):
        whole(open_images("broken"))
    with pytest.raises(UserError, match=r"`size` is 3, but must be in 8..128"):
        open_images("digits", size=3)


@pytest.mark.parametrize("name", ["000.png", "010.png", "z.png"])
def test_a_picture_that_is_gone_is_named_by_digest_and_decoding(tmp_path: Path, name: str) -> None:
    folder = saved(tmp_path / "f", RGB)
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to("nowhere")
    stream = open_images(str(folder))
    message = (
        rf"The picture .*f/{name} can not be read \(.*No such file.*\); mend it or take it away"
    )
    with pytest.raises(UserError, match=message):
        stream.digest  # noqa: B018
    with pytest.raises(UserError, match=message):
        whole(stream)


def test_members_that_are_no_arrays_do_not_count(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, images=RGB)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("readme.txt", "hello")
    assert len(open_images(str(path))) == 11
