"""What the sections of a study ask of each other."""

from __future__ import annotations

from typing import Any

import pytest
from study_trees import changed, parse_study, tree

from study.spec import UserError
from study.spec.measure_info import MEASURES

MORPHING: dict[str, Any] = {
    "family": "morphing",
    "schedule": "cosine",
    "network": "cnn",
    "timesteps": 20,
    "towards": {"dataset": "digits", "count": 30},
}
RUNGS = [{"until": 3, "samples": 4}, {}]


def refused(**sections: Any) -> str:
    """What is said of the small study with these sections, after the place in the file."""
    with pytest.raises(UserError) as caught:
        parse_study(changed_or_new(**sections))
    message = str(caught.value)
    assert "\n" not in message
    return message.split(": ", 1)[1]


def changed_or_new(finalists: dict[str, Any] | None = None, **sections: Any) -> dict[str, Any]:
    file = changed(**sections)
    return file if finalists is None else {**file, "finalists": finalists}


GAN: dict[str, Any] = {"family": "gan", "latent": 8}
ALPHA = {"kind": "linear_alpha", "alpha_end": 0.95, "scaled": True}


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"model": {**GAN, "penalty": "gradient"}}, "model.discriminator.norm: 'batch' mixes"),
        (
            {"model": {**GAN, "loss": "wasserstein"}},
            "model.penalty: 'none' leaves the critic of the loss 'wasserstein' unbounded: use clip",
        ),
        (
            {"model": {**GAN, "loss": {"choice": ["hinge", "wasserstein"]}}},
            "study:.*: model.penalty: 'none' leaves the critic",
        ),
        ({"model": {**GAN, "loss": "hing"}}, "model.loss: 'hing' is not one of .*`hinge`"),
        (
            {"model": {**GAN, "generator": {"kind": "dcgan", "channels": [8] * 4}}},
            "model.generator.channels: images of 8x8 do not go through a generator with channels",
        ),
        ({"model": GAN, "score": {"sampler": "ddim"}}, "score.sampler: 'ddim' cannot sample the f"),
        (
            {"model": GAN, "train": {"epochs": 1, "learning_rate": 0.1, "early_stopping": {}}},
            "train.early_stopping: needs a validation loss, and a GAN has none",
        ),
        (
            {
                "model": {
                    "family": "morphing",
                    "schedule": "cosine",
                    "network": "cnn",
                    "timesteps": 49,
                    "towards": {"dataset": "digits"},
                },
                "score": {},
            },
            "score.steps: 50 must be <= `model.timesteps`",
        ),
        (
            {
                "model": {"choice": [tree()["model"], GAN]},
                "score": {"sampler": "ancestral", "steps": 5},
            },
            "score.sampler: 'ancestral' cannot sample the family 'gan'",
        ),
        (
            {"model": {"choice": [tree()["model"], {**GAN, "unrol": 3}]}},
            "study:.*: model.unrol: unknown key; did you mean `unroll`?",
        ),
        (
            {"model": {**tree()["model"], "timesteps": 20, "schedule": ALPHA}},
            "model.schedule.alpha_end: a beta of 0.05 scaled by 1000 / 20 timesteps is 2.5",
        ),
    ],
)
def test_sections_that_do_not_go_together(sections: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse_study({**tree(), **sections})


FEW_GENERATED: list[tuple[dict[str, Any], str]] = [
    ({"score": {"samples": 5, "also": ["fd_infinity"]}}, "score.samples: 5 generated images are"),
    (
        {"score": {"also": ["recall", "fd_infinity"], "every": RUNGS}},
        "score.every.0.samples: 4 generated images are too few for fd_infinity, which takes 6 or",
    ),
    (
        {"score": {"also": ["fd_infinity"]}, "finalists": {"samples": 5}},
        "finalists.samples: 5 generated images are too few for fd_infinity",
    ),
    (
        {"score": {"samples": 3}, "finalists": {"also": ["precision"]}},
        "finalists.samples: 3 generated images are too few for precision, which takes 4 or more",
    ),
]


@pytest.mark.parametrize(("sections", "rule"), FEW_GENERATED, ids=lambda value: str(value)[:40])
def test_measures_that_need_more_images_than_are_generated(
    sections: dict[str, Any], rule: str
) -> None:
    assert refused(**sections).startswith(rule)


@pytest.mark.parametrize("name", [*MEASURES])
def test_as_many_images_as_a_measure_takes_are_enough(name: str) -> None:
    least = MEASURES[name].least.generated
    metric = {"metric": "kid_pixels"} if name == "fd" else {"metric": "fd_pixels"}
    study = parse_study(changed(score={**metric, "also": [name], "samples": least})).study
    assert study.score.samples == least
    if least > 2:
        few = refused(score={**metric, "also": [name], "samples": least - 1})
        assert few.startswith(f"score.samples: {least - 1} generated images are too few for {name}")


def test_a_rung_of_another_metric_measures_nothing_beside_it() -> None:
    rungs = [{"until": 3, "samples": 2, "metric": "sliced_wasserstein"}, {}]
    study = parse_study(changed(score={"also": ["fd_infinity"], "every": rungs})).study
    assert [one.samples for one in study.scores] == [2] * 3 + [16] * 6


FIVE = {"count": 25, "split": {"kind": "fraction", "held_out": 0.2}}
FEW_REAL: list[tuple[dict[str, Any], str]] = [
    (
        {"data": FIVE, "score": {"also": ["density"]}},
        "score.also: density takes 6 or more real images to compare with, but there are 5 held out",
    ),
    (
        {"data": FIVE, "finalists": {"also": ["coverage"]}},
        "finalists.also: coverage takes 6 or more real images to compare with, but there are 5",
    ),
    (
        {"data": {"count": 3}, "score": {"also": ["recall"], "against": "everything"}},
        "score.also: recall takes 4 or more real images to compare with, but there are 3",
    ),
    (
        {
            "data": {"count": 3, "split": {"kind": "k_fold", "folds": 2}},
            "score": {"also": ["memorisation"]},
        },
        "score.also: memorisation takes 2 or more training images, but there is 1",
    ),
    (
        {
            "data": {"count": 3, "split": {"kind": "k_fold", "folds": 2}},
            "score": {"also": ["authenticity"], "against": "everything"},
        },
        "score.also: authenticity takes 2 or more training images, but there is 1",
    ),
]


@pytest.mark.parametrize(("sections", "rule"), FEW_REAL, ids=lambda value: str(value)[:40])
def test_measures_that_need_more_real_images_than_there_are(
    sections: dict[str, Any], rule: str
) -> None:
    assert refused(**sections).startswith(rule)


def test_enough_real_images_are_enough() -> None:
    six = {"count": 30, "split": {"kind": "fraction", "held_out": 0.2}}
    study = parse_study(changed(data=six, score={"also": ["density"]})).study
    assert study.data.held_out_images == 6
    everything = {"also": ["density"], "against": "everything"}
    assert parse_study(changed(data=FIVE, score=everything)).study.data.held_out_images == 5


@pytest.mark.parametrize("section", ["score", "finalists"])
def test_a_mixture_has_no_more_components_than_there_are_images(section: str) -> None:
    start = {"kind": "mixture", "components": 31}
    file = {**changed(), "model": MORPHING, "finalists": {}}
    file[section] = {**file[section], "sampler": {"kind": "naive", "start": start}}
    with pytest.raises(UserError) as caught:
        parse_study(file)
    rule = "31 must be <= the 30 images morphed towards"
    assert f"{section}.sampler.start.components: {rule}" in str(caught.value)
    file[section]["sampler"] = {"kind": "naive", "start": {**start, "components": 30}}
    parse_study(file)


@pytest.mark.parametrize(
    ("finals", "rule"),
    [
        ({"metric": "fd"}, "finalists.embedder: `metric: fd` needs an embedder, by name or import"),
        ({"metric": "fd", "embedder": "lpips"}, "finalists.embedder: unknown embedder 'lpips'"),
        (
            {"metric": "fd", "embedder": "vae"},
            "finalists.embedder: with 'vae' the metric is called",
        ),
        ({"embedder": "inception_clean"}, "finalists.embedder: 'inception_clean' must be 'pixels'"),
        ({"metric": "fidd"}, "finalists.metric: unknown metric 'fidd'"),
        ({"sampler": "improved"}, "finalists.sampler: 'improved' cannot sample the family 'ddpm'"),
        ({"steps": 11}, "finalists.steps: 11 must be <= `model.timesteps` (10)"),
    ],
)
def test_a_score_that_the_finals_cannot_have(finals: dict[str, Any], rule: str) -> None:
    assert refused(finalists=finals).startswith(rule)
