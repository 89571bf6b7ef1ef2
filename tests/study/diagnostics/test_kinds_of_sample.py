from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist
from subjects import make_subject, of_images

from study.data import ImageSet, load_images, split
from study.diagnostics import collapse, samples, training_neighbours
from study.diagnostics.subject import Finding
from study.scoring.neighbours import nearest

PARTS = split(load_images("digits"))
RANDOM = np.random.default_rng(0)


def numbers(finding: Finding) -> dict[str, float]:
    return {measure.quantity: measure.value for measure in finding.measures}


def test_copies_of_training_images_are_told(tmp_path: Path) -> None:
    copies = RANDOM.permutation(PARTS.train.images)
    found = numbers(
        training_neighbours.diagnose(make_subject(tmp_path, generated=of_images(copies)))
    )
    assert found["memorised"] == 1
    assert found["nearest_distance"] == 0
    assert found["authenticity"] == 0
    assert found["memorised.held_out"] < 0.1


def test_real_digits_that_were_held_out_are_novel(tmp_path: Path) -> None:
    new = RANDOM.permutation(PARTS.held_out.images)
    found = numbers(training_neighbours.diagnose(make_subject(tmp_path, generated=of_images(new))))
    assert found["memorised"] < 0.1
    assert found["authenticity"] == pytest.approx(found["authenticity.held_out"], abs=0.35)


def test_neighbours_stand_beside_their_sample() -> None:
    train = torch.tensor(PARTS.train.images[:50])
    flat = train.flatten(1).float() / 255
    found = nearest(flat[:2], flat, 3)
    figure = training_neighbours.neighbours_figure(train[:2], train, found, "title")
    (panel,) = figure.axes
    canvas = np.asarray(panel.images[0].get_array())
    sample, first, second = (canvas[:8, 9 * i : 9 * i + 8] for i in range(3))
    assert np.array_equal(sample, first)
    assert not np.array_equal(sample, second)
    captions = [text.get_text() for text in panel.texts]
    assert captions[:2] == ["", "0.000"]
    assert captions[2] == f"{float(found.distances[0, 1]) / 8:.3f}"


def test_one_digit_alone_is_a_collapse(tmp_path: Path) -> None:
    assert PARTS.held_out.labels is not None
    threes = PARTS.held_out.images[PARTS.held_out.labels == 3]
    subject = make_subject(tmp_path, generated=of_images(threes), samples=128)
    found = numbers(collapse.diagnose(subject))
    assert found["modes"] == 10
    assert found["modes_found"] <= 2
    assert found["divergence"] == pytest.approx(math.log(10), abs=0.2)
    assert found["different_bins"] == 1
    assert found["recall"] < 0.2
    assert found["precision"] > 0.8


def test_real_digits_are_no_collapse(tmp_path: Path) -> None:
    new = RANDOM.permutation(PARTS.held_out.images)
    subject = make_subject(tmp_path, generated=of_images(new), samples=200)
    found = numbers(collapse.diagnose(subject))
    assert found["modes_found"] == 10
    assert found["divergence"] < 0.08
    assert found["recall"] > 0.8


def test_images_without_labels_have_clusters(tmp_path: Path) -> None:
    unlabelled = ImageSet("digits", load_images("digits").images)
    assert PARTS.held_out.labels is not None
    threes = PARTS.held_out.images[PARTS.held_out.labels == 3]
    one = make_subject(tmp_path, images=unlabelled, generated=of_images(threes))
    all_kinds = of_images(RANDOM.permutation(PARTS.held_out.images))
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


def test_quality_and_variety_of_samples(tmp_path: Path) -> None:
    new = RANDOM.permutation(PARTS.held_out.images)
    real = numbers(samples.diagnose(make_subject(tmp_path, generated=of_images(new), samples=200)))
    one = numbers(
        samples.diagnose(make_subject(tmp_path, generated=of_images(new[:1]), samples=200))
    )
    assert real["fd_pixels"] < one["fd_pixels"]
    assert real["recall"] > 0.8 > 0.1 > one["recall"]
    assert (one["pairwise_distance"], one["unique_share"]) == (0, 1 / 200)
    assert real["unique_share"] > 0.99


def test_the_mean_distance_of_all_pairs_is_scipys() -> None:
    features = torch.randn(40, 6, generator=torch.Generator().manual_seed(0))
    expected = pdist(features.double().numpy()).mean()
    assert samples.mean_pairwise_distance(features) == pytest.approx(float(expected))


def test_a_distance_says_what_it_is_a_distance_to(tmp_path: Path) -> None:
    subject = make_subject(tmp_path)
    finding = samples.diagnose(subject)
    distance = finding.measures[0]
    identity = subject.scorer.identity
    assert (distance.quantity, distance.embedder) == ("fd_pixels", identity.embedder_digest)
    assert distance.reference == identity.reference_digest
    assert (distance.samples, distance.sampler, distance.steps) == (32, "ddim", 5)


def test_few_held_out_images_are_not_compared_with(tmp_path: Path) -> None:
    few = load_images("digits").take(np.arange(100), part="few")
    subject = make_subject(tmp_path, images=few)
    assert len(subject.held_out) == 20
    assert len(subject.real) == 80
