from __future__ import annotations

from pathlib import Path

import jsonschema
import numpy as np
import pytest
from PIL import Image

from study.spec import UserError, read_study_file
from study.spec.image_source import ImageSource
from study.spec.schema import study_schema
from study.spec.starter import (
    Starter,
    describe_images,
    look_at,
    starter,
    starter_text,
    study_name,
)
from study.spec.yaml_file import parse_yaml


def source(count: int, *sizes: tuple[int, int], channels: int = 3) -> ImageSource:
    each = sizes or ((64, 64),)
    shares = {size: count // len(each) for size in each}
    shares[each[0]] += count - sum(shares.values())
    return ImageSource(count, shares, channels, labels=False)


def start(count: int, *sizes: tuple[int, int], channels: int = 3) -> Starter:
    return starter("./pictures", source(count, *sizes, channels=channels))


@pytest.mark.parametrize(
    ("sizes", "side"),
    [
        ([(64, 64)], 32),
        ([(28, 28)], 28),
        ([(30, 45)], 28),
        ([(5, 9)], 8),
        ([(8, 8)], 8),
        ([(40, 20), (300, 200), (24, 24)], 24),
        ([(4000, 3000)], 32),
    ],
)
def test_the_side_is_that_of_half_the_images_and_fits_the_network(
    sizes: list[tuple[int, int]], side: int
) -> None:
    chosen = start(300, *sizes)
    assert chosen.side == side
    for channels in chosen.channels:
        assert side % 2 ** (len(channels) - 1) == 0


def test_a_trial_learns_from_about_as_many_pixels_whatever_the_images() -> None:
    for count in (150, 1000, 20_000, 10**6):
        for side in (8, 16, 28, 32):
            chosen = start(count, (side, side))
            training = 0.8 * (chosen.count or count)
            learnt = training * chosen.epochs * side**2
            # Fewer where epochs end at 200, and more where even one epoch a scoring is long.
            assert learnt < 25_000_000
            assert learnt > 7_000_000 or chosen.epochs == 200


def test_few_images_are_all_compared_with() -> None:
    few, many = start(99), start(100)
    assert (few.holds_out, few.metric) == (False, "fd_pixels")
    assert (many.holds_out, many.metric) == (True, "fd_vae")


def write(folder: Path, start: Starter) -> Path:
    file = folder / "my.yaml"
    file.write_text(starter_text("my", start, "./study.schema.json"))
    return file


@pytest.mark.parametrize("count", [2, 7, 99, 100, 260, 3000])
@pytest.mark.parametrize("side", [(8, 8), (30, 45), (500, 400)])
@pytest.mark.parametrize("channels", [1, 3])
def test_what_is_written_is_valid_plain_and_with_smoke(
    tmp_path: Path, count: int, side: tuple[int, int], channels: int
) -> None:
    images = np.zeros((count, channels, 8, 8), np.uint8)
    np.save(tmp_path / "images.npy", images)
    chosen = starter(str(tmp_path / "images.npy"), source(count, side, channels=channels))
    file = write(tmp_path, chosen)
    study_file = read_study_file(file)
    study = study_file.study
    assert study.data.image_shape == (channels, chosen.side, chosen.side)
    assert study.train.epochs == chosen.epochs
    assert study.score.metric == chosen.metric
    assert study_file.starting_points
    smoke = read_study_file(file, smoke=True).study
    assert smoke.train.epochs == 2
    assert smoke.search.trials == 2
    assert max(map(len, file.read_text().splitlines())) <= 120


def test_an_editor_has_nothing_to_say_of_it() -> None:
    schema = study_schema()
    for count in (7, 300, 60_000):
        text = starter_text("my", start(count), "x")
        jsonschema.Draft202012Validator(schema).validate(parse_yaml(text, "my.yaml").tree)


def test_an_odd_path_is_read_again_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "my: pictures #1, 'new'"
    folder.mkdir()
    for index in range(3):
        Image.new("L", (9, 12)).save(folder / f"{index}.png")
    seen = look_at(str(folder))
    assert (seen.count, seen.sizes, seen.channels) == (3, {(12, 9): 3}, 1)
    study = read_study_file(write(tmp_path, starter(str(folder), seen))).study
    assert study.data.dataset == str(folder)


def test_what_it_saw_is_said() -> None:
    assert describe_images("./cats", source(1200)) == "1,200 images in ./cats: 64x64, colour."
    sizes = [(40, 20), (300, 200), (24, 24)]
    text = starter_text("my", start(300, *sizes, channels=1), "x")
    assert "# 300 images in ./pictures: 3 sizes, short sides 20 to 200, grey." in text
    assert "size: 24 # pixels; any multiple of 4, twice the side takes four times as long; 100 are "
    assert "100 are smaller and are enlarged" in text
    assert text.startswith("# yaml-language-server: $schema=x\n")
    assert "count: " not in text.partition("smoke:")[0]
    assert "of 60,000, at random" in starter_text("my", start(60_000), "x")


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        ("minst5k", r"^--data minst5k: unknown data set 'minst5k'.*did you mean `mnist5k`"),
        ("./nowhere", r"^--data \./nowhere: there is no "),
        ("one", "1 image, but a study takes 2 or more"),
        ("./empty", "no pictures"),
    ],
)
def test_images_that_no_study_is_made_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dataset: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "one").mkdir()
    (tmp_path / "empty").mkdir()
    Image.new("L", (9, 12)).save("one/0.png")
    with pytest.raises(UserError, match=message) as caught:
        look_at("./one" if dataset == "one" else dataset)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("file", "name"),
    [("my.yaml", "my"), ("my study (2).yaml", "my-study--2"), ("élan.yml", "lan"), ("…", "study")],
)
def test_a_studys_name_follows_from_its_files(file: str, name: str) -> None:
    assert study_name(Path(file)) == name
