from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from study_trees import changed, parse_study

from study.spec import Sampling, UserError

RESPACED = {"spacing": "trailing", "clip_x0": True}
MODELS: dict[str, dict[str, Any]] = {
    "ddpm": {"family": "ddpm", "timesteps": 50, "schedule": "cosine", "network": "cnn"},
    "learned": {
        **{"family": "ddpm", "timesteps": 50, "schedule": "cosine", "network": "cnn"},
        "variance": "learned",
    },
    "morphing": {
        **{"family": "morphing", "timesteps": 50, "schedule": "cosine", "network": "cnn"},
        "towards": {"dataset": "digits"},
    },
    "gan": {"family": "gan"},
    "custom": {"family": "custom", "path": "mine:Mine"},
}


@pytest.mark.parametrize(
    ("model", "sampler", "expected"),
    [
        ("ddpm", "auto", Sampling("ddim", 20)),
        ("ddpm", "ddim", Sampling("ddim", 20, {**RESPACED, "eta": 0.0})),
        ("ddpm", {"kind": "ddim", "eta": 1}, Sampling("ddim", 20, {**RESPACED, "eta": 1.0})),
        ("ddpm", "dpm_solver", Sampling("dpm_solver", 20, RESPACED)),
        (
            "learned",
            {"kind": "ancestral", "variance": "learned", "spacing": "leading"},
            Sampling(
                "ancestral", 20, {"spacing": "leading", "clip_x0": True, "variance": "learned"}
            ),
        ),
        ("morphing", "auto", Sampling("improved", 20)),
        ("morphing", "naive", Sampling("naive", 20, {"start": {"kind": "images"}})),
        (
            "morphing",
            {"kind": "one_shot", "start": {"kind": "noise", "level": 0.1}},
            Sampling("one_shot", 1, {"start": {"kind": "noise", "level": 0.1}}),
        ),
        (
            "morphing",
            {"kind": "improved", "start": "average"},
            Sampling("improved", 20, {"start": {"kind": "average", "images": 5}}),
        ),
        ("gan", "auto", Sampling("generator", 1)),
        ("gan", "generator", Sampling("generator", 1)),
        ("custom", "auto", Sampling("auto", 20)),  # only the family itself knows its own
        ("custom", "ddim", Sampling("ddim", 20, {**RESPACED, "eta": 0.0})),
    ],
)
def test_how_images_are_generated(model: str, sampler: Any, expected: Sampling) -> None:
    tree = {**changed(score={"sampler": sampler, "steps": 20}), "model": MODELS[model]}
    assert replace(parse_study(tree).study.sampling, text="") == expected


@pytest.mark.parametrize(
    ("model", "sampler", "text"),
    [
        ("ddpm", "auto", "ddim"),
        ("ddpm", {"kind": "ddim", "eta": 0.5}, "ddim(eta=0.5)"),
        ("morphing", {"kind": "naive", "start": "images"}, "naive"),
        ("morphing", {"kind": "naive", "start": "noise"}, "naive(start=noise)"),
        (
            "morphing",
            {"kind": "improved", "start": {"kind": "noise", "level": 0.1}},
            "improved(start=noise(level=0.1))",
        ),
    ],
)
def test_a_sampling_is_told_in_short(model: str, sampler: Any, text: str) -> None:
    tree = {**changed(score={"sampler": sampler, "steps": 20}), "model": MODELS[model]}
    assert parse_study(tree).study.sampling.text == text


def test_steps_above_the_timesteps_are_no_matter_to_what_takes_one() -> None:
    tree = {**changed(score={"steps": 4000}), "model": MODELS["gan"]}
    assert parse_study(tree).study.sampling.steps == 1
    tree = {**changed(score={"steps": 4000, "sampler": "one_shot"}), "model": MODELS["morphing"]}
    assert parse_study(tree).study.sampling.steps == 1
    with pytest.raises(UserError, match=r"4000 must be <= `model\.timesteps`"):
        parse_study({**changed(score={"steps": 4000}), "model": MODELS["morphing"]})


def test_samplers_and_steps_can_be_searched() -> None:
    sampler = {"choice": {"plain": "ddim", "noisy": {"kind": "ddim", "eta": {"float": [0.1, 1]}}}}
    tree = changed(score={"sampler": sampler, "steps": {"int": [5, 10]}})
    study_file = parse_study({**tree, "model": MODELS["ddpm"]})
    names = [d.name for d in study_file.space.dimensions()]
    assert names[-3:] == ["score.steps", "score.sampler", "score.sampler.noisy.eta"]
    found = {branch.study.sampling.options["eta"] for branch in study_file.branches()}
    assert found == {0.0, 0.1}
