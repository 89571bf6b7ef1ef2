from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from image_streams import GREY, LABELS, RGB, saved, whole
from PIL import Image

from study.data import ImageSet
from study.data.opening import open_images
from study.data.streams import stream_of
from study.spec.errors import UserError


@pytest.mark.parametrize("source", ["npy", "npz", "folder", "set"])
def test_some_are_a_choice_of_chance_in_their_order(
    tmp_path: Path, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("study.data.npy_reader._BYTES_AT_ONCE", 2 * RGB[0].nbytes)
    if source == "folder":
        stream = open_images(str(saved(tmp_path / "f", RGB)))
    elif source == "set":
        stream = stream_of(ImageSet("x", RGB, LABELS))
    else:
        path = tmp_path / f"a.{source}"
        (np.save if source == "npy" else np.savez)(path, RGB)
        stream = open_images(str(path))
    chosen = stream.some(5, seed=1)
    assert (len(chosen), chosen.part) == (5, "count=5, seed=1")
    assert (np.diff(chosen.indices) > 0).all()
    np.testing.assert_array_equal(whole(chosen), RGB[chosen.indices])
    assert chosen.digest == stream.some(5, seed=1).digest
    others = [stream, stream.some(5, seed=2), stream.some(6, seed=1)]
    assert chosen.digest not in [other.digest for other in others]
    # Again of these, and singly in any order.
    fewer = chosen.some(3, seed=0)
    np.testing.assert_array_equal(whole(fewer), RGB[fewer.indices])
    assert fewer.part == "count=3, seed=0, of count=5, seed=1"
    for place, image in zip([4, 0, 4], chosen.at(np.array([4, 0, 4])), strict=True):
        np.testing.assert_array_equal(image, RGB[chosen.indices[place]])
    for count in (1, 12):
        with pytest.raises(UserError, match=rf"`samples` is {count}, but must be 2 to 11"):
            stream.some(count, seed=0)


def test_labels_go_with_their_images() -> None:
    chosen = stream_of(ImageSet("x", RGB, LABELS)).some(6, seed=3)
    np.testing.assert_array_equal(chosen.labels, LABELS[chosen.indices])
    assert chosen.in_memory().labels is not None


def test_pictures_of_different_sizes_come_as_they_are_in_runs_of_one_shape(tmp_path: Path) -> None:
    folder = saved(tmp_path / "f", RGB[:5])
    Image.fromarray(GREY[0, 0]).save(folder / "001b.png")
    Image.fromarray(RGB[0].transpose(1, 2, 0)[:7]).save(folder / "004b.png")
    stream = open_images(str(folder))
    shapes = [block.shape for block in stream.blocks(3)]
    assert shapes == [(2, 3, 12, 10), (1, 1, 12, 10), (3, 3, 12, 10), (1, 3, 7, 10)]
    message = (
        r"`f` differ: 000.png is \[3, 12, 10\], 004b.png is \[3, 7, 10\] and 001b.png is "
        r"\[1, 12, 10\], but here all must have one size, as --size makes it, and as many channels"
    )
    with pytest.raises(UserError, match=message):
        stream.in_memory()
