from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from subjects import make_subject, repeating

from study.data import load_images, split
from study.diagnostics import training_neighbours
from study.diagnostics.subject import Finding
from study.scoring.neighbours import nearest

PARTS = split(load_images("digits"))


RANDOM = np.random.default_rng(0)


def numbers(finding: Finding) -> dict[str, float]:
    return {measure.quantity: measure.value for measure in finding.measures}


def test_copies_of_training_images_are_reported(tmp_path: Path) -> None:
    copies = RANDOM.permutation(PARTS.train.images)
    measured = numbers(
        training_neighbours.diagnose(make_subject(tmp_path, generated=repeating(copies)))
    )
    assert measured["memorised"] == 1
    assert measured["nearest_distance"] == 0
    assert measured["authenticity"] == 0
    assert measured["memorised.held_out"] < 0.1


def test_real_digits_that_were_held_out_are_novel(tmp_path: Path) -> None:
    new = RANDOM.permutation(PARTS.held_out.images)
    measured = numbers(
        training_neighbours.diagnose(make_subject(tmp_path, generated=repeating(new)))
    )
    assert measured["memorised"] < 0.1
    assert measured["authenticity"] == pytest.approx(measured["authenticity.held_out"], abs=0.35)


def test_neighbours_stand_beside_their_sample() -> None:
    train = torch.tensor(PARTS.train.images[:50])
    flat = train.flatten(1).float() / 255
    neighbours = nearest(flat[:2], flat, 3)
    figure = training_neighbours.neighbours_figure(train[:2], train, neighbours, "title")
    (panel,) = figure.axes
    canvas = np.asarray(panel.images[0].get_array())
    sample, first, second = (canvas[:8, 9 * i : 9 * i + 8] for i in range(3))
    assert np.array_equal(sample, first)
    assert not np.array_equal(sample, second)
    captions = [text.get_text() for text in panel.texts]
    assert captions[:2] == ["", "0.000"]
    assert captions[2] == f"{float(neighbours.distances[0, 1]) / 8:.3f}"
