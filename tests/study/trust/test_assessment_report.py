from __future__ import annotations

import json

import pytest
from toy_embedders import Fooled, Mean, grey_patches

from study.data import load_images
from study.results.render import to_text
from study.trust.assessment import Assessment, assess_metrics
from study.trust.assessment_report import assessment_json, assessment_table

FEW = {"dead_pixels": (0, 0.1, 0.4), "noise": (0, 16, 64), "invasion": (0, 0.1, 0.4)}
SHORT = {"dead_pixels": (0, 0.5), "noise": (0, 8), "invasion": (0, 0.5)}


@pytest.fixture(scope="module")
def pixels() -> Assessment:
    return assess_metrics(load_images("digits"), embedders=["pixels"], levels=FEW)


def test_the_table_fits_a_terminal_and_says_what_n_was(pixels: Assessment) -> None:
    text = to_text(assessment_table(pixels), 80)
    assert max(map(len, text.splitlines())) <= 80
    assert "N = 179" in text
    assert "49% of the pixels of digits are 0 already" in text
    assert "told from" in text
    assert "rises at every step" in text


def test_metrics_that_detect_a_corruption_first_are_named() -> None:
    mean = Mean("mean", 1)
    both = assess_metrics(grey_patches(), embedders=[mean, mean], levels=SHORT)
    assert "dead pixels by fd_mean and fd_mean" in to_text(assessment_table(both), 200)
    fooled = assess_metrics(grey_patches(), embedders=[Fooled("fooled", 1), mean], levels=SHORT)
    assert "by fd_fooled" not in to_text(assessment_table(fooled), 200)


def test_json_says_all_of_it(pixels: Assessment) -> None:
    found = json.loads(json.dumps(assessment_json(pixels), allow_nan=False))
    assert found["samples"] == 179
    assert found["invaders"] == "photo_patches"
    dead, noise, _ = found["metrics"][0]["corruptions"]
    assert dead["verdict"] == "rises"
    assert [round(each["level"] * 64) for each in dead["levels"]] == [0, 6, 26]
    assert [len(each["scores"]) for each in dead["levels"]] == [5, 5, 5]
    assert noise["not_told_apart"] == [[0, 16]]
