from __future__ import annotations

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from study.diagnostics.figures import image_rows, lines


def canvas(figure: Figure) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.asarray(figure.axes[0].images[0].get_array())


def test_images_keep_their_levels_and_colours() -> None:
    grey = torch.tensor([0, 51, 255], dtype=torch.uint8).view(3, 1, 1, 1).expand(3, 1, 10, 10)
    shown = canvas(image_rows({"grey": grey}, ["a", "b", "c"], "title"))
    assert shown.shape == (11, 32, 3)
    assert shown[5, [5, 16, 27], 0].tolist() == pytest.approx([0, 0.2, 1])
    colour = torch.tensor([-1.0, 0.0, 5.0]).view(1, 3, 1, 1).expand(2, 3, 10, 10)
    shown = canvas(image_rows({"colour": colour}, ["a", "b"], "title"))
    assert shown[5, 5].tolist() == [0, 0.5, 1]  # what is out of range is clamped


def test_noise_in_colour_is_scaled_and_not_clamped() -> None:
    noise = torch.tensor([-4.0, 0.0, 2.0]).view(1, 3, 1, 1).expand(1, 3, 10, 10)
    figure = image_rows({"noise": noise}, ["a"], "title", noise=["noise"])
    assert canvas(figure)[5, 5].tolist() == [0, 0.5, 0.75]
    assert figure.axes[1].get_ylabel() == "noise"


def test_a_short_row_stands_to_the_right() -> None:
    black, two = torch.zeros(3, 1, 10, 10, dtype=torch.uint8), torch.zeros(2, 1, 10, 10)
    shown = canvas(image_rows({"three": black, "two": two}, ["", "", ""], "title"))
    assert shown[16, [5, 16, 27], 0].tolist() == [1, 0.5, 0.5]


def test_every_curve_has_its_name_and_every_axis_its_unit() -> None:
    panel = Figure().subplots()
    curves = {name: ([0, 1], [1, 2]) for name in ("a", "b")}
    lines(panel, curves, x="t", y="loss", bold=["b"])
    assert (panel.get_xlabel(), panel.get_ylabel()) == ("t", "loss")
    legend = panel.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b"]
    assert panel.lines[1].get_linewidth() > panel.lines[0].get_linewidth()
