from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from subjects import make_subject, repeating

from study.data import ImageSet, load_images, split
from study.diagnostics import training_neighbours
from study.diagnostics.subject import Finding
from study.scoring.neighbours import nearest
from study.scoring.novelty import closeness, memorised

PARTS = split(load_images("digits"))


RANDOM = np.random.default_rng(0)


def flat(images: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> torch.Tensor:
    return torch.tensor(images).flatten(1).float() / 255


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
    close = closeness(flat[:2], flat, 3)
    figure = training_neighbours.neighbours_figure(train[:2], train, close, "title")
    (panel,) = figure.axes
    canvas = np.asarray(panel.images[0].get_array())
    sample, first, second = (canvas[:8, 9 * i : 9 * i + 8] for i in range(3))
    assert np.array_equal(sample, first)
    assert not np.array_equal(sample, second)
    captions = [text.get_text() for text in panel.texts]
    assert captions[:2] == ["", "0.000"]
    assert captions[2] == f"{float(close.neighbours.distances[0, 1]) / 8:.3f}"
    assert [text.get_text() for text in panel.get_yticklabels()] == [
        "1   copy 0.00",
        "2   copy 0.00",
    ]


def with_repetitions(times: int) -> ImageSet:
    """Digits, of which the first 20 are there so many times, each time a little different."""
    first = PARTS.train.images[:20].astype(int)
    again = [first + RANDOM.integers(-2, 3, first.shape) for _ in range(times - 1)]
    images = np.concatenate([PARTS.train.images, *again]).clip(0, 255).astype(np.uint8)
    return ImageSet("digits", images)


@pytest.mark.parametrize("times", [1, 2, 4])
def test_copies_of_what_the_training_set_holds_repeatedly_are_found(
    tmp_path: Path, times: int
) -> None:
    """Noise of a standard deviation of 4 levels on training images: near, and not equal."""
    train = with_repetitions(times)
    noise = RANDOM.normal(0, 4, (20, 1, 8, 8))
    copies = (PARTS.train.images[:20] + noise).round().clip(0, 255).astype(np.uint8)
    subject = make_subject(tmp_path, generated=repeating(copies), samples=20)
    finding = training_neighbours.diagnose(replace(subject, train=train))
    measured = numbers(finding)
    assert measured["memorised"] == 1
    assert finding.headline.startswith("100.0% memorised")
    title = " ".join(finding.pictures["suspects"].get_suptitle().split())
    assert "20 copies (ratio below 0.33) among N = 20 samples" in title
    # The ratio of the two smallest distances sees them only where an image is there once.
    two = nearest(flat(copies), flat(train.images), 2)
    assert float(memorised(two).double().mean()) == (1 if times == 1 else pytest.approx(0, abs=0.1))
    marks = [text.get_text() for text in finding.pictures["suspects"].axes[0].texts]
    assert sum(mark.endswith("=") for mark in marks) == 8 * (times - 1)


def test_equal_training_images_are_counted(tmp_path: Path) -> None:
    images = np.concatenate([PARTS.train.images, PARTS.train.images[:30]])
    subject = make_subject(tmp_path, generated=repeating(PARTS.held_out.images))
    finding = training_neighbours.diagnose(replace(subject, train=ImageSet("digits", images)))
    assert finding.headline.endswith(f"30 of {len(images)} training images are repetitions")
    assert numbers(finding)["repeated_training_images"] == 30


def test_no_copies_are_called_none() -> None:
    ratios = torch.tensor([0.94, 0.78, *([0.99] * 20), 0.8, 0.81, 0.82, 0.83, 0.84, 0.85])
    assert training_neighbours.suspects_title(ratios) == (
        "No copies among N = 28 samples: none has a ratio below 0.33; "
        "the 8 nearest have 0.78 to 0.94"
    )
    assert training_neighbours.suspects_title(torch.tensor([0.1, 0.5])) == (
        "1 copy (ratio below 0.33) among N = 2 samples; the 2 nearest have 0.10 to 0.50"
    )
