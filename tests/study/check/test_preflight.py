from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from PIL import Image
from specs import study_file
from study_trees import changed, parse_study

from study.check import preflight as preflighting
from study.check.preflight import preflight
from study.check.report import check_study
from study.driver.messages import Assignment
from study.lanes import run as running
from study.lanes.run import run_study
from study.results.storage import Storage
from study.spec import StudyFile, UserError
from study.worker import workbench
from study.worker.team import Team
from study.worker.trial import TrialRun
from study.worker.workbench import Workbench


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten pictures, and one that is none."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(10):
        pixels = np.full((20, 16, 3), 20 * number, np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    (folder / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return folder


def own(folder: Path, on_error: str) -> StudyFile:
    data = {"dataset": str(folder), "size": 8, "on_error": on_error}
    return study_file(data=data)


def test_a_broken_picture_is_named_before_anything_starts(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(address: str | None) -> None:
        raise AssertionError("no cluster is wanted for a study that cannot run")

    monkeypatch.setattr(running, "connect", never)
    storage = Storage.from_uri(str(tmp_path / "studies"))
    with pytest.raises(UserError, match=r"torn\.png") as caught:
        run_study(own(folder, "fail"), storage)
    assert "\n" not in str(caught.value)
    assert storage.studies() == []
    with pytest.raises(UserError, match=r"torn\.png"):
        check_study(own(folder, "fail"))


def test_skipping_is_for_the_asking(folder: Path) -> None:
    preflight(own(folder, "skip"), Storage.from_uri(str(folder)))


def test_what_is_left_out_is_told_where_a_study_runs_and_is_checked(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (folder / "notes.txt").write_text("no picture")
    line = (
        "pictures: left out: 1 file that is no picture (notes.txt), "
        "1 picture that can not be read (torn.png)"
    )
    storage = Storage.from_uri(str(tmp_path / "studies"))
    assert line in preflight(own(folder, "skip"), storage)
    check_study(own(folder, "skip"), storage=storage)
    assert f"\n  {line}\n" in capsys.readouterr().out

    class Shown(Exception):
        pass

    class Nowhere:
        available: ClassVar = ({"CPU": 2.0, "GPU": 0.0},)
        dashboard = ""

    @contextmanager
    def connect(address: str | None, name: str) -> Iterator[Nowhere]:
        yield Nowhere()

    class LastLine:
        """A display that ends the run when the line is shown."""

        def message(self, text: str) -> None:
            if text == line:
                raise Shown

        def close(self) -> None:
            pass

    monkeypatch.setattr(running, "connect", connect)
    monkeypatch.setattr(running, "check_shared", lambda storage, placement: None)
    with pytest.raises(Shown):
        run_study(own(folder, "skip"), storage, display=LastLine())  # type: ignore[arg-type]


def test_every_branch_is_looked_at(folder: Path, tmp_path: Path) -> None:
    """Skipped pictures are not counted beforehand: the last one to leave out is not there."""
    data = {"dataset": str(folder), "size": 8, "on_error": "skip"}
    split = {"kind": "leave_one_out", "image": {"int": [0, 10]}}
    file = study_file(data={**data, "split": split}, score={"against": "everything"})
    with pytest.raises(UserError, match="10"):
        preflight(file, Storage.from_uri(str(tmp_path / "studies")))


def test_a_set_that_is_not_to_be_had_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere(dataset: str, preparation: object) -> None:
        raise UserError(f"{dataset} is nowhere")

    monkeypatch.setattr(workbench, "load_images", nowhere)
    storage = Storage.from_uri(str(tmp_path))
    with pytest.raises(UserError, match="mnist is nowhere"):
        preflight(study_file(data={"dataset": "mnist"}), storage)
    preflight(study_file(), storage)  # digits come along: nothing is loaded


OWN = """
import torch
from torch import nn

class Scale(nn.Module):
    def __init__(self, image_shape, start=1.0):
        super().__init__()
        self.scale = nn.Parameter(torch.full((1, *image_shape), start))

    def forward(self, x_t, t):
        return self.scale * x_t

class Small(Scale):
    def forward(self, x_t, t):
        return super().forward(x_t, t)[..., :3]
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "own_scale.py").write_text(OWN)
    (tmp_path / "torn_module.py").write_text("def broken(:\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    sys.modules.pop("own_scale", None)


def with_network(path: str, **options: Any) -> StudyFile:
    return study_file(model={"network": {"kind": "custom", "path": path, "options": options}})


@pytest.mark.parametrize(
    ("path", "options", "message"),
    [
        ("own_scale:Missing", {}, "`own_scale` has no class `Missing`"),
        ("nowhere_at_all:Net", {}, "No module named 'nowhere_at_all'"),
        ("torn_module:Net", {}, "torn_module.py"),
        ("own_scale:Scale", {"width": 3}, "unexpected keyword argument 'width'"),
        ("own_scale:Small", {}, r"does not take 2 images of \[1, 8, 8\]"),
    ],
)
def test_a_network_of_ones_own_that_does_not_fit_is_one_line(
    module: Path, path: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message) as caught:
        preflight(with_network(path, **options), Storage.from_uri(str(module)))
    assert "\n" not in str(caught.value)


def test_a_network_of_ones_own_is_checked_trained_and_sampled(module: Path) -> None:
    file = with_network("own_scale:Scale", start=0.5)
    storage = Storage.from_uri(str(module / "studies"))
    preflight(file, storage)
    spec = file.study
    trial = TrialRun(Assignment("own", 0, 0, spec), Workbench(storage, torch.device("cpu")), Team())
    report = trial.advance(lambda: False, lambda step: None)
    assert report.score is not None
    assert report.parameters == 64


def test_what_the_device_does_not_have_is_told_by_the_check() -> None:
    with pytest.raises(UserError, match="`precision` is 'tf32', which a cpu does not have"):
        check_study(study_file(train={"precision": "tf32"}))


def test_the_embedder_of_the_finals_is_looked_at(module: Path) -> None:
    finals = {"metric": "fd", "embedder": "nowhere_at_all:Net"}
    with pytest.raises(UserError, match="No module named 'nowhere_at_all'"):
        preflight(study_file(finalists=finals), Storage.from_uri(str(module)))


def test_what_is_read_and_tried_is_told_before(folder: Path, module: Path) -> None:
    told: list[str] = []
    preflight(own(folder, "skip"), Storage.from_uri(str(folder)), told.append)
    assert told == [f"reading {folder}"]
    told.clear()
    preflight(with_network("own_scale:Scale"), Storage.from_uri(str(module)), told.append)
    assert told == ["trying the model of your own on 2 images"]


def test_what_branches_share_is_read_and_tried_once(
    folder: Path, module: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []
    monkeypatch.setattr(preflighting, "_try_embedder", lambda name, *more: tried.append(name))
    told: list[str] = []
    data = {"dataset": str(folder), "size": 8, "on_error": "skip"}
    file = parse_study(changed(data=data, score={"metric": "fd", "embedder": "own:Net"}))
    assert len(file.branches()) > 1
    preflight(file, Storage.from_uri(str(module)), told.append)
    assert told == [f"reading {folder}", "trying the embedder own:Net"]
    assert tried == ["own:Net"]
