from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from specs import study_file

from study.execution import run as running
from study.execution.checking import check_study
from study.execution.run import run_study
from study.results.storage import Storage
from study.spec import StudyFile, UserError


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
    check_study(own(folder, "skip"))
