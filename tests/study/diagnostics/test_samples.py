from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from ledger_rows import score
from scipy.spatial.distance import pdist
from subjects import make_subject, repeating

from study.data import load_images, split
from study.diagnostics import samples
from study.diagnostics.subject import Finding

PARTS = split(load_images("digits"))


RANDOM = np.random.default_rng(0)


def numbers(finding: Finding) -> dict[str, float]:
    return {measure.quantity: measure.value for measure in finding.measures}


def test_quality_and_variety_of_samples(tmp_path: Path) -> None:
    new = RANDOM.permutation(PARTS.held_out.images)
    real = numbers(samples.diagnose(make_subject(tmp_path, generated=repeating(new), samples=200)))
    one = numbers(
        samples.diagnose(make_subject(tmp_path, generated=repeating(new[:1]), samples=200))
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


def test_another_score_than_the_studys_says_why(tmp_path: Path) -> None:
    for count, why in (
        (400, "the study's 2.5 is of 400 images, and scores of other N do not compare"),
        (32, "the study's 2.5 is of 32 images too, by other seeds"),
    ):
        subject = replace(make_subject(tmp_path), score=replace(score(0, 2.5), samples=count))
        finding = samples.diagnose(subject)
        assert why in finding.headline
        assert "of 32 images" in finding.headline
        title = " ".join(finding.pictures["samples"].get_suptitle().split())
        assert why in title
        assert "32 of N = 32 random samples by ddim, 5 steps" in title


def test_samples_that_fill_no_row_stand_on_the_left(tmp_path: Path) -> None:
    grey = repeating(np.full((1, 1, 8, 8), 51, np.uint8))
    figure = samples.diagnose(make_subject(tmp_path, generated=grey, samples=12)).pictures[
        "samples"
    ]
    (panel,) = figure.axes
    assert [text.get_text() for text in panel.get_yticklabels()] == ["1", "11"]
    canvas = np.asarray(panel.images[0].get_array())
    assert canvas[13, [4, 13, 22, 85], 0].tolist() == pytest.approx([0.2, 0.2, 1, 1])
