from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.container import BarContainer
from subjects import make_subject, repeating

from study.data import ImageSet, load_images, split
from study.diagnostics import collapse
from study.diagnostics.subject import Finding

PARTS = split(load_images("digits"))
RANDOM = np.random.default_rng(0)


def numbers(finding: Finding) -> dict[str, float]:
    return {measure.quantity: measure.value for measure in finding.measures}


def test_one_digit_alone_is_a_collapse(tmp_path: Path) -> None:
    assert PARTS.held_out.labels is not None
    threes = PARTS.held_out.images[PARTS.held_out.labels == 3]
    subject = make_subject(tmp_path, generated=repeating(threes), samples=128)
    measured = numbers(collapse.diagnose(subject))
    assert measured["modes"] == 10
    assert measured["modes_found"] <= 2
    assert measured["divergence"] == pytest.approx(math.log(10), abs=0.2)
    assert measured["different_bins"] == 1
    assert measured["recall"] < 0.2
    assert measured["precision"] > 0.8


def test_real_digits_are_no_collapse(tmp_path: Path) -> None:
    new = RANDOM.permutation(PARTS.held_out.images)
    subject = make_subject(tmp_path, generated=repeating(new), samples=200)
    measured = numbers(collapse.diagnose(subject))
    assert measured["modes_found"] == 10
    assert measured["divergence"] < 0.08
    assert measured["recall"] > 0.8


def test_images_without_labels_have_clusters(tmp_path: Path) -> None:
    unlabelled = ImageSet("digits", load_images("digits").images)
    assert PARTS.held_out.labels is not None
    threes = PARTS.held_out.images[PARTS.held_out.labels == 3]
    one = make_subject(tmp_path, images=unlabelled, generated=repeating(threes))
    all_kinds = repeating(RANDOM.permutation(PARTS.held_out.images))
    other = make_subject(tmp_path, images=unlabelled, generated=all_kinds, samples=200)
    collapsed, varied = numbers(collapse.diagnose(one)), numbers(collapse.diagnose(other))
    assert collapsed["modes"] == varied["modes"] == 50
    assert collapsed["modes_found"] < 15 < 40 < varied["modes_found"]
    assert collapsed["divergence"] > 4 * varied["divergence"]


def test_shares_of_the_modes_are_drawn_with_their_names_and_errors() -> None:
    names = ["boot", "bag", "coat"]
    counts = torch.tensor([90, 30, 0]), torch.tensor([40, 40, 40])
    figure = collapse.collapse_figure(collapse.Modes(names, *counts, "label"))
    (panel,) = figure.axes
    bars = [each for each in panel.containers if isinstance(each, BarContainer)]
    heights = [bar.get_height() for each in bars for bar in each]
    assert heights == pytest.approx([100 / 3] * 3 + [75, 25, 0])
    assert [text.get_text() for text in panel.get_xticklabels()] == names
    title = " ".join(figure.get_suptitle().split())
    assert "2 of 3 modes found (missing: coat) in N = 120 samples" in title
    (legend,) = figure.legends
    labels = [text.get_text() for text in legend.get_texts()]
    assert {"real, N = 120", "generated, N = 120"} < {*labels}
    assert any("differs from the real share" in label for label in labels)
    for each in bars:
        assert each.errorbar is not None
        assert each.errorbar.has_yerr


def test_error_bars_are_wilsons_and_do_not_vanish_where_nothing_was_made() -> None:
    share, reach = collapse.shares(torch.tensor([90, 30, 0]))
    assert share.tolist() == [75, 25, 0]
    # Wilson 1927: centre and half width of the score interval.
    z, n, p = 1.959964, 120, 0.25
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert reach[:, 1] / 100 == pytest.approx([p - (centre - half), centre + half - p], rel=1e-5)
    assert reach[0, 2] == 0
    assert reach[1, 2] == pytest.approx(100 * z**2 / n / (1 + z**2 / n), rel=1e-5)


def test_many_clusters_are_all_numbered() -> None:
    names = [str(i) for i in range(50)]
    even = torch.full((50,), 8)
    figure = collapse.collapse_figure(collapse.Modes(names, even, even, "cluster"))
    assert [text.get_text() for text in figure.axes[0].get_xticklabels()] == names
    assert len(figure.legends[0].get_texts()) == 2  # none differs, so no star


def test_labels_of_fashion_are_classes() -> None:
    images = np.zeros((20, 1, 8, 8), np.uint8)
    images[10:] = 255
    labels = np.repeat([2, 9], 10).astype(np.int64)
    features = torch.tensor(images).flatten(1).float()
    for name, names in (("fashion_mnist", ["pullover", "ankle boot"]), ("mnist", ["2", "9"])):
        modes = collapse.find_modes(features[:3], ImageSet(name, images, labels), features, 0)
        assert modes.names == names
        assert modes.generated.tolist() == [3, 0]
