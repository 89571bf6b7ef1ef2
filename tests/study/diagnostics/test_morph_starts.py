from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from subjects import Answer, build, make_subject, morph_images

from models.morphing import Morphing
from models.schedules import cosine
from study.diagnostics.morph_starts import AVERAGES, LEVELS, STEPS, all_starts, diagnose, run_from

T = 40


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def morphing(network: torch.nn.Module) -> Morphing:
    return Morphing(network, cosine(T), (1, 8, 8), morph_images()).eval().requires_grad_(False)


def test_samples_from_given_starts_are_the_familys() -> None:
    family = build("morphing")
    assert isinstance(family, Morphing)
    *_, last = family.sample(5, seeded(), sampler="improved", steps=4)
    generator = seeded()
    z = family.towards[torch.randint(200, (5,), generator=generator)].float() / 127.5 - 1
    assert torch.allclose(run_from(family, z, generator, steps=4), last.x)


def test_the_levels_and_numbers_and_a_mixture() -> None:
    assert {0, 0.001, 0.005, 0.01, 0.1, 0.25, 0.5} == {*LEVELS}
    assert AVERAGES == (1, 5, 10, 20)
    sections = [start.section for start in all_starts(200)]
    assert {"kind": "noise", "level": 0.25} in sections
    assert {"kind": "average", "images": 20} in sections
    assert sections[-2:] == [{"kind": "mixture", "components": n} for n in (10, 50)]
    assert [s.x for s in all_starts(49) if s.series == "mixture"] == [10]
    assert not [s for s in all_starts(9) if s.series == "mixture"]


def test_starts_are_compared_by_the_improved_sampler_whatever_scored(tmp_path: Path) -> None:
    towards = morph_images()[:8]  # too few for a mixture
    family = Morphing(Answer(lambda z, t: z), cosine(T), (1, 8, 8), towards)
    subject = make_subject(tmp_path, "morphing", family=family.eval().requires_grad_(False))
    finding = diagnose(replace(subject, sampler="one_shot", steps=1))
    assert {(m.sampler, m.steps) for m in finding.measures} == {("improved", STEPS)}
    assert "all of 16 images by improved, 20 steps" in finding.headline
    assert {*finding.pictures} == {"starts", "starts-noise", "starts-average"}
    again = diagnose(replace(subject, steps=7))
    assert {m.steps for m in again.measures} == {7}


def test_every_start_is_scored_for_quality_and_for_variety(tmp_path: Path) -> None:
    family = morphing(Answer(lambda z, t: z))  # its samples are its starts
    finding = diagnose(make_subject(tmp_path, "morphing", family=family, samples=128))
    by_start: dict[tuple[str, float], dict[str, float]] = {}
    for measure in finding.measures:
        name, _, series = measure.quantity.partition(".")
        assert measure.x is not None
        by_start.setdefault((series, measure.x), {})[name] = measure.value
    assert len(by_start) == 13
    for scores in by_start.values():
        assert {"fd_pixels", "recall", "coverage", "pairwise_distance", "unique_share"} <= {*scores}
    # No noise, and the mean of one image, are images of the set: the same ones, by the same seed.
    assert by_start["noise", 0] == pytest.approx(by_start["average", 1])
    spreads = [by_start["average", n]["pairwise_distance"] for n in AVERAGES]
    assert spreads == sorted(spreads, reverse=True)  # means are like each other
    # 64 draws from 200 images repeat some; noise, however little, tells pixels apart only where it
    # survives rounding.
    assert by_start["noise", 0]["unique_share"] < 1 == by_start["noise", 0.5]["unique_share"]
    assert by_start["mixture", 10]["unique_share"] == by_start["mixture", 50]["unique_share"] == 1
    assert {*finding.pictures} == {"starts", "starts-noise", "starts-average", "starts-mixture"}
