from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from specs import study

from models.family import Family
from study.data import ImageSet, split
from study.driver.messages import Assignment, EpochResult, Report, ScoreResult, StoredFile
from study.spec.left_out import LeftOut, Reason
from study.worker.build import build_model
from study.worker.trial_report import make_report
from study.worker.workbench import TrainingImages

IMAGES = np.arange(20 * 64, dtype=np.uint32).astype(np.uint8).reshape(20, 1, 8, 8)


@pytest.fixture(scope="module")
def family() -> Family:
    return build_model(study(), 0, None)


@pytest.fixture(scope="module")
def images() -> TrainingImages:
    whole = ImageSet("some", IMAGES, left_out=(LeftOut("broken.png", Reason.UNREADABLE),))
    parts = split(whole)
    return TrainingImages(whole, parts, parts.train.tensor())


def score(metric: str, value: float) -> ScoreResult:
    return ScoreResult(2, metric, value, 16, "ddim", 5, 0, "embedder", "real", 0.5)


def make(family: Family, images: TrainingImages, **more: Any) -> Report:
    assignment = Assignment("small", 3, 7, study())
    reached = {"epoch": 2, "images_seen": 40, "seconds": 1.5, "score_seconds": 0.5}
    return make_report(assignment, family, images, "running", **reached, **more)


def test_it_says_which_trial_of_what_size_saw_which_images(
    family: Family, images: TrainingImages
) -> None:
    report = make(family, images)
    assert (report.number, report.outcome, report.reason) == (3, "running", "")
    assert (report.epoch, report.images_seen) == (2, 40)
    assert (report.seconds, report.score_seconds) == (1.5, 0.5)
    assert report.parameters == sum(w.numel() for w in family.state_dict().values())
    assert report.data_digest == images.parts.train.digest != images.whole.digest
    assert report.skipped == ("broken.png",)
    assert (report.score, report.more, report.values) == (None, (), ())


def test_the_first_score_is_the_objective(family: Family, images: TrainingImages) -> None:
    scores = [score("fd_pixels", 3.0), score("recall", 0.5), score("fd_pixels", 4.0)]
    report = make(family, images, scores=scores)
    assert report.score == scores[0]
    assert report.more == (scores[1], scores[2])
    assert report.values == (3.0, 4.0)


def test_what_was_written_and_learned_goes_along(family: Family, images: TrainingImages) -> None:
    epochs = [EpochResult(1, 20, 0.7, 0.5), EpochResult(2, 40, 1.5, 0.25)]
    checkpoint, samples = StoredFile("a.pt", 10), StoredFile("a.png", 20)
    report = make(
        family, images, epochs=epochs, checkpoint=checkpoint, samples=samples, reason="early"
    )
    assert report.epochs == tuple(epochs)
    assert (report.checkpoint, report.samples, report.reason) == (checkpoint, samples, "early")


def test_a_worker_fills_every_field_but_who_it_is(family: Family, images: TrainingImages) -> None:
    file = StoredFile("a", 10)
    report = make(
        family,
        images,
        epochs=[EpochResult(1, 20, 0.7, 0.5)],
        scores=[score("fd_pixels", 3.0), score("recall", 0.5)],
        checkpoint=file,
        samples=file,
        reason="early",
    )
    unset = {
        field.name
        for field in dataclasses.fields(report)
        if getattr(report, field.name) == field.default
    }
    assert unset == {"lane", "host"}  # which its lane adds
