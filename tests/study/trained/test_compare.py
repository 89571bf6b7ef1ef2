from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from trained_trials import trained

from study import cli
from study.api import Results
from study.results.ledger import Ledger
from study.results.reader import read_rows
from study.results.storage import Storage
from study.results.tables import ScoreRow
from study.spec import UserError
from study.trained.compare import compare_trials, parse_trial

pytestmark = pytest.mark.slow


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    """Two trials of one study, and one of another on edges."""
    place = Storage.from_uri(str(tmp_path / "studies"))
    for name in ("small", "small-sobel"):
        place.claim(name, f"name: {name}")
    trained(place, 0, value=3.0, picks={"train.learning_rate": 0.003, "train.clip_norm": 1.0})
    trained(
        place,
        1,
        value=2.0,
        picks={"train.learning_rate": 0.001, "train.clip_norm": 1.0},
        train={"epochs": 1, "learning_rate": 0.001},
    )
    trained(place, 0, name="small-sobel", data={"edges": "sobel"})
    return place


def test_trials_of_a_study_side_by_side(storage: Storage) -> None:
    seen: list[str] = []
    found = compare_trials(storage, "small", 0, ["1", "small:1", "0"], watch=seen.append)
    assert seen == ["trial 0", "trial 1"]
    assert found.lines == (
        "trial 0: epoch 1, fd_pixels 3 (N = 64 images); learning_rate 0.003; ddim, 5 steps",
        "trial 1: epoch 1, fd_pixels 2 (N = 64 images); learning_rate 0.001; ddim, 5 steps",
    )
    assert found.note == ""
    assert found.files == ("samples.png", "paths.png", "scores.png")
    folder = Path(storage.path("small/explain/beside-0-1"))
    assert found.folder == str(folder)
    assert sorted(path.name for path in folder.iterdir()) == sorted(found.files)
    for file in found.files:
        with Image.open(folder / file) as picture:
            assert min(picture.size) > 200
    results = Results("small", storage)
    pictures = results.artifacts.query("kind == 'picture'")
    assert sorted(pictures["path"]) == sorted(f"small/explain/beside-0-1/{f}" for f in found.files)
    assert {*pictures["trial"]} == {0}
    assert results.diagnostics.empty


def test_what_is_measured_beside_the_objective_is_not_its_score(storage: Storage) -> None:
    (row,) = read_rows(storage, ScoreRow, "small", trial=0)
    with Ledger(storage, "small") as ledger:
        ledger.append(replace(row, metric="precision", value=0.5))
    compared = compare_trials(storage, "small", 0, ["1"])
    assert compared.lines[0].startswith("trial 0: epoch 1, fd_pixels 3 (")
    assert compared.note == ""


def test_another_studys_trial_and_its_score(storage: Storage, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    found = compare_trials(storage, "small", None, ["small-sobel:0"], folder=folder)
    scored = "epoch 1, fd_pixels 2 (N = 64 images)"
    assert [line.split(";")[:2] for line in found.lines] == [
        [f"trial 1: {scored}", " edges none, learning_rate 0.001"],
        [f"small-sobel:0: {scored}", " edges sobel, learning_rate 0.003"],
    ]
    assert found.note == (
        "Scores are not comparable between trial 1 | small-sobel:0: they differ in their reference"
    )
    assert found.folder == str(folder)
    assert len([*folder.iterdir()]) == 3
    assert not storage.exists("small/explain")
    again = compare_trials(storage, "small", None, ["small-sobel:0"], folder=tmp_path / "again")
    for file in again.files:
        assert (folder / file).read_bytes() == (tmp_path / "again" / file).read_bytes()


def test_families_side_by_side(storage: Storage) -> None:
    trained(storage, 2, "gan")
    trained(storage, 3, "morphing")
    trained(storage, 4, "gan", data={"seed": 1})
    found = compare_trials(storage, "small", 2, ["3", "small-sobel:0"])
    for line, family in zip(found.lines, ("gan", "morphing", "ddpm"), strict=True):
        assert f"family {family}" in line
    assert found.lines[0].endswith("generator, 1 step")
    assert found.files == ("samples.png", "paths.png", "scores.png")
    gans = compare_trials(storage, "small", 2, ["4"])
    assert gans.files == ("samples.png", "scores.png")
    assert [line.split("; ")[1] for line in gans.lines] == ["seed 0", "seed 1"]


def test_how_a_trial_is_written() -> None:
    assert parse_trial("12", "small") == ("small", 12)
    assert parse_trial("cats.2-sobel:3", "small") == ("cats.2-sobel", 3)
    for text in ("", "x", "-1", "cats:", "cats:x", ":3", "cats:1:2", "1.0", "\u0663"):
        with pytest.raises(UserError, match="must be a trial's number, or STUDY:TRIAL"):
            parse_trial(text, "small")


Call = Callable[..., int]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, storage: Storage) -> Call:
    monkeypatch.setenv("STUDY_STORAGE", storage.uri)

    def run(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["study", "explain", *arguments])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        assert isinstance(caught.value.code, int)
        return caught.value.code

    return run


def test_the_command(storage: Storage, call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("small", "0", "--beside", "1", "--beside", "small-sobel:0") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(": epoch 1, fd_pixels")[0] for line in lines[:3]] == [
        "trial 0",
        "trial 1",
        "small-sobel:0",
    ]
    assert "not comparable" in lines[3]
    folder = storage.path("small/explain/beside-0-1-small-sobel-0")
    assert lines[4] == f"samples.png, paths.png, scores.png in {folder}"


def test_mistakes_are_one_line_and_leave_nothing(
    storage: Storage, call: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments, message in (
        (["small", "0", "--beside", "0"], "--beside 0: that is the trial itself"),
        (["small", "0", "--beside", "one"], "--beside one: must be a trial's number, or STUDY:"),
        (["small", "0", "--beside", "smal-sobel:0"], "did you mean 'small-sobel'"),
        (["small", "0", "--beside", "7"], "no trial 7 in study 'small', which has 0 to 1"),
        (["small", "0", "--beside", "1", "--full"], "--full is of the diagnostics, and --beside"),
        (["small", "0", "--beside", "1", "--only", "noise"], "--only is of the diagnostics"),
        (["small", "0", "--beside", "1", "--samples", "0"], "--samples is of the diagnostics"),
    ):
        assert call(*arguments) == 2
        output = capsys.readouterr()
        assert message in output.err
        assert output.err.count("\n") == 1
        assert output.out == ""
    assert not storage.exists("small/explain")
