from __future__ import annotations

import numpy as np
import torch

from study.data import ImageSet
from study.data.streams import ImageStream, stream_of
from study.diagnostics.nearest_figure import nearest_figure
from study.scoring.novelty import closeness

RNG = np.random.default_rng(0)


def stream(images: list[np.ndarray]) -> ImageStream:
    return ImageStream(
        "mixed",
        np.arange(len(images)),
        lambda indices: ((str(index), images[index]) for index in indices),
        lambda: "0",
    )


def test_the_closest_are_shown_beside_what_they_are_close_to() -> None:
    real = RNG.integers(0, 256, (30, 1, 9, 9), dtype=np.uint8)
    generated = RNG.integers(0, 256, (20, 1, 9, 9), dtype=np.uint8)
    generated[13] = real[4]
    a, b = (torch.tensor(images).flatten(1).float() / 255 for images in (generated, real))
    figure = nearest_figure(
        stream_of(ImageSet("a", generated)),
        stream_of(ImageSet("b", real)),
        closeness(a, b, 3),
        "pixels",
        seed=0,
    )
    (panel,) = figure.axes
    rows = [text.get_text() for text in panel.get_yticklabels()]
    assert [row.partition("   ")[0] for row in rows] == [
        f"{kind} {i}" for kind in ("random", "closest") for i in range(1, 6)
    ]
    assert rows[5] == "closest 1   copy 0.00"
    title = " ".join(figure.get_suptitle().split())
    assert "10 of N = 20 generated images and the nearest of 30 real ones; 1 copy" in title
    columns = [text.get_text() for text in panel.get_xticklabels()]
    assert columns == ["generated", "nearest", "2.", "3."]
    captions = [text.get_text() for text in panel.texts]
    assert captions[5 * 4 + 1] == "0"  # the copy
    assert captions.count("0") == 1 + (13 in np.random.default_rng(0).permutation(20)[:5])
    canvas = panel.images[0].get_array()
    assert canvas is not None
    height = round(canvas.shape[0] / len(rows))
    top = 5 * height
    row = canvas[top : top + 9]
    np.testing.assert_array_equal(row[:, :9], row[:, 10:19])


def test_pictures_of_any_shapes_and_few_of_them() -> None:
    real = [RNG.integers(0, 256, shape, dtype=np.uint8) for shape in ((3, 300, 40), (1, 9, 9))]
    generated = [RNG.integers(0, 256, (3, 12, 20), dtype=np.uint8) for _ in range(2)]
    features = torch.tensor([[0.0], [1.0]])
    for count in (1, 2):
        figure = nearest_figure(
            stream(generated), stream(real), closeness(features, features + 0.1, count), "x", seed=0
        )
        assert len(figure.axes[0].get_yticklabels()) == 4
