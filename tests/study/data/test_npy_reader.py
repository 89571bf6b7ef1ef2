from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from numpy.lib import format as npy

from study.data.arrays import read_arrays
from study.data.npy_reader import stored_images
from study.spec.errors import UserError


def headed(shape: tuple[int, ...], *, fortran: bool = False, numbers: int = 128) -> bytes:
    """A `.npy` whose header says one shape, and which holds so many bytes."""
    file = io.BytesIO()
    header = {"descr": "|u1", "fortran_order": fortran, "shape": shape}
    npy.write_array_header_1_0(file, header)
    return file.getvalue() + bytes(numbers)


HEADS = {
    "negative": headed((-2, 8, 8)),
    "twice negative": headed((-2, -8, 8)),
    "wide": headed((2, 10**7, 10**7)),
    "long": headed((10**12, 8, 8), numbers=9 << 20),
    "columns": headed((2, 10**7, 10**6), fortran=True),
    "beyond 64 bits": headed((2**62, 8, 8)),
    "one short": headed((2, 8, 8), numbers=127),
    "not closed": b"\x93NUMPY\x01\x00\x50\x00{'shape': (((((".ljust(90) + bytes(20),
    "deep": b"\x93NUMPY\x01\x00" + (9000).to_bytes(2, "little") + b"(" * 9000,
    "of no version": b"\x93NUMPY\x04\x00\x10\x00\x00\x00" + b"x" * 100,
}


@pytest.mark.parametrize("ending", ["npy", "npz", "labels.npz"])
@pytest.mark.parametrize("payload", HEADS.values(), ids=HEADS.keys())
def test_a_header_that_lies_is_reported_before_anything_is_made_for_it(
    tmp_path: Path, payload: bytes, ending: str
) -> None:
    path = tmp_path / f"a.{ending}"
    if ending == "npy":
        path.write_bytes(payload)
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(f"{ending.removesuffix('.npz').replace('npz', 'images')}.npy", payload)
            if ending == "labels.npz":
                archive.writestr("images.npy", headed((2, 8, 8)))
    for read in (read_arrays, stored_images):
        with pytest.raises(UserError, match=r"The file .* can not be read") as caught:
            read(path)
        assert "\n" not in str(caught.value)
    if "but there are" in str(caught.value):
        assert str(caught.value).count(", of ") == 1


@pytest.mark.parametrize("packing", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
@pytest.mark.parametrize("start", [60, 150, 300, 2000])
def test_a_damaged_archive_of_any_packing_is_reported(
    tmp_path: Path, packing: int, start: int
) -> None:
    images = np.random.default_rng(0).integers(0, 256, (200, 1, 8, 8), dtype=np.uint8)
    unpacked = io.BytesIO()
    np.save(unpacked, images)
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w", packing) as archive:
        archive.writestr("images.npy", unpacked.getvalue())
    payload = np.frombuffer(path.read_bytes(), np.uint8).copy()
    payload[start : start + 100] ^= 0x5A
    path.write_bytes(payload.tobytes())
    with pytest.raises(UserError, match=r"The file .*a.npz can not be read"):
        read_arrays(path)
    with pytest.raises(UserError, match=r"The file .*a.npz can not be read"):
        list(stored_images(path)[0].rows())
