from __future__ import annotations

from typing import Any

import pytest
from specs import study

from study.check.costs import (
    REPORT_SECONDS,
    Costs,
    Line,
    SamplingCost,
    ScoringCost,
    TrainingCost,
    distance,
    sampling_key,
    scoring_key,
    training_key,
)
from study.spec import Study

TRAINING = TrainingCost(0, Line(0.5, 0.01), validates=False)
SAMPLING = SamplingCost(0.1, 0.02)
SCORING = ScoringCost(embedding=0.003, learning=7.0, reference=5.0, measures=2.0)


def costs(spec: Study, workers: int = 1, training: TrainingCost = TRAINING) -> Costs:
    """What was measured of one study alone."""
    return Costs(
        workers,
        {training_key(spec): training},
        {sampling_key(spec): SAMPLING},
        {scoring_key(spec, score): SCORING for score, _ in spec.score_counts},
    )


def test_a_line_goes_through_two_batches_and_through_none_below_zero() -> None:
    line = Line.through({10: 1.5, 50: 3.5})
    assert (line.fixed, line.each) == pytest.approx((1.0, 0.05))
    assert line.at(10_000) == pytest.approx(501.0)
    assert Line.through({4: 2.0}) == Line(0.0, 0.5)
    assert Line.through({10: 1.0, 50: 6.0}) == Line(0.0, 0.125)  # a larger one seems dearer
    assert Line.through({10: 2.0, 50: 1.0}) == Line(1.0, 0.0)


@pytest.mark.parametrize(
    ("sections", "same"),
    [
        ({"model": {"timesteps": 70}}, True),
        ({"model": {"schedule": {"kind": "cosine", "max_beta": 0.5}}}, True),
        ({"model": {"prediction": "v"}}, True),
        ({"train": {"learning_rate": 0.5, "batch_size": 3}}, True),
        ({"score": {"steps": 3, "samples": 7}}, True),
        ({"model": {"network": {"kind": "unet", "channels": [8, 24]}}}, False),
        ({"model": {"network": {"kind": "unet", "channels": [8, 16], "dropout": 0.1}}}, False),
        ({"train": {"optimizer": "sgd"}}, False),
        ({"train": {"l2": 0.1}}, False),
        ({"train": {"augment": {"rotation": 5.0}}}, False),
        ({"data": {"size": 16}}, False),
    ],
)
def test_only_what_changes_a_batchs_cost_is_measured_apart(
    sections: dict[str, Any], same: bool
) -> None:
    assert (training_key(study(**sections)) == training_key(study())) is same


def test_a_sampler_is_measured_apart_and_its_steps_are_not() -> None:
    assert sampling_key(study(score={"steps": 9})) == sampling_key(study())
    assert sampling_key(study(score={"sampler": "ancestral"})) != sampling_key(study())


def test_an_epoch_is_its_batches_and_the_loss_on_held_out_images() -> None:
    spec = study(train={"batch_size": 400, "validation_images": 50})
    images = spec.data.training_images
    whole, rest = divmod(images, 400)
    assert rest
    seconds = (whole + 1) * 0.5 + images * 0.01
    assert costs(spec).epoch_seconds(spec) == pytest.approx(seconds)
    validating = costs(spec, training=TrainingCost(0, Line(0.5, 0.01)))
    assert validating.epoch_seconds(spec) == pytest.approx(seconds + 50 * 0.02)
    several = costs(spec, workers=4)
    assert several.epoch_seconds(spec) == pytest.approx((whole + 1) * 0.5 + images * 0.01 / 4)


def test_a_score_is_its_images_steps_embeddings_and_measures() -> None:
    spec = study(score={"samples": 1_000_000, "steps": 40})
    image = 0.1 + 40 * 0.02 + 0.003
    seconds = costs(spec).score_seconds(spec, spec.score)
    assert seconds == pytest.approx(1_000_000 * image + 2.0 + REPORT_SECONDS)
    shared = costs(spec, workers=4).score_seconds(spec, spec.score)
    assert shared == pytest.approx(250_000 * image + 2.0 + REPORT_SECONDS)


def test_a_checkpoint_takes_time_by_its_size() -> None:
    spec = study()
    small = costs(spec).score_seconds(spec, spec.score)
    large = TrainingCost(10**9, Line(0.5, 0.01))
    assert costs(spec, training=large).score_seconds(spec, spec.score) == pytest.approx(small + 80)


def test_a_whole_trial_is_scored_at_each_rung_by_its_own_metric() -> None:
    rungs = [{"until": 4, "samples": 10, "metric": "sliced_wasserstein"}, {"epochs": 3}]
    spec = study(train={"epochs": 9}, score={"every": rungs})
    train, score = costs(spec).trial_seconds(spec)
    assert train == pytest.approx(9 * costs(spec).epoch_seconds(spec))
    taken = [costs(spec).score_seconds(spec, one) for one in spec.scores]
    assert len(taken) == 6  # after epochs 1 to 4, 7 and 9
    assert score == pytest.approx(sum(taken))


def test_another_network_costs_what_the_most_similar_one_does() -> None:
    def deep(*channels: int) -> Study:
        return study(model={"network": {"kind": "unet", "channels": [*channels]}})

    small, large = TrainingCost(1, Line(1.0, 0.0)), TrainingCost(2, Line(9.0, 0.0))
    known = costs(deep(8, 16), training=small)
    known.training[training_key(deep(64, 128))] = large
    assert known.training_of(deep(8, 24)) is small
    assert known.training_of(deep(48, 128)) is large
    one, other = training_key(deep(8, 16)), training_key(deep(8, 16, 32))
    assert distance(one, one) == 0.0
    assert distance(one, other) == distance(other, one) == 1.0


def test_what_is_made_once_is_paid_once() -> None:
    rungs = [{"until": 1, "samples": 10}, {"epochs": 1}]
    spec = study(score={"metric": "fd_vae", "every": rungs})
    known = costs(spec)
    assert len(known.scoring) == 2  # of 10 images and of 64, with one embedder and one reference
    assert known.preparation_seconds == 12.0


def test_memory_grows_with_the_batch() -> None:
    cost = TrainingCost(1000, Line(0.0, 0.0), activation_bytes=500.0)
    assert cost.memory(10_000) == 5 * 4 * 1000 + 5_000_000
