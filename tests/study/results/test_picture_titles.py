from __future__ import annotations

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from study.results.picture_titles import add_title, picture_title, set_title


def test_a_title_says_what_and_whose() -> None:
    title = picture_title(
        "Samples", study="s", trials=3, epoch=9, metric="fid", value=12.345, samples=5000
    )
    assert title == "Samples\nstudy s, trial 3, epoch 9, fid 12.35 (N = 5,000 images)"
    assert picture_title("Curves", study="s", trials="4 trials") == "Curves\nstudy s, 4 trials"
    assert picture_title(study="s", trials=0) == "study s, trial 0"
    assert picture_title("Samples") == "Samples"


def test_long_titles_are_wrapped_and_no_panel_shrinks() -> None:
    figure = Figure(figsize=(4, 3), layout="constrained")
    figure.subplots()
    set_title(figure, "one line")
    assert figure.get_size_inches()[1] > 3
    before = figure.get_size_inches()[1]
    add_title(figure, "many words " * 12)
    lines = figure.get_suptitle().splitlines()
    assert lines[0] == "one line"
    assert len(lines) > 3
    assert figure.get_size_inches()[1] > before + 0.5
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    text = figure._suptitle  # type: ignore[attr-defined]
    assert text.get_window_extent(canvas.get_renderer()).width < figure.bbox.width
