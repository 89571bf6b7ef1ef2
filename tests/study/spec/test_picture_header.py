from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from study.spec.picture_header import PictureHeader, read_picture_header


@pytest.mark.parametrize(
    ("mode", "channels"),
    [("1", 1), ("L", 1), ("LA", 1), ("P", 3), ("RGB", 3), ("RGBA", 3), ("CMYK", 3)],
)
def test_size_and_channels_of_every_mode(tmp_path: Path, mode: str, channels: int) -> None:
    path = tmp_path / "a.tif"
    Image.new("RGB", (12, 9)).convert(mode).save(path)
    assert read_picture_header(path) == PictureHeader(9, 12, channels, 8)


@pytest.mark.parametrize("ending", ["png", "tif", "pgm"])
def test_16_bits_are_known(tmp_path: Path, ending: str) -> None:
    Image.fromarray(np.zeros((9, 12), np.uint16)).save(tmp_path / f"a.{ending}")
    assert read_picture_header(tmp_path / f"a.{ending}") == PictureHeader(9, 12, 1, 16)


def test_a_photograph_is_measured_upright(tmp_path: Path) -> None:
    for orientation, size in ((1, (9, 12)), (3, (9, 12)), (6, (12, 9)), (8, (12, 9))):
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.new("RGB", (12, 9)).save(tmp_path / "a.jpg", exif=exif.tobytes())
        header = read_picture_header(tmp_path / "a.jpg")
        assert header is not None
        assert (header.height, header.width) == size


def test_what_is_no_picture_has_no_header(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert read_picture_header(tmp_path / "a.png") is None
    assert read_picture_header(tmp_path / "gone.png") is None
