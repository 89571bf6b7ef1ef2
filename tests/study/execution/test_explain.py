from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from specs import study

from models.training import Step
from study import cli
from study.api import Results, open_study
from study.diagnostics.catalogue import DIAGNOSTICS
from study.execution.explain import best_trial, chosen_names, explain_trial
from study.execution.messages import Assignment
from study.execution.team import Team
from study.execution.trial import TrialRun
from study.execution.workbench import Workbench
from study.results.ledger import Ledger
from study.results.storage import Storage
from study.results.tables import ArtifactRow, ReportRow, ScoreRow, TrialRow
from study.spec import UserError

MODELS: dict[str, dict[str, Any]] = {
    "ddpm": {},
    "morphing": {
        "family": "morphing",
        "towards": {"dataset": "digits", "count": 100},
        "timesteps": 50,
        "schedule": {"kind": "cosine"},
        "network": {"kind": "unet", "channels": [4, 8]},
    },
    "gan": {
        "family": "gan",
        "latent": 8,
        "generator": {"kind": "dcgan", "channels": [8]},
        "discriminator": {"kind": "dcgan", "channels": [8]},
    },
}
NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)
FEW = 16


def never() -> bool:
    return False


def ignore(step: Step) -> None:
    pass


def trained(storage: Storage, number: int = 0, kind: str = "ddpm", value: float = 2.0) -> None:
    """A trial in the ledger, as the conductor leaves it after an epoch."""
    sections: dict[str, Any] = {"train": {"epochs": 1}}
    spec = study(**sections).model_dump(mode="json")
    if MODELS[kind]:
        spec = type(study()).model_validate({**spec, "model": MODELS[kind]}).model_dump(mode="json")
    bench = Workbench(storage, torch.device("cpu"))
    trial = TrialRun(Assignment("small", number, number, spec, None), bench, Team())
    report = trial.advance(never, ignore)
    score, samples = report.score, report.samples
    assert score is not None
    assert samples is not None
    with Ledger(storage, "small") as ledger:
        ledger.append(
            ReportRow(
                trial=number,
                epoch=1,
                images_seen=report.images_seen,
                seconds=report.seconds,
                loss=report.epochs[0].loss,
                value=value,
            )
        )
        ledger.append(
            ScoreRow(
                trial=number,
                epoch=1,
                stage="search",
                metric=score.metric,
                value=value,
                samples=score.samples,
                sampler=score.sampler,
                steps=score.steps,
                seed=score.seed,
                embedder=score.embedder,
                reference=score.reference,
                seconds=score.seconds,
            )
        )
        ledger.append(
            ArtifactRow(
                trial=number, epoch=1, kind="samples", path=samples.name, bytes=samples.bytes
            )
        )
        ledger.append(
            TrialRow(
                trial=number,
                state="complete",
                value=value,
                epoch=1,
                seed=number,
                started=NOW,
                ended=NOW,
                spec=json.dumps(spec),
                spec_hash=f"{number:04x}",
            )
        )


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    place = Storage.from_uri(str(tmp_path / "studies"))
    place.claim("small", "name: small")
    return place


@pytest.mark.parametrize("kind", MODELS)
def test_each_family_is_explained(storage: Storage, kind: str) -> None:
    trained(storage, kind=kind)
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
    assert best_trial(storage, "small") == 1
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
    assert call("small", "--only", "bound", "--only", "starts", "--samples", "16") == 0
    output = capsys.readouterr()
    lines = output.out.splitlines()
    assert lines[0] == "trial 0 of small (ddpm), epoch 1"
    assert any(
        line.strip().startswith("bound") and "bits per dimension" in line and "bound.png" in line
        for line in lines
    )
    assert "not for a ddpm: starts" in lines
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
        (["small", "--only", "nois"], "--only nois: no such diagnostic; known are curves, samples"),
        (["small", "--only", "nois"], "did you mean noise?"),
    ):
        assert call(*arguments) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
    assert call("small", "--samples", "3") == 2
    assert "--samples" in capsys.readouterr().err
