from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
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


def test_shares_of_the_modes_are_drawn() -> None:
    modes = collapse.Modes(["0", "1"], torch.tensor([3, 1]), torch.tensor([10, 10]), "label")
    (panel,) = collapse.collapse_figure(modes).axes
    heights = [bar.get_height() for bars in panel.containers for bar in bars]
    assert heights == [50, 50, 75, 25]
    assert "2 of 2" in panel.get_title()
