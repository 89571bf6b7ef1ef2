from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from study import cli

Output = pytest.CaptureFixture[str]
QUICK = ("--embedder", "pixels", "--samples", "20", "--repeats", "2")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    rng = np.random.default_rng(0)
    np.save("few.npy", rng.integers(0, 256, (6, 8, 8), dtype=np.uint8))
    np.save("plain.npy", rng.integers(0, 256, (90, 8, 8), dtype=np.uint8))
    np.save("nan.npy", np.full((90, 8, 8), np.nan))
    np.save("floats.npy", np.arange(90 * 64).reshape(90, 8, 8) / (90 * 64 - 1))
    with zipfile.ZipFile("text.npz", "w") as archive:
        archive.writestr("readme.txt", "hello")
    return tmp_path


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["study", "trust", *arguments])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert isinstance(caught.value.code, int)
    return caught.value.code


def test_table_and_picture(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    assert call(monkeypatch, "digits", *QUICK, "-o", "trust.png") == 0
    output = capsys.readouterr()
    assert (folder / "trust.png").read_bytes().startswith(b"\x89PNG")
    assert "fd_pixels" in output.out
    assert "N = 20" in output.out
    assert max(map(len, output.out.splitlines())) <= 80
    assert "pixels: Gaussian noise ..." in output.err
    assert "trust.png" in output.err


def test_json_alone_on_stdout(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    del folder
    arguments = ("--by", "mnist5k", "--metric", "kid", "--size", "12", "--format", "json")
    assert call(monkeypatch, "digits", *QUICK, *arguments, "--quiet") == 0
    output = capsys.readouterr()
    assert output.err == ""
    found = json.loads(output.out)
    assert found["samples"] == 20
    assert found["invaders"] == "mnist5k"
    assert found["shape"] == [1, 12, 12]
    assert [each["metric"] for each in found["metrics"]] == ["kid_pixels"]


def test_sets_at_a_path(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    del folder
    given = ("./plain.npy", "--size", "8", "--channels", "1", "--by", "./few.npy")
    assert call(monkeypatch, *given, *QUICK, "--format", "json") == 0
    assert json.loads(capsys.readouterr().out)["shape"] == [1, 8, 8]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cifar"], "'cifar'"),
        (["digits", "--by", "cifar"], "'cifar'"),
        (["digits", "--by", "digits"], "`digits` is to invade itself"),
        (["digits", "--embedder", "clip"], "clip"),
        (["digits", "--samples", "1"], "must be in 2..449"),
        (["digits", "--samples", "2000"], "must be in 2..449"),
        (["digits", "--repeats", "1"], "must be >= 2"),
        (["digits", "--size", "4"], "`size` is 4"),
        (["digits", "-o", "no/trust.png"], "-o no/trust.png: the folder"),
        (["digits", "-o", "."], "-o .: a folder, but must be a file to write"),
        (["./nan.npy", "--size", "8"], "with NaN or infinity among them, but must be uint8"),
        (["./floats.npy", "--size", "8"], "from 0 to 1, but must be uint8 in 0..255: save them"),
        (["./text.npz", "--size", "8"], "text.npz holds no array, but must hold `images`"),
        (["~nosuchuser/x", "--size", "8"], "'~nosuchuser/x' can not be read"),
        (["digits", "--weights", "x.pt"], "no --embedder asks for inception's weights"),
        (["./few.npy", "--size", "8"], "has 6 images, but it takes 7 or more"),
        (["./plain.npy"], "`size` is none"),
        (["./plain.npy", "--size", "8", "--embedder", "lenet"], "labels"),
    ],
)
def test_a_mistake_is_one_line(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Output,
    arguments: list[str],
    message: str,
) -> None:
    before = sorted(folder.iterdir())
    assert call(monkeypatch, *arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("study: ")
    assert output.err.count("\n") == 1
    assert message in output.err
    assert sorted(folder.iterdir()) == before


def test_a_seed_has_63_bits(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    del folder
    assert call(monkeypatch, "digits", *QUICK, "--seed", str(2**63)) == 2
    assert "--seed" in capsys.readouterr().err
