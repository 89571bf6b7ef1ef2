"""What measures are declared to need is what they use, and the images they take are enough."""

from __future__ import annotations

from typing import Any, cast

import pytest
import torch

from study.scoring.comparison import Comparison, Shared
from study.scoring.frechet import Moments, Reference
from study.scoring.measures import TAKERS, measure
from study.spec.errors import UserError
from study.spec.measure_info import MEASURES


def comparison_of(generated: int, real: int, training: int) -> Comparison:
    """Random features of so many images, with 3 labels."""
    generator = torch.Generator().manual_seed(0)
    features = [torch.randn(n, 4, generator=generator) for n in (generated, real, training)]
    return Comparison(
        features[0],
        real=features[1],
        train=features[2],
        labels=torch.arange(real) % 3,
        kid_subset_size=None,  # as trials take it
    )


class Recorder:
    """A comparison that notes which of its attributes are read."""

    def __init__(self, comparison: Comparison) -> None:
        self.read: set[str] = set()
        self._comparison = comparison

    def __getattr__(self, name: str) -> Any:
        self.read.add(name)
        return getattr(self._comparison, name)


def test_every_declared_measure_can_be_taken() -> None:
    assert tuple(TAKERS) == tuple(MEASURES)
    assert all(info.about for info in MEASURES.values())


@pytest.mark.parametrize("name", MEASURES)
def test_a_measure_reads_what_it_is_declared_to_need(name: str) -> None:
    whole = comparison_of(20, 20, 20)
    assert whole.real is not None
    reference = Reference.of(Moments.of(whole.real))
    recorder = Recorder(
        Comparison(
            whole.generated,
            reference,
            real=whole.real,
            labels=whole.labels,
            train=whole.train,
            kid_subset_size=None,
        )
    )
    TAKERS[name](Shared(cast(Comparison, recorder)))
    info = MEASURES[name]
    needs = {
        "reference": info.needs_moments,
        "real": info.needs_features,
        "labels": info.needs_labels,
        "train": info.needs_training,
    }
    assert {attribute: attribute in recorder.read for attribute in needs} == needs


@pytest.mark.parametrize("name", MEASURES)
def test_the_better_way_is_that_of_images_like_the_real_ones(name: str) -> None:
    like = comparison_of(60, 60, 60)
    far = Comparison(
        like.generated * 0 + 9.0 + torch.linspace(0, 1e-3, 60)[:, None],
        real=like.real,
        train=like.train,
        labels=like.labels,
        kid_subset_size=None,
    )
    if MEASURES[name].needs_training:  # of which far images copy none: worse are the copies
        assert like.train is not None
        far = Comparison(like.train, real=like.real, train=like.train, kid_subset_size=None)
    good, bad = (measure(each, [name])[name].value for each in (like, far))
    assert good < bad if MEASURES[name].better == "lower" else good > bad


def is_taken(name: str, generated: int, real: int, training: int) -> bool:
    """Whether a measure can be taken of so many images."""
    try:
        measure(comparison_of(generated, real, training), [name])
    except UserError:
        return False
    return True


@pytest.mark.parametrize("name", MEASURES)
def test_measures_take_as_few_images_as_declared(name: str) -> None:
    declared = MEASURES[name].least
    many = 20
    for side, (least, floor) in enumerate(
        [(declared.generated, 2), (declared.real, 2), (declared.training, 1)]
    ):
        for count in range(floor, many):  # a score is of 2 images or more, whatever it measures
            counts = [many] * 3
            counts[side] = count
            assert is_taken(name, *counts) == (count >= least), counts
    assert is_taken(name, declared.generated, declared.real, declared.training)
