from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from study.spec.left_out import Reason
from study.spec.picture_folder import PICTURES, list_pictures

RGB = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)


def write(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(RGB).save(path, format="PNG")


def names(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in list_pictures(folder).pictures]


def left_out(folder: Path) -> dict[str, Reason]:
    return {each.name: each.reason for each in list_pictures(folder).left_out}


def test_a_class_folder_that_is_a_link_is_read_and_a_loop_is_not_gone_round(tmp_path: Path) -> None:
    write(tmp_path, "data/cats/a.png", "elsewhere/dogs/b.png", "elsewhere/dogs/small/c.png")
    data = tmp_path / "data"
    (data / "dogs").symlink_to(tmp_path / "elsewhere/dogs")
    (data / "loop").symlink_to(data)
    (data / "up").symlink_to(tmp_path)
    (tmp_path / "elsewhere/dogs/small/back").symlink_to(data / "cats")
    assert names(data) == ["cats/a.png", "dogs/b.png", "dogs/small/c.png"]
    assert left_out(data) == dict.fromkeys(["loop", "up", "dogs/small/back"], Reason.SEEN)
    (tmp_path / "only").mkdir()
    (tmp_path / "only/dogs").symlink_to(tmp_path / "elsewhere/dogs")
    assert names(tmp_path / "only") == ["dogs/b.png", "dogs/small/back/a.png", "dogs/small/c.png"]
    (tmp_path / "link").symlink_to(data)
    assert names(tmp_path / "link") == names(data)


def test_no_picture_counts_twice_and_a_folder_has_its_own_path_before_a_links(
    tmp_path: Path,
) -> None:
    write(tmp_path, "data/zoo/a.png", "far/in/b.png")
    data = tmp_path / "data"
    (data / "again").symlink_to(data / "zoo")  # comes first by name
    (data / "inner").symlink_to(tmp_path / "far/in")
    (data / "outer").symlink_to(tmp_path / "far")
    assert names(data) == ["inner/b.png", "zoo/a.png"]
    assert left_out(data) == {"again": Reason.SEEN, "outer/in": Reason.SEEN}


def test_links_that_lead_nowhere_are_counted_but_for_pictures_which_are_missed(
    tmp_path: Path,
) -> None:
    write(tmp_path, "a.png")
    (tmp_path / "dogs").symlink_to(tmp_path / "gone")
    (tmp_path / "self").symlink_to(tmp_path / "self")
    (tmp_path / "b.png").symlink_to(tmp_path / "gone.png")
    (tmp_path / "c").symlink_to(tmp_path / "a.png")
    assert names(tmp_path) == ["a.png", "b.png", "c"]
    assert left_out(tmp_path) == {"dogs": Reason.DEAD_LINK, "self": Reason.DEAD_LINK}


@pytest.mark.parametrize(
    "form", ["PNG", "JPEG", "AVIF", "JPEG2000", "TGA", "PPM", "BMP", "GIF", "QOI", "WEBP", "ICO"]
)
def test_what_pillow_decodes_is_a_picture_whatever_it_is_called(tmp_path: Path, form: str) -> None:
    for name in ("no_ending", "a.jfif", "b.PNM", "c.data", "d.txt"):
        Image.fromarray(RGB).save(tmp_path / name, format=form)
    assert len(names(tmp_path)) == 5
    assert left_out(tmp_path) == {}


def test_text_that_is_a_picture_is_told_from_text_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"P2 2 2 255\n0 1 2 3\n")
    Image.fromarray(RGB[..., 0]).convert("1").save(tmp_path / "bits", format="XBM")
    (tmp_path / "P2").write_text("P2P is peer to peer")
    (tmp_path / "caption").write_text("a cat on a mat")
    assert names(tmp_path) == ["bits", "plain"]
    assert left_out(tmp_path) == dict.fromkeys(["P2", "caption"], Reason.NO_PICTURE)


def no_pictures() -> dict[str, Callable[[Path], object]]:
    def array(path: Path) -> None:
        with path.open("wb") as file:
            np.save(file, RGB)

    return {
        "README.txt": lambda path: path.write_text("pictures of cats"),
        "labels.json": lambda path: path.write_text("{}"),
        "Thumbs.db": lambda path: path.write_bytes(bytes.fromhex("d0cf11e0a1b11ae1") + bytes(900)),
        "empty": lambda path: path.touch(),
        "zeros": lambda path: path.write_bytes(bytes(1000)),
        "page.eps": lambda path: Image.fromarray(RGB).save(path),
        "page.pdf": lambda path: Image.fromarray(RGB).save(path),
        "labels.h5": lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(900)),
        "film.mpg": lambda path: path.write_bytes(bytes.fromhex("000001b3") + b"\1" * 900),
        "a.npy": array,
        "pipe": os.mkfifo,
        "pipe.png": os.mkfifo,
    }


@pytest.mark.parametrize("name", no_pictures())
def test_what_is_no_picture_is_left_out_and_counted(tmp_path: Path, name: str) -> None:
    write(tmp_path, "a.png")
    no_pictures()[name](tmp_path / name)
    assert names(tmp_path) == ["a.png"]
    assert left_out(tmp_path) == {name: Reason.NO_PICTURE}


def test_what_is_hidden_is_left_out_and_counted(tmp_path: Path) -> None:
    write(tmp_path, "a.png", "b/._a.png", ".thumbnails/a.png", ".thumbnails/b.png")
    (tmp_path / ".DS_Store").touch()
    assert names(tmp_path) == ["a.png"]
    assert left_out(tmp_path) == dict.fromkeys(
        [".DS_Store", ".thumbnails", "b/._a.png"], Reason.HIDDEN
    )


def test_what_may_not_be_read_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "a.png", "closed/a.png", "unknown")
    scandir, is_open = os.scandir, Path.open

    def refuse(path: Path) -> None:
        if path.name in ("closed", "unknown"):
            raise PermissionError(13, "Permission denied")

    def guarded_scandir(path: Path) -> object:
        refuse(path)
        return scandir(path)

    def guarded_open(path: Path, mode: str) -> object:
        refuse(path)
        return is_open(path, mode)

    monkeypatch.setattr(os, "scandir", guarded_scandir)
    monkeypatch.setattr(Path, "open", guarded_open)
    assert names(tmp_path) == ["a.png"]
    assert left_out(tmp_path) == dict.fromkeys(["closed", "unknown"], Reason.CLOSED)
    with pytest.raises(PermissionError):
        list_pictures(tmp_path / "closed")


def test_the_order_is_that_of_paths_as_ever(tmp_path: Path) -> None:
    wanted = ["B.PNG", "a/z.png", "a.png", "a0.png", "c/a.bmp", "c/d/e.tiff", "c0"]
    write(tmp_path, *reversed(wanted))
    assert names(tmp_path) == wanted == [str(path) for path in sorted(map(Path, wanted))]


def test_endings_that_need_no_look_are_those_of_pictures_whatever_is_in_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("study.spec.picture_folder._is_picture", None)  # not to be called
    for ending in PICTURES:
        (tmp_path / f"a{ending.upper()}").touch()
    assert len(names(tmp_path)) == len(PICTURES)
