from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from study.data import ImageSet, Split, load_images, split
from study.data.opening import open_images
from study.data.streams import stream_of
from study.scoring import score_images
from study.scoring.image_input import alike, first, streamed
from study.spec.errors import UserError

RGB = np.arange(9 * 3 * 8 * 8, dtype=np.uint32).astype(np.uint8).reshape(9, 3, 8, 8)


@pytest.fixture(scope="module")
def digits() -> Split:
    return split(load_images("digits"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def test_labels_of_any_whole_type_on_any_device_are_taken(digits: Split, cache: Path) -> None:
    class Elsewhere(Tensor):
        """A tensor as it is on a GPU: NumPy cannot look into it."""

        def __array__(self, *_: Any) -> Any:  # type: ignore[override]
            raise TypeError("can't convert cuda:0 device type tensor to numpy")

        def detach(self) -> Tensor:
            return self.as_subclass(Tensor)

    assert digits.held_out.labels is not None
    whole = torch.tensor(digits.held_out.labels)
    found = {
        score_images(
            digits.train.images[:50],
            digits.held_out.images,
            labels=labels,
            embedder="pixels",
            metrics=["mode_divergence"],
            cache_folder=cache,
        )["mode_divergence"]
        for labels in (whole, whole.to(torch.uint8), whole.numpy(), whole.as_subclass(Elsewhere))
    }
    assert len(found) == 1


@pytest.mark.parametrize(
    "images", [torch.tensor(RGB), RGB, ImageSet("generated", RGB), stream_of(ImageSet("x", RGB))]
)
def test_whatever_holds_images_becomes_a_stream_of_them(images: Any) -> None:
    stream = streamed("generated", images)
    assert np.array_equal(np.concatenate([*stream.blocks(4)]), RGB)
    assert np.array_equal(first(stream).images, RGB[:1])


def test_a_stream_stays_what_it_is_and_others_are_called_by_their_side() -> None:
    stream = stream_of(ImageSet("set", RGB))
    assert streamed("generated", stream) is stream
    assert streamed("reference", ImageSet("set", RGB)).name == "set"
    assert streamed("reference", RGB).name == "reference"


def test_grey_becomes_colour_where_a_side_has_colours(digits: Split, cache: Path) -> None:
    grey = digits.train.images[:60]
    colour = digits.held_out.images[:60].repeat(3, axis=1)
    options: Any = {"embedder": "pixels", "metrics": ["fd", "recall"], "cache_folder": cache}
    expected = score_images(grey.repeat(3, axis=1), colour, **options)
    mended = score_images(grey, colour, **options)
    assert mended["fd"] == expected["fd"]
    note = (
        "The grey images of generated are taken as colour, by repetition, as others have colours."
    )
    assert note in mended.notes
    assert score_images(colour, grey, **options)["fd"] == pytest.approx(expected["fd"])
    assert not any("taken as colour" in each for each in expected.notes)
    both_grey = score_images(grey, digits.held_out, **options)
    assert not any("taken as colour" in each for each in both_grey.notes)


def test_a_folder_of_both_becomes_colour(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "mixed").mkdir()
    for index, pixels in enumerate(RGB):
        grey = index % 2 == 0
        picture = Image.fromarray(pixels[0] if grey else pixels.transpose(1, 2, 0))
        picture.save(tmp_path / "mixed" / f"{index}.png")
    stream = open_images(str(tmp_path / "mixed"))
    assert stream.channels == {1, 3}
    samples, real, notes = alike(stream, stream_of(ImageSet("x", RGB)), "pixels")
    assert real is not None
    assert (samples.channels, real.channels) == ({3}, {3})
    assert {block.shape[1:] for block in samples.blocks()} == {(3, 8, 8)}
    assert np.array_equal(samples.at(np.array([0]))[0], RGB[0, :1].repeat(3, axis=0))
    assert samples.preprocessing.endswith("; RGB")
    assert notes == (
        "The grey images of mixed are taken as colour, by repetition, as others have colours.",
    )
    options: Any = {"embedder": "pixels", "metrics": ["fd"], "cache_folder": cache}
    assert score_images(samples, RGB, **options)["fd"] == pytest.approx(
        score_images(stream, RGB, **options)["fd"]
    )


def test_inception_is_shown_grey_as_colour_and_it_is_said() -> None:
    grey, colour = (stream_of(ImageSet(name, RGB[:, :c])) for name, c in (("g", 1), ("c", 3)))
    samples, real, notes = alike(grey, colour, "inception")
    assert (samples, real) == (grey, colour)  # which repeats them itself
    assert notes == ("The grey images of g are taken as colour, by repetition, for inception.",)
    assert alike(colour, colour, "inception")[2] == ()
    assert len(alike(grey, None, "inception")[2]) == 1


MISTAKES: dict[str, tuple[Any, dict[str, Any], str]] = {
    "float tensor": (
        torch.linspace(0, 1, 1728).view(9, 3, 8, 8),
        {},
        r"given as generated are float32 .* from 0",
    ),
    "NaN": (np.full((9, 3, 8, 8), np.nan), {}, "given as generated are .* NaN or infinity"),
    "shape": (RGB[0], {}, r"uint8 \[3, 8, 8\], but must be \[N, C, H, W\], C being 1 or 3"),
    "channels": (RGB[:, :2], {}, r"uint8 \[9, 2, 8, 8\], but must be \[N, C, H, W\]"),
    "labels beside a set": (
        ImageSet("set", RGB, np.arange(9)),
        {"labels": np.arange(9)},
        "`labels` was given, but the generated images are a set or stream",
    ),
    "labels beside a stream": (
        stream_of(ImageSet("set", RGB)),
        {"labels": torch.arange(9)},
        "`labels` was given, but the generated images are a set or stream",
    ),
    "float labels": (RGB, {"labels": np.arange(9) / 2}, "labels of .* float64, but must be"),
    "labels below 0": (RGB, {"labels": np.arange(9) - 1}, "are -1 to 7, but must be 0 to"),
    "huge labels": (RGB, {"labels": np.full(9, 2**63, np.uint64)}, "but must be 0 to"),
}


@pytest.mark.parametrize(("images", "options", "message"), MISTAKES.values(), ids=MISTAKES.keys())
def test_mistakes_are_told_in_one_line(images: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        streamed("generated", images, **options)
    assert "\n" not in str(caught.value)
