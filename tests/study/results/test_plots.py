from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_rows import complete, pruned, report, running, score, write
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from study.results.plots import best_trials, image_grid, learning_curves, score_against
from study.results.query import query
from study.results.storage import Storage
from study.results.tables import ConfigValue


@given(
    count=st.integers(1, 9),
    channels=st.sampled_from([1, 3]),
    columns=st.none() | st.integers(1, 12),
    pad=st.integers(0, 3),
    scale=st.integers(1, 3),
)
@settings(max_examples=30)
def test_every_image_is_in_the_grid(
    count: int, channels: int, columns: int | None, pad: int, scale: int
) -> None:
    images = np.random.default_rng(0).integers(0, 256, (count, channels, 4, 5), dtype=np.uint8)
    grid = np.asarray(image_grid(images, columns, pad, scale))
    wide = min(columns or int(np.ceil(np.sqrt(count))), count)
    high = -(-count // wide)
    assert grid.shape[:2] == ((high * (4 + pad) + pad) * scale, (wide * (5 + pad) + pad) * scale)
    small = grid[::scale, ::scale].reshape(*(size // scale for size in grid.shape[:2]), channels)
    for index in range(count):
        top, left = pad + index // wide * (4 + pad), pad + index % wide * (5 + pad)
        found = small[top : top + 4, left : left + 5].transpose(2, 0, 1)
        assert np.array_equal(found, images[index])


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((1, 1, 4, 4), np.float32),
        np.zeros((1, 2, 4, 4), np.uint8),
        np.zeros((4, 4), np.uint8),
        np.zeros((0, 1, 4, 4), np.uint8),
    ],
)
def test_what_is_no_batch_of_images_is_refused(images: np.ndarray) -> None:
    with pytest.raises(ValueError, match="images"):
        image_grid(images)


@pytest.fixture
def studied(storage: Storage) -> Storage:
    storage.claim("s", "")
    for trial in range(6):
        value = 10.0 - trial
        config: dict[str, ConfigValue] = {
            "lr": 10.0 ** -(trial + 1),
            "kind": "ab"[trial % 2],
            "same": 1,
            "n": trial,
        }
        for epoch in (1, 2):
            last = value if epoch == 2 else None
            write(storage, "s", report(trial, epoch, 1 / epoch, last))
        end = pruned if trial == 4 else complete
        row = replace(end(trial, value, 2), config=config)
        write(storage, "s", score(trial, value, 2), row)
    write(storage, "s", running(6, lr=1.0))
    return storage


def frame(storage: Storage, table: str) -> pd.DataFrame:
    frame: pd.DataFrame = query(storage, f"FROM {table}").to_pandas()
    return frame


def drawn(figure: Figure) -> Figure:
    FigureCanvasAgg(figure).draw()
    return figure


def test_learning_curves_colour_the_leaders(studied: Storage) -> None:
    figure = drawn(learning_curves(frame(studied, "reports"), top=2))
    loss, objective = figure.axes
    assert len(loss.lines) == 6
    legend = objective.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["trial 5", "trial 4"]
    assert all(axes.get_xlabel() == "epoch" and axes.get_ylabel() for axes in figure.axes)


def test_score_against_each_parameter_that_varies(studied: Storage) -> None:
    figure = drawn(score_against(frame(studied, "trials")))
    panels = {axes.get_xlabel(): axes for axes in figure.axes if axes.get_visible()}
    assert set(panels) == {"lr", "kind", "n"}
    assert panels["lr"].get_xscale() == "log"
    assert panels["n"].get_xscale() == "linear"
    assert [text.get_text() for text in panels["kind"].get_xticklabels()] == ["a", "b"]


def test_the_best_trials(studied: Storage) -> None:
    table = best_trials(frame(studied, "trials"), frame(studied, "scores"), top=3)
    assert list(table["trial"]) == [5, 4, 3]
    assert list(table.columns) == ["trial", "score", "state", "epoch", "kind", "lr", "n"]
    assert list(table.index) == [1, 2, 3]


def test_an_empty_study_is_drawn(storage: Storage) -> None:
    drawn(learning_curves(frame(storage, "reports")))
    drawn(score_against(frame(storage, "trials")))
    assert best_trials(frame(storage, "trials"), frame(storage, "scores")).empty
