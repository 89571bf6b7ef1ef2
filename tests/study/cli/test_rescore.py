"""`study rescore`, and `weights:` on the command line."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from specs import plain
from trained_trials import trained

from study import cli
from study.results.query import query
from study.results.storage import Storage

Output = pytest.CaptureFixture[str]
SWEEP = """\
name: sweep
weights: {study: small, trial: 1}
score: {sampler: {choice: [ddim, ancestral]}, steps: {int: [2, 9]}}
search: {trials: 3}
"""


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of two trained trials."""
    folder = tmp_path_factory.mktemp("studies")
    storage = Storage.from_uri(str(folder))
    storage.claim("small", yaml.safe_dump(plain()))
    for number in range(2):
        trained(storage, number, value=float(number))
    return folder


@pytest.fixture
def folder(studies: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to stand in, with those studies and a sweep's file."""
    shutil.copytree(studies, tmp_path / "studies")
    (tmp_path / "sweep.yaml").write_text(SWEEP)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STUDY_STORAGE", raising=False)
    return tmp_path


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["study", *arguments])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    code = caught.value.code
    assert isinstance(code, int)
    return code


@pytest.mark.usefixtures("folder")
def test_rescore_shows_both_scores(monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    arguments = ["rescore", "small", "--sampler", "{kind: ddim, eta: 0.5}", "--samples", "30"]
    assert call(monkeypatch, *arguments, "--also", "precision, recall", "--ema", "off") == 0
    output = capsys.readouterr()
    assert "fd_pixels of 30 images by ddim(eta=0.5) in 5 steps, the trained weights" in output.out
    assert "rank before" in output.out
    assert "2 scores made" in output.out
    assert output.err.splitlines() == [
        f"trial {number} ({number + 1} of 2): 30 images by ddim(eta=0.5) in 5 steps ..."
        for number in range(2)
    ]
    assert call(monkeypatch, *arguments, "--ema", "off", "--trial", "1") == 0
    assert "0 scores made, 1 were there already (--again" in capsys.readouterr().out


@pytest.mark.usefixtures("folder")
def test_rescore_by_another_metric(monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    assert call(monkeypatch, "rescore", "small", "--metric", "sliced_wasserstein") == 0
    assert "sliced_wasserstein of 64 images" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rescore", "smal"], "did you mean 'small'?"),
        (["rescore", "small", "--trial", "7"], "no trial 7 in study 'small', which has 0 to 1"),
        (["rescore", "small", "--sampler", "dim"], "--sampler dim: unknown sampler 'dim'"),
        (["rescore", "small", "--sampler", "{kind"], "--sampler:1: broken YAML"),
        (["rescore", "small", "--steps", "2000"], "must be <= `model.timesteps` (50)"),
        (["rescore", "small", "--steps", "many"], "--steps many: 'many' must be a valid integer"),
        (["rescore", "small", "--also", "fid"], "--also fid: unknown measure 'fid'"),
        (["rescore", "small", "--steps", "{int: [2, 9]}"], "write {name: small-sweep, weights: "),
        (["check", "sweep.yaml", "--storage", "elsewhere"], "weights: No study named 'small' is"),
        (["run", "sweep.yaml", "--set", "weights.trial=7"], "weights: no trial 7 in study"),
        (["run", "sweep.yaml", "--set", "train.epochs=7"], "train: cannot stand beside `weights`"),
        (["submit", "sweep.yaml", "--address", "http://x:1"], "name it with --storage"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_mistake_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: Output, arguments: list[str], message: str
) -> None:
    assert call(monkeypatch, *arguments) == 2
    output = capsys.readouterr()
    assert message in output.err
    assert output.err.startswith("study: ")
    assert output.err.count("\n") == 1
    assert output.out == ""


@pytest.mark.usefixtures("folder")
def test_check_counts_no_training(monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    assert call(monkeypatch, "check", "sweep.yaml") == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "at most 0 training images and 1,728 network evaluations" in told  # 3 x 64 x 9


def test_ctrl_c_ends_with_130_and_keeps_what_is_done(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    from study.trained import rescore as rescoring

    measure = rescoring.evaluate

    def press(family: Any, spec: Any, *arguments: Any, **more: Any) -> Any:
        monkeypatch.setattr(rescoring, "evaluate", pressed)
        return measure(family, spec, *arguments, **more)

    def pressed(*arguments: Any, **more: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(rescoring, "evaluate", press)
    assert call(monkeypatch, "rescore", "small") == 130
    assert "the same command goes on from what is done" in capsys.readouterr().err
    storage = Storage.from_uri(str(folder / "studies"))
    sql = "select trial from scores where stage = 'rescore'"
    assert query(storage, sql)["trial"].to_pylist() == [0]


@pytest.mark.usefixtures("folder")
def test_json_alone(monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    arguments = ["rescore", "--samples", "30", "--top", "1", "--format", "json", "--quiet"]
    assert call(monkeypatch, *arguments) == 0
    output = capsys.readouterr()
    assert output.err == ""
    shown = json.loads(output.out)
    assert (shown["study"], shown["measured"], shown["kept"]) == ("small", 1, 0)
    (group,) = shown["rescored"]
    assert group["measured"]["samples"] == 30
    assert [row["trial"] for row in group["trials"]] == [0]
