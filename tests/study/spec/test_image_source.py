from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from study.spec.image_source import ImageSource, summarise_images
from study.spec.left_out import LeftOut, Reason


def test_a_folder_is_summarised_by_its_headers(tmp_path: Path) -> None:
    for name, size in (("a.png", (9, 12)), ("b.png", (9, 12)), ("c.png", (5, 6))):
        Image.new("L", size).save(tmp_path / name)
    (tmp_path / "broken.png").touch()
    (tmp_path / "notes.txt").write_text("no picture")
    assert summarise_images(str(tmp_path)) == ImageSource(
        count=3,
        sizes={(12, 9): 2, (6, 5): 1},
        channels=1,
        labels=False,
        left_out=(
            LeftOut("broken.png", Reason.UNREADABLE),
            LeftOut("notes.txt", Reason.NO_PICTURE),
        ),
    )
    Image.new("RGB", (5, 6)).save(tmp_path / "d.png")
    assert summarise_images(str(tmp_path)).channels == 3


def test_an_array_is_summarised_by_its_header(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", np.zeros((5, 12, 9, 3), np.uint8), np.arange(5))
    assert summarise_images(str(tmp_path / "a.npz")) == ImageSource(5, {(12, 9): 5}, 3, True)
    np.save(tmp_path / "a.npy", np.zeros((5, 1, 64), np.uint8))
    assert summarise_images(str(tmp_path / "a.npy")) == ImageSource(5, {(8, 8): 5}, 1, False)
    with pytest.raises(ValueError, match="there is no"):
        summarise_images(str(tmp_path / "gone"))
