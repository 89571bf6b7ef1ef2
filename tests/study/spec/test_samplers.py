"""What image samplers are declared to be is what the models make of them."""

from __future__ import annotations

from typing import Any

import pytest
from study_trees import changed, parse_study

import models
from models.sampling import generate
from study.spec.samplers import IMAGE_SAMPLERS, samplers_of
from study.worker.build import build_model, placeholder_morph_images

CNN = {"timesteps": 12, "schedule": "cosine", "network": {"kind": "cnn", "channels": [4, 4]}}
MODELS: dict[str, dict[str, Any]] = {
    "ddpm": {"family": "ddpm", **CNN},
    "morphing": {"family": "morphing", **CNN, "towards": {"dataset": "digits"}},
    "gan": {"family": "gan", "generator": {"kind": "dcgan", "channels": [8, 4]}},
}


@pytest.mark.parametrize("name", IMAGE_SAMPLERS)
def test_a_sampler_evaluates_the_network_as_often_as_declared(name: str) -> None:
    info = IMAGE_SAMPLERS[name]
    tree = {**changed(score={"sampler": name, "steps": 7}), "model": MODELS[info.family]}
    spec = parse_study(tree).study
    family: Any = build_model(spec, 0, placeholder_morph_images(spec))
    evaluations = []
    network = family.generator if info.family == "gan" else family.network
    network.register_forward_hook(lambda *_: evaluations.append(1))
    sampling = spec.sampling
    generate(family, 2, sampler=name, steps=7, seed=0, options=sampling.options)
    assert sampling.steps == (1 if info.one_step else 7)
    assert len(evaluations) == sampling.steps


@pytest.mark.parametrize("family", MODELS)
def test_a_familys_default_sampler_is_its_first(family: str) -> None:
    classes = {"ddpm": models.DDPM, "morphing": models.Morphing, "gan": models.GAN}
    assert samplers_of(family)[0] == classes[family].default_sampler


def test_nothing_is_known_of_a_users_own_family() -> None:
    assert samplers_of("custom") == ()
