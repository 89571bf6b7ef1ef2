from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from study.cli import app
from study.spec import UserError, read_study_file
from study.spec.schema import study_schema


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to stand in, with 12 pictures of two sizes below it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cats" / "tabby").mkdir(parents=True)
    for index in range(12):
        size = (20, 30) if index % 2 else (50, 40)
        Image.new("RGB", size).save(tmp_path / "cats" / "tabby" / f"{index}.png")
    return tmp_path


def init(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["init", *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_it_looks_at_the_pictures(folder: Path) -> None:
    shown = init("my.yaml", "--data", "cats")
    assert shown.startswith("12 images in ./cats: 2 sizes, short sides 20 to 40, colour.\n")
    assert "study check my.yaml" in shown
    study = read_study_file("my.yaml").study
    assert (study.name, study.data.dataset) == ("my", str(folder / "cats"))
    assert study.data.image_shape == (3, 20, 20)


def test_the_editors_schema_lies_beside_it(folder: Path) -> None:
    (folder / "below").mkdir()
    init("below/my.yaml")
    text = (folder / "below" / "my.yaml").read_text()
    first = text.partition("\n")[0]
    assert first == "# yaml-language-server: $schema=./study.schema.json"
    schema = json.loads((folder / "below" / "study.schema.json").read_text())
    assert schema == study_schema()
    assert read_study_file("below/my.yaml").study.data.dataset == "mnist5k"


def test_nothing_is_written_over(folder: Path) -> None:
    (folder / "my.yaml").write_text("mine")
    with pytest.raises(UserError, match=r"^my\.yaml: is there already; --force writes over it$"):
        init("my.yaml")
    assert (folder / "my.yaml").read_text() == "mine"
    (folder / "study.schema.json").write_text('{"title": "mine"}')
    with pytest.raises(UserError, match=r"^study\.schema\.json: is there already, and is no sche"):
        init("other.yaml")
    assert not (folder / "other.yaml").exists()
    init("my.yaml", "--force")
    assert read_study_file("my.yaml")
    init("other.yaml", "--quiet")  # our own schema is written again


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["cats"],
            "^cats: a folder, but must be the study file to write; images are named by --da",
        ),
        (["my"], r"^my: must end in \.yaml or \.yml, as in `study init my\.yaml`$"),
        (["no/my.yaml"], "^no/my.yaml: the folder .*/no does not exist$"),
        (["my.yaml", "--data", "dogs"], "^--data dogs: unknown data set 'dogs'"),
        (["my.yaml", "--data", "./dogs"], "^--data ./dogs: there is no"),
    ],
)
def test_a_mistake_writes_nothing(folder: Path, arguments: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        init(*arguments)
    assert [path.name for path in folder.iterdir()] == ["cats"]


def test_quiet_prints_nothing(folder: Path) -> None:
    assert init("my.yaml", "-q") == ""
    assert (folder / "my.yaml").exists()


def test_what_is_left_out_is_said_and_broken_pictures_are_skipped(folder: Path) -> None:
    (folder / "cats" / "broken\n.png").write_text("no picture")
    (folder / "cats" / "notes.txt").write_text("mine")
    shown = init("my.yaml", "--data", "cats").splitlines()
    assert shown[0].startswith("12 images in ./cats: 2 sizes")
    assert shown[1].startswith("left out: 1 file that is no picture (notes.txt), 1 picture that ")
    text = (folder / "my.yaml").read_text()
    assert "# left out: 1 file that is no picture (notes.txt)" in text
    data = read_study_file("my.yaml").study.data
    assert data.on_error == "skip"
    assert "on_error" not in text.partition("model:")[2]
