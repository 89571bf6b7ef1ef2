from __future__ import annotations

import io
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from PIL import Image

from study.results.ledger import Ledger
from study.results.reader import read_rows
from study.results.storage import Storage
from study.results.tables import ArtifactRow
from study.spec import UserError
from study.trained.picture_folder import PictureFolder, to_png


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    place = Storage.from_uri(str(tmp_path / "studies"))
    place.claim("small", "name: small")
    return place


def write(folder: PictureFolder) -> tuple[str, ...]:
    with Ledger(folder.storage, "small") as ledger:
        return folder.write({"noise": Figure(figsize=(2, 1))}, ledger, trial=3, epoch=2)


def test_the_ledger_knows_of_pictures_in_the_storage(storage: Storage) -> None:
    folder = PictureFolder(storage, "small/explain/trial-0003", None)
    assert folder.location == storage.locate("small/explain/trial-0003")
    assert write(folder) == ("noise.png",)
    (row,) = read_rows(storage, ArtifactRow, "small")
    assert (row.trial, row.epoch, row.kind) == (3, 2, "picture")
    assert row.path == "small/explain/trial-0003/noise.png"
    assert row.bytes == len(storage.read(row.path))


def test_another_folder_takes_its_place(storage: Storage, tmp_path: Path) -> None:
    folder = PictureFolder(storage, "small/explain/trial-0003", tmp_path / "new" / "pictures")
    assert folder.location == str(tmp_path / "new" / "pictures")
    assert write(folder) == ("noise.png",)
    assert (tmp_path / "new" / "pictures" / "noise.png").exists()
    assert read_rows(storage, ArtifactRow, "small") == []
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match=r"file/noise.png: cannot be written"):
        write(PictureFolder(storage, "small/explain/trial-0003", tmp_path / "file"))


def test_figures_become_png_files() -> None:
    with Image.open(io.BytesIO(to_png(Figure(figsize=(2, 1))))) as read:
        assert (read.format, read.size) == ("PNG", (300, 150))
