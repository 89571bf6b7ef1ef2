from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
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
