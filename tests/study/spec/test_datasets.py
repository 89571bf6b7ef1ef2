from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from study_trees import changed, parse_study

from study.data import Preparation, load_images
from study.spec import UserError, read_study_file, read_study_text
from study.spec.datasets import absolute, has_labels, image_count, is_path


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def some_images(count: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.zeros((count, 12, 12), dtype=np.uint8)


@pytest.mark.parametrize("path", ["./cats", "data/cats", "/cats", "~/cats", "cats.npy", "cats.npz"])
def test_a_path_is_told_from_a_name(here: Path, path: str) -> None:
    assert is_path(path)
    assert Path(absolute(path)).is_absolute()
    assert not is_path("cats")
    assert absolute("cats") == "cats"


def test_pictures_are_counted(here: Path) -> None:
    for name in ("b.PNG", "a.jpg", "more/c.jpeg", ".hidden.png", ".git/d.png", "notes.txt"):
        (here / name).parent.mkdir(exist_ok=True)
        (here / name).touch()
    assert image_count(str(here)) == 3
    (here / "e.gif").touch()
    assert image_count(str(here)) == 4


def test_arrays_are_counted_by_their_headers_as_they_are_loaded(here: Path) -> None:
    np.save("a.npy", some_images(7))
    np.savez("b.npz", labels=np.zeros(5, dtype=np.int64), images=some_images(5))
    np.savez_compressed("c.npz", some_images(4))
    with (here / "d.npy").open("wb") as file:
        np.lib.format.write_array(file, some_images(6), version=(2, 0))
    for name, count in {"a.npy": 7, "b.npz": 5, "c.npz": 4, "d.npy": 6}.items():
        assert image_count(name) == count == len(load_images(name, Preparation(size=12)))


def test_every_name_that_is_loaded_from_memory_is_counted_right() -> None:
    assert image_count("digits") == len(load_images("digits"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("nowhere", None, "there is no '"),
        ("empty", "folder", "no pictures in '"),
        ("a.npy", "text", "is no array of images"),
        ("a.npz", "text", "is no array of images"),
        ("two.npz", "two", "two.npz' holds a, b, but must hold `images`, or one array alone"),
        ("one.npy", "number", r"are uint8 \[\], but must be uint8 \[N, H, W\], "),
        ("a.npy", "floats", "are float32, but must be uint8 in 0..255"),
        ("a.npy", "objects", "are object, but must be uint8 in 0..255"),
        ("a.npz", "archived", "are int64, but must be uint8 in 0..255"),
        ("a.zip", "text", "is neither a folder nor an .npy or .npz file"),
    ],
)
def test_what_holds_no_images_is_found_when_the_study_is_read(
    here: Path, name: str, content: str | None, message: str
) -> None:
    match content:
        case "folder":
            (here / name).mkdir()
        case "text":
            (here / name).write_text("text")
        case "two":
            np.savez(name, a=some_images(2), b=some_images(2))
        case "floats":
            np.save(name, some_images(2).astype(np.float32))
        case "objects":
            np.save(name, np.array([None, some_images(1)], dtype=object))
        case "archived":
            np.savez(name, labels=np.zeros(2), images=some_images(2).astype(np.int64))
        case "number":
            np.save(name, np.uint8(3))
    with pytest.raises(UserError, match=r"study:\d+: data\.dataset: .*" + message) as caught:
        parse_study(changed(data={"dataset": f"./{name}", "size": 16}))
    assert str(here / name) in str(caught.value)


@pytest.mark.parametrize(
    ("data", "score", "message"),
    [
        ({"count": 41}, {}, "data.count: 41 must be <= 40, all that there are"),
        ({"fraction": 0.01}, {}, "data.split: holds out 0|data: 0 images|data: 1 image"),
        ({"count": 4}, {}, "data.split: holds out 1 of 4 images, but a score needs at least 2"),
        (
            {"split": {"kind": "k_fold", "folds": 41}},
            {"against": "everything"},
            "data.split.folds: 41 must be <= the 40 images",
        ),
        (
            {"split": {"kind": "leave_one_out", "image": 40}},
            {"against": "everything"},
            "data.split.image: 40 must be < the 40 images",
        ),
    ],
)
def test_more_is_not_asked_than_there_is(
    data: dict[str, Any], score: dict[str, Any], message: str
) -> None:
    np.save("forty.npy", some_images(40))
    with pytest.raises(UserError, match=message):
        parse_study(changed(data={"dataset": "forty.npy", "size": 8, **data}, score=score))


def test_morph_images_are_looked_at_too(here: Path) -> None:
    np.save("forty.npy", some_images(40))
    model = {"family": "morphing", "timesteps": 50, "schedule": "cosine", "network": "cnn"}

    def study(dataset: str, **towards: int) -> dict[str, Any]:
        sampler = {"kind": "improved", "start": {"kind": "mixture", "components": 11}}
        tree = changed(score={"sampler": sampler})
        return {**tree, "model": {**model, "towards": {"dataset": dataset, **towards}}}

    found = parse_study(study("forty.npy")).study.model.model_dump()
    assert found["towards"]["dataset"] == str(here / "forty.npy")
    with pytest.raises(UserError, match=r"model\.towards\.dataset: there is no '/"):
        parse_study(study("./fifty"))
    with pytest.raises(UserError, match=r"model\.towards\.count: 41 must be <= 40"):
        parse_study(study("forty.npy", count=41))
    with pytest.raises(UserError, match=r"start\.components: 11 must be <= the 10 images"):
        parse_study(study("forty.npy", count=10))


def test_a_stored_study_is_read_where_its_images_are_not(here: Path) -> None:
    np.save("forty.npy", some_images(40))
    study = parse_study(changed(data={"dataset": "forty.npy", "size": 8, "count": 30})).study
    (here / "forty.npy").unlink()
    again = type(study).model_validate(json.loads(study.model_dump_json()))
    assert again.data.dataset == str(here / "forty.npy")
    assert again.data.image_shape == (3, 8, 8)


def test_the_path_of_a_users_own_option_is_left_alone() -> None:
    tree = changed()
    tree["model"] = {"family": "custom", "path": "mine:Mine", "options": {"dataset": "./x"}}
    assert parse_study(tree).study.model.model_dump()["options"] == {"dataset": "./x"}


def written(here: Path, **data: Any) -> Path:
    """A study file with such a `data:`."""
    (here / "small.yaml").write_text(json.dumps(changed(data=data)))
    return here / "small.yaml"


@pytest.mark.parametrize(
    ("shape", "channels"),
    [((30, 784), 1), ((30, 1, 784), 1), ((30, 28, 28), 1), ((30, 28, 28, 3), 3), ((30, 3, 784), 3)],
)
def test_an_array_has_its_own_channels_unless_the_file_says_others(
    here: Path, shape: tuple[int, ...], channels: int
) -> None:
    np.save("a.npy", np.zeros(shape, np.uint8))
    file = read_study_file(written(here, dataset="a.npy", size=28))
    assert file.study.data.image_shape == (channels, 28, 28)
    again = read_study_text(file.text, "stored").study
    (here / "a.npy").unlink()  # a stored study means the same where its images are not
    assert type(again).model_validate(again.model_dump()).data.image_shape == (channels, 28, 28)
    for said in (1, 3):
        np.save("a.npy", np.zeros(shape, np.uint8))
        file = read_study_file(written(here, dataset="a.npy", size=28, channels=said))
        assert file.study.data.image_shape == (said, 28, 28)


def test_a_folder_is_grey_if_all_its_pictures_are(here: Path) -> None:
    for name, mode in (("a", "L"), ("b", "1"), ("c", "LA"), ("d", "I;16")):
        Image.new(mode, (9, 9)).save(here / f"{name}.png")
    for number in range(16):
        Image.new("L", (9, 9)).save(here / f"{number}.png")
    (here / "broken.png").touch()
    file = read_study_file(written(here, dataset="./", size=8, on_error="skip"))
    assert file.study.data.image_shape == (1, 8, 8)
    for mode in ("P", "RGB", "RGBA"):
        Image.new(mode, (9, 9)).save(here / "z.png")
        file = read_study_file(written(here, dataset="./", size=8, on_error="skip"))
        assert file.study.data.channels is None  # as ever: its digest is what it was
        assert file.study.data.image_shape == (3, 8, 8)


def test_a_study_that_was_stored_without_channels_had_three(here: Path) -> None:
    np.save("a.npy", some_images(40))
    study = parse_study(changed(data={"dataset": "a.npy", "size": 8})).study
    assert study.data.image_shape == (3, 8, 8)


def test_arrays_of_16_bits_say_what_is_white(here: Path) -> None:
    np.save("a.npy", some_images(40).astype(np.uint16))
    data = {"dataset": "a.npy", "size": 8}
    with pytest.raises(UserError, match=r"data\.levels: is missing: .* has 16 bits"):
        parse_study(changed(data=data))
    assert parse_study(changed(data={**data, "levels": 4095})).study.data.levels == 4095
    for levels in (0, 65536):
        with pytest.raises(UserError, match=r"data\.levels: "):
            parse_study(changed(data={**data, "levels": levels}))
    with pytest.raises(UserError, match=r"data\.levels: is for images of 16 bits, and digits"):
        parse_study(changed(data={"dataset": "digits", "levels": 4095}))


def test_levels_that_are_not_given_change_no_digest(here: Path) -> None:
    plain = parse_study(changed()).study
    assert "levels" not in plain.trial_config()["data"]
    np.save("a.npy", some_images(40))
    data = {"dataset": "a.npy", "size": 8}
    without, given = (
        parse_study(changed(data={**data, **more})).study for more in ({}, {"levels": 4095})
    )
    assert given.trial_config()["data"]["levels"] == 4095
    assert without.digest() != given.digest()
    assert type(given).model_validate_json(given.model_dump_json()) == given
    assert type(plain).model_validate_json(plain.model_dump_json()) == plain


def test_labels_are_known_from_headers(here: Path) -> None:
    np.savez("a.npz", some_images(5), np.arange(5))
    np.savez("b.npz", images=some_images(5))
    assert has_labels("a.npz")
    assert not has_labels("b.npz")
