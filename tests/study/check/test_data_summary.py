from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from specs import study_file

from study.check.data_summary import contact_sheet, summarise_data, write_contact_sheet
from study.results.storage import Storage
from study.spec import UserError
from study.worker.workbench import Workbench


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return Workbench(Storage.from_uri(str(tmp_path / "studies")), torch.device("cpu"))


def lines(bench: Workbench, **sections: Any) -> list[str]:
    return summarise_data(study_file(**sections), bench).lines()


def test_a_named_set_is_shown_as_it_is_trained_on(bench: Workbench) -> None:
    data = {"dataset": "digits", "size": 8, "channels": 3, "count": 50}
    assert lines(bench, data=data) == [
        "data: 50 images of digits (count=50, seed=0), 8 x 8 RGB, 10 classes of 5 images",
        "  40 for training, 10 held out (fraction, held_out 0.2)",
        "  prepared: RGB",
    ]


def test_a_folder_is_shown_with_what_is_left_out(bench: Workbench, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(10):
        wide = np.full((20, 16), 400 * number, np.uint16)
        Image.fromarray(wide).save(folder / f"{number}.png")
    (folder / "torn.png").touch()
    (folder / "notes.txt").write_text("no picture")
    data = {"dataset": str(folder), "size": 8, "channels": 1, "on_error": "skip"}
    shown = lines(bench, data=data)
    assert shown[0] == f"data: 10 images of {folder}, 8 x 8 grey, no labels"
    assert shown[1] == "  8 for training, 2 held out (fraction, held_out 0.2)"
    assert shown[3:] == [
        "  pictures: left out: 1 file that is no picture (notes.txt), "
        "1 picture that can not be read (torn.png)",
        "  pictures: the brightest level of the 16-bit images is 3600 of 65535, which leaves them "
        "dark: `levels: 4095` (--levels 4095) makes 4095 white",
    ]
    another = Workbench(bench.storage, bench.device)
    shown = lines(another, data={**data, "levels": 4095})
    assert not any("brightest" in line for line in shown)
    assert "16-bit levels of 0..4095" in shown[2]


def test_classes_of_different_sizes_and_several_splits(bench: Workbench, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", np.zeros((9, 8, 8), np.uint8), np.array([4] * 6 + [7] * 3))
    split = {"kind": "k_fold", "folds": 3, "fold": {"int": [0, 2]}}
    data = {"dataset": str(tmp_path / "a.npz"), "size": 8, "channels": 1, "split": split}
    shown = lines(bench, data=data, score={"against": "everything"})
    assert shown[0].endswith("8 x 8 grey, 2 classes of 3 to 6 images")
    assert shown[1].endswith(
        "6 for training, 3 held out (k_fold, folds 3, fold 0; the first of 2 splits to choose from)"
    )


def test_a_contact_sheet_has_the_pixels_that_are_trained_on(
    bench: Workbench, tmp_path: Path
) -> None:
    images = bench.images(study_file(data={"dataset": "digits", "size": 8}).study.data)
    sheet = np.asarray(contact_sheet(images))
    train = images.parts.train
    side = 8 * 8 + 8  # pixels eight times as large, and a line
    assert sheet.shape == (8 * side + 8, 8 * side + 8)
    cells = [
        sheet[row * side + 8 : (row + 1) * side : 8, column * side + 8 : (column + 1) * side : 8]
        for row in range(8)
        for column in range(8)
    ]
    assert train.labels is not None
    shown = [int(train.labels[(train.images[:, 0] == cell).all(axis=(1, 2))][0]) for cell in cells]
    assert shown == sorted(shown)
    assert set(shown) == set(range(10))
    write_contact_sheet(tmp_path / "sheet.png", images)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "sheet.png")), sheet)
    with pytest.raises(UserError, match=r"-o .*gone/a.png: cannot be written \(No such file"):
        write_contact_sheet(tmp_path / "gone" / "a.png", images)
