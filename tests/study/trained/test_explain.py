from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from PIL import Image
from trained_trials import MODELS, trained

from models.family import Family
from study import cli
from study.api import Results, open_study
from study.diagnostics.catalogue import DIAGNOSTICS, Diagnostic
from study.diagnostics.descriptions import DESCRIPTIONS
from study.diagnostics.subject import Finding, Subject
from study.results.storage import Storage
from study.spec import UserError
from study.trained.explain import chosen_names, explain_trial
from study.trained.picture_folder import to_png

pytestmark = pytest.mark.slow

FEW = 16


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    place = Storage.from_uri(str(tmp_path / "studies"))
    place.claim("small", "name: small")
    return place


@pytest.mark.parametrize("kind", MODELS)
def test_each_family_is_explained(
    storage: Storage, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained(storage, kind=kind)
    titles: list[str] = []

    def png(figure: Figure) -> bytes:
        titles.append(figure.get_suptitle())
        return to_png(figure)

    monkeypatch.setattr("study.trained.picture_folder.to_png", png)
    seen: list[str] = []
    found = explain_trial(storage, "small", 0, watch=seen.append, samples=FEW)
    assert (found.trial, found.epoch, found.family) == (0, 1, kind)
    names = [row.name for row in found.explained]
    assert names == seen
    assert {*names}.isdisjoint(found.skipped)
    assert {*names, *found.skipped} == {*DIAGNOSTICS}
    assert not [row.headline for row in found.explained if "not possible" in row.headline]
    folder = Path(storage.path("small/explain/trial-0000"))
    assert found.folder == str(folder)
    files = [file for row in found.explained for file in row.files]
    assert len(titles) == len(files)
    whose = f"study small, trial 0 ({kind}), epoch 1, fd_pixels 2 (N = 64 images)"
    for title in titles:
        assert " ".join(title.split()).endswith(whose)
        assert title.splitlines()[0] != whose
    assert sorted(files) == sorted(path.name for path in folder.iterdir())
    for file in files:
        with Image.open(folder / file) as picture:
            assert min(picture.size) > 50
    results = Results("small", storage)
    pictures = results.artifacts.query("kind == 'picture'")
    assert sorted(pictures["path"]) == sorted(f"small/explain/trial-0000/{file}" for file in files)
    rows = results.diagnostics
    assert {*rows["diagnostic"]} == {*names} - {"strips"}  # which is pictures alone
    assert (rows["epoch"] == 1).all()
    distance = rows.query("diagnostic == 'samples' and quantity == 'fd_pixels'").iloc[0]
    scored = results.scores.iloc[0]
    assert (distance["embedder"], distance["reference"]) == (
        scored["embedder"],
        scored["reference"],
    )


def test_two_images_are_enough_for_what_is_possible(storage: Storage) -> None:
    """One to train on and one held out: what takes more says so, and the rest is done."""
    trained(
        storage,
        data={"count": 2, "split": {"kind": "leave_one_out", "image": 1}},
        score={"against": "everything", "samples": 16},
    )
    found = explain_trial(storage, "small", 0, samples=FEW)
    told = {row.name: row.headline for row in found.explained}
    assert told.keys() >= {"samples", "neighbours", "bound", "latents", "collapse"}
    assert told["neighbours"].startswith("not possible: ")
    assert told["latents"].startswith("not possible: ")
    assert "bits" in told["bound"]


def test_the_same_seed_finds_the_same_and_another_does_not(storage: Storage) -> None:
    trained(storage)
    frames = []
    for seed in (0, 0, 1):
        explain_trial(storage, "small", 0, only=["samples", "noise"], seed=seed, samples=FEW)
        frame = Results("small", storage).diagnostics
        frames.append(frame[frame["seed"] == seed].set_index(["quantity", "x"])["value"])
    first, again, other = frames
    assert first.equals(again)
    assert len(first) == len(other)
    assert not first.equals(other)


def test_the_best_trial_is_looked_at_by_default(storage: Storage) -> None:
    for number, value in enumerate((3.0, 1.0, 2.0)):
        trained(storage, number, value=value)
    assert explain_trial(storage, "small", only=["curves"], samples=FEW).trial == 1


def test_a_folder_of_ones_own(storage: Storage, tmp_path: Path) -> None:
    trained(storage)
    folder = tmp_path / "my" / "pictures"
    found = explain_trial(storage, "small", 0, only=["schedules"], folder=folder, samples=FEW)
    assert found.folder == str(folder)
    assert {path.name for path in folder.iterdir()} == {"schedules.png", "decay.png"}
    assert not storage.exists("small/explain")
    assert {*Results("small", storage).artifacts["kind"]} == {"samples"}
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match=r"file/schedules.png: cannot be written"):
        explain_trial(
            storage, "small", 0, only=["schedules"], folder=tmp_path / "file", samples=FEW
        )


def test_names_keep_the_order_of_the_diagnostics() -> None:
    assert chosen_names(["noise", "curves", "noise"]) == ["curves", "noise"]
    assert chosen_names([]) == [*DIAGNOSTICS]


Call = Callable[..., int]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, storage: Storage) -> Call:
    monkeypatch.setenv("STUDY_STORAGE", storage.uri)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["study", "explain", *arguments])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        assert isinstance(caught.value.code, int)
        return caught.value.code

    return run


def test_the_command_prints_what_was_found(
    storage: Storage, call: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    trained(storage)
    assert call("small", "--only", "bound", "--full") == 0
    output = capsys.readouterr()
    lines = output.out.splitlines()
    assert lines[0] == "trial 0 of small (ddpm), epoch 1"
    assert any(
        line.strip().startswith("bound") and "bits per dimension" in line and "bound.png" in line
        for line in lines
    )
    assert "from all 50 terms" in output.out
    assert lines[-1] == f"pictures in {storage.path('small/explain/trial-0000')}"
    assert "bound ..." in output.err
    assert len(open_study("small", storage.uri).diagnostics) > 50


def test_mistakes_are_one_line(
    storage: Storage, call: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments, message in (
        (["smal"], "did you mean 'small'?"),
        (["small"], "no trial of study 'small' has a score yet"),
        (["small", "7"], "no trial 7 in study 'small'"),
        (["small", "--only", "nois"], "--only nois: no such diagnostic; known are curves, folds"),
        (["small", "--only", "nois"], "did you mean noise?"),
        (["small", "0", "--samples", "3"], "--samples is 3, but must be in 16 .. 10000"),
    ):
        assert call(*arguments) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1


def test_a_diagnostic_that_does_not_apply_is_a_mistake_if_it_was_asked_for(
    storage: Storage, call: Call, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    trained(storage, kind="gan")
    folder = tmp_path / "pictures"
    for name in ("noise", "folds"):
        assert call("small", "0", "--only", "curves", "--only", name, "-o", str(folder)) == 2
        output = capsys.readouterr()
        assert output.out == ""
        assert output.err.count("\n") == 1
        assert f"--only {name} (" in output.err
        assert "a gan: those that do are curves, samples, neighbours, collapse, latents" in (
            output.err
        )
    assert not folder.exists()
    assert not storage.exists("small/explain")
    assert call("small", "0") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2].startswith("do not apply to it: folds, schedules, gaussianity")


def test_what_was_asked_for_and_cannot_be_done_is_a_mistake(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_few(subject: Subject) -> Finding:
        raise UserError("too few images")

    trained(storage)
    monkeypatch.setattr(
        "study.trained.explain.DIAGNOSTICS",
        {**DIAGNOSTICS, "samples": Diagnostic(too_few, (Family,))},
    )
    with pytest.raises(UserError, match="--only samples: not possible: too few images"):
        explain_trial(storage, "small", 0, only=["samples"], samples=FEW)


def test_the_help_lists_the_diagnostics(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--help") == 0
    told = " ".join(capsys.readouterr().out.split())
    for name, about in DESCRIPTIONS.items():
        assert f"{name} {about}" in told


def test_a_fault_of_our_own_is_not_reported_as_not_possible(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(subject: Subject) -> Finding:
        raise ValueError("shapes [1, 8] and [2, 8] do not match")

    trained(storage)
    broken = Diagnostic(fail, (Family,))
    monkeypatch.setattr("study.trained.explain.DIAGNOSTICS", {**DIAGNOSTICS, "samples": broken})
    with pytest.raises(ValueError, match="do not match"):
        explain_trial(storage, "small", 0, only=["samples"])
