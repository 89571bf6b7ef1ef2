from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from toy_embedders import Blind, Mean, grey_patches

from study.trust.assessment import assess_metrics
from study.trust.assessment_figure import assessment_figure

SHORT = {"dead_pixels": (0, 0.5), "noise": (0, 8), "invasion": (0, 0.5)}


@pytest.mark.parametrize("colours", [1, 3])
def test_the_picture_shows_each_corruption(colours: int, tmp_path: Path) -> None:
    images = grey_patches(80)
    images = replace(images, images=images.images.repeat(colours, axis=1))
    found = assess_metrics(images, embedders=[Mean("mean", 1), Blind("blind", 3)], levels=SHORT)
    figure = assessment_figure(found)
    figure.savefig(tmp_path / "trust.png", dpi=40)
    assert len(figure.subfigs) == 3
    assert len(figure.axes) == 12
    shown = " ".join(text.get_text() for panel in figure.axes for text in panel.texts)
    assert "cannot tell" in shown
    assert "fd_mean" in shown
