from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from subjects import build, make_subject

from study.diagnostics.paths import CLEAN, PREDICTED, Frame
from study.diagnostics.strips import diagnose, paths_figure, strips_figure


def levels(figure: Figure) -> list[list[float]]:
    """The level in the middle of each image of 10 x 10, by row."""
    canvas = np.asarray(figure.axes[0].images[0].get_array())
    rows = range(5, canvas.shape[0], 11)
    return [[round(float(canvas[y, x, 0]), 2) for x in range(5, canvas.shape[1], 11)] for y in rows]


def titles(figure: Figure) -> tuple[list[str], list[str]]:
    panel = figure.axes[0]
    across = [label.get_text() for label in panel.get_xticklabels()]
    return across, [label.get_text() for label in panel.get_yticklabels()]


def frame(t: int, *grey: float) -> Frame:
    """Images of 10 x 10, each of one level from 0 to 1."""
    return Frame(t, 2 * torch.tensor(grey).view(-1, 1, 1, 1).expand(-1, 1, 10, 10) - 1)


def test_forward_reads_from_left_to_right_and_backward_from_right_to_left() -> None:
    clean = frame(CLEAN, 0.0, 0.1).x
    forward = [frame(9, 0.2, 0.3), frame(19, 0.4, 0.5)]
    backward = [frame(9, 0.6, 0.7), frame(19, 0.8, 0.9), frame(CLEAN, 1.0, 0.95)]
    figure = strips_figure(clean, forward, backward, "ddim, 5 steps")
    across, down = titles(figure)
    assert across == ["clean", "t = 9", "t = 19"]
    assert down == ["forward 1  →", "forward 2  →", "backward 1  ←", "backward 2  ←"]
    assert levels(figure) == [
        [0.0, 0.2, 0.4],
        [0.1, 0.3, 0.5],
        [1.0, 0.6, 0.8],
        [0.95, 0.7, 0.9],
    ]
    assert "back by ddim, 5 steps" in " ".join(figure.get_suptitle().split())


def test_what_was_predicted_stands_below_its_state() -> None:
    def state(t: int, grey: float, predicted: float) -> Frame:
        return Frame(t, frame(t, grey).x, frame(t, predicted).x)

    frames = [state(9, 0.2, 0.6), state(CLEAN, 0.4, 0.4)]
    figure = paths_figure(frames, "ddim, 5 steps")
    assert titles(figure) == (["t = 9", "image"], ["path 1", f"{PREDICTED} 1"])
    assert levels(figure) == [[0.2, 0.4], [0.6, 0.4]]
    assert "N = 1 samples by ddim, 5 steps" in " ".join(figure.get_suptitle().split())
    figure = strips_figure(frame(CLEAN, 0.0).x, [frame(9, 0.1)], frames, "ddim, 5 steps")
    assert titles(figure)[1] == ["forward 1  →", "backward 1  ←", f"{PREDICTED} 1"]
    assert levels(figure) == [[0.0, 0.1], [0.4, 0.2], [1.0, 0.6]]  # none of the clean image


def test_a_path_is_a_row_that_ends_in_its_image() -> None:
    figure = paths_figure([frame(9, 0.2, 0.3), frame(CLEAN, 0.4, 0.5)], "ddim, 5 steps")
    assert titles(figure) == (["t = 9", "image"], ["path 1", "path 2"])
    assert levels(figure) == [[0.2, 0.4], [0.3, 0.5]]


@pytest.mark.parametrize("kind", ["ddpm", "morphing"])
def test_both_pictures_show_the_samplers_own_way(tmp_path: Path, kind: str) -> None:
    subject = make_subject(tmp_path, kind, family=build(kind))
    finding = diagnose(subject)
    assert finding.headline == f"5 paths by {subject.sampler}, 5 steps"
    strips, paths = finding.pictures["strips"], finding.pictures["paths"]
    assert isinstance(strips, Figure)
    assert isinstance(paths, Figure)
    assert titles(strips)[0] == ["clean", *(f"t = {t}" for t in (7, 15, 23, 31, 39))]
    across, down = titles(paths)
    assert (across[0], across[-1], len(down)) == ("t = 39", "image", 10)
    times = [int(title.removeprefix("t = ")) for title in across[:-1]]
    assert times == sorted(times, reverse=True)
    assert len(set(times)) == len(times) <= 5  # no more than the sampler takes


def test_a_single_step_is_told_as_one(tmp_path: Path) -> None:
    finding = diagnose(replace(make_subject(tmp_path), steps=1))
    assert finding.headline == "5 paths by ddim, 1 step"
