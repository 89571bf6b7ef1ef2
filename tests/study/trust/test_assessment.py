from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from toy_embedders import Blind, Fooled, Mean, grey_patches

from study.data import Fraction, ImageSet, load_images, split
from study.results.render import to_text
from study.scoring.frechet import Moments, frechet_distance
from study.scoring.kernel_distance import mmd
from study.spec.errors import UserError
from study.trust.assessment import Assessment, assess_metrics, default_embedders
from study.trust.assessment_report import assessment_json, assessment_table

FEW = {"dead_pixels": (0, 0.1, 0.4), "noise": (0, 16, 64), "invasion": (0, 0.1, 0.4)}
SHORT = {"dead_pixels": (0, 0.5), "noise": (0, 8), "invasion": (0, 0.5)}


@pytest.fixture(scope="module")
def digits() -> ImageSet:
    return load_images("digits")


@pytest.fixture(scope="module")
def pixels(digits: ImageSet) -> Assessment:
    return assess_metrics(digits, embedders=["pixels"], levels=FEW)


def verdicts(assessment: Assessment) -> dict[str, str]:
    (metric,) = assessment.metrics
    return {
        kind.name: response.verdict(kind.level_text)
        for kind, response in zip(assessment.corruptions, metric.responses, strict=True)
    }


def test_pixels_of_digits_see_everything(pixels: Assessment) -> None:
    assert verdicts(pixels) == {
        "dead_pixels": "rises at every step",
        "noise": "rises; not told apart: 0 to 16",
        "invasion": "rises at every step",
    }
    (metric,) = pixels.metrics
    assert metric.metric == "fd_pixels"
    assert 16 < (metric.responses[1].detection_limit or 0) < 64
    assert pixels.samples == 179  # of 898 set aside, five sets
    assert not pixels.overlapping
    assert pixels.reference == 899


def test_a_score_is_the_distance_of_harmed_images_to_the_reference(
    digits: ImageSet, pixels: Assessment
) -> None:
    halves = split(digits, Fraction(0.5), seed=0)
    real, rest = (
        torch.tensor(part.images).flatten(1).float() / 255
        for part in (halves.train, halves.held_out)
    )
    clean = pixels.metrics[0].responses[0].scores[0]
    assert clean == pixels.metrics[0].responses[2].scores[0]
    # The five clean sets are disjoint parts of what is held out: on average like a part of it.
    expected = [
        frechet_distance(Moments.of(real), Moments.of(rest[torch.randperm(898, generator=g)[:179]]))
        for g in (torch.Generator().manual_seed(seed) for seed in range(20))
    ]
    assert clean.mean == pytest.approx(np.mean(expected), abs=4 * np.std(expected) / 5**0.5)
    kernel = assess_metrics(digits, embedders=["pixels"], metric="kid", levels=FEW, samples=400)
    assert kernel.metrics[0].metric == "kid_pixels"
    assert kernel.metrics[0].responses[0].scores[0].mean == pytest.approx(
        mmd(rest, real).value, abs=4 * kernel.metrics[0].smallest_difference
    )
    assert kernel.metrics[0].responses[0].detected[-1]


def test_one_that_looks_at_nothing_cannot_tell() -> None:
    assessed = assess_metrics(grey_patches(), embedders=[Blind("blind", 3)])
    assert set(verdicts(assessed).values()) == {"cannot tell"}
    assert all(response.detection_limit is None for response in assessed.metrics[0].responses)
    assert assessed.metrics[0].metric == "fd_blind"


def test_one_that_sees_the_mean_sees_dead_pixels_and_no_noise() -> None:
    assessed = verdicts(assess_metrics(grey_patches(), embedders=[Mean("mean", 1)]))
    assert assessed["noise"] == "cannot tell"
    assert assessed["dead_pixels"].startswith("rises")
    assert assessed["invasion"].startswith("rises")


def test_one_that_scores_noise_better_falls() -> None:
    assessed = assess_metrics(grey_patches(), embedders=[Fooled("fooled", 1)])
    assert verdicts(assessed)["noise"] == "falls from 0 to 64"
    assert assessed.metrics[0].responses[1].detection_limit is None
    assert "by fd_fooled" not in to_text(assessment_table(assessed), 80)


def test_the_smallest_difference_bounds_what_chance_does() -> None:
    """Against scores of many fresh sets of equally good images, of a distribution that is known."""
    assessed = [
        assess_metrics(
            grey_patches(4000), embedders=[Mean("mean", 1)], levels=SHORT, samples=60, seed=seed
        )
        for seed in range(6)
    ]
    least = np.array([each.metrics[0].smallest_difference for each in assessed])
    mean = Mean("mean", 1)
    pool = torch.tensor(grey_patches(4000).images)
    halves = split(grey_patches(4000), Fraction(0.5), seed=0)
    reference = Moments.of(mean(torch.tensor(halves.train.images)))
    g = torch.Generator().manual_seed(0)
    scores = np.array(
        [
            frechet_distance(
                reference, Moments.of(mean(pool[torch.randint(4000, (60,), generator=g)]))
            )
            for _ in range(600)
        ]
    )
    differences = np.abs(scores[:300] - scores[300:])
    # Each is an estimate from 5 scores; together they exceed what chance does 5 % of the time.
    exceeded = (differences[:, None] > least[None]).mean()
    assert 0.005 < exceeded < 0.15


def test_overlapping_sets_are_said_to_be_so_and_show_the_spread_of_fresh_ones() -> None:
    images = grey_patches(800)

    def assess(repeats: int) -> list[Assessment]:
        options = {"levels": SHORT, "samples": 100, "repeats": repeats}
        mean = Mean("mean", 1)
        return [assess_metrics(images, embedders=[mean], seed=n, **options) for n in range(8)]

    apart, overlap = assess(4), assess(16)
    assert not apart[0].overlapping
    assert overlap[0].overlapping
    assert any("overlap" in note for note in overlap[0].notes)

    def spread(assessed: list[Assessment]) -> float:
        spreads = [each.metrics[0].responses[0].scores[0].spread for each in assessed]
        return float(np.sqrt(np.mean(np.square(spreads))))

    assert spread(overlap) == pytest.approx(spread(apart), rel=0.5)


def test_the_seed_decides_everything(digits: ImageSet, pixels: Assessment) -> None:
    again = assess_metrics(digits, embedders=["pixels"], levels=FEW)
    assert assessment_json(again) == assessment_json(pixels)
    other = assess_metrics(digits, embedders=["pixels"], levels=FEW, seed=1)
    assert other.metrics != pixels.metrics


def test_an_embedder_of_ones_own_is_named() -> None:
    own = Mean("package.module:Mean", 1)
    assessed = assess_metrics(grey_patches(), embedders=[own, own], levels=SHORT)
    assert [each.metric for each in assessed.metrics] == ["fd_custom", "fd_custom"]
    assert "fd_custom is in the features of package.module:Mean." in assessed.notes
    assert "dead pixels by fd_custom and fd_custom" in to_text(assessment_table(assessed), 200)


def test_examples_are_harmed_images_at_their_levels(pixels: Assessment) -> None:
    assert {name: each.shape for name, each in pixels.examples.items()} == dict.fromkeys(
        FEW, (3, 16, 1, 8, 8)
    )
    clean = {name: each[0] for name, each in pixels.examples.items()}
    assert np.array_equal(clean["noise"], clean["invasion"])
    assert not np.array_equal(pixels.examples["noise"][1], clean["noise"])


def test_the_default_embedders(digits: ImageSet) -> None:
    assert default_embedders(digits) == ("vae", "pixels", "lenet")
    assert default_embedders(replace(digits, labels=None)) == ("vae", "pixels")
    large = ImageSet("large", np.zeros((2, 3, 64, 64), np.uint8))
    assert default_embedders(large) == ("vae",)
    assert default_embedders(digits, "cuda") == ("vae", "pixels", "lenet", "inception")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"metric": "fid"}, "The value of `metric` is 'fid', but must be fd or kid"),
        ({"embedders": ["clip"]}, "clip"),
        ({"levels": {"noise": (1,)}}, "levels of noise are 1"),
    ],
)
def test_what_cannot_be(digits: ImageSet, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        assess_metrics(digits, **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("metric", ["fd", "kid"])
def test_a_covariance_is_taken_only_by_those_that_need_it(
    digits: ImageSet, monkeypatch: pytest.MonkeyPatch, metric: str
) -> None:
    monkeypatch.setattr("study.scoring.statistics_cache._LARGEST_MOMENTS", 64 * 64 * 8 - 1)

    def assess() -> Assessment:
        return assess_metrics(digits, embedders=["pixels"], metric=metric, levels=SHORT, samples=20)

    if metric == "fd":
        with pytest.raises(UserError, match="64 dimensions, and their covariance would take"):
            assess()
    else:
        monkeypatch.setattr("study.trust.assessment.Moments", None)  # not to be used
        assert assess().metrics[0].metric == "kid_pixels"


def test_the_fewest_images(digits: ImageSet) -> None:
    few = ImageSet("enough", digits.images[:7])
    assert assess_metrics(few, embedders=["pixels"], levels=SHORT).samples == 2
    with pytest.raises(UserError, match="`few` has 6 images, but it takes 7 or more"):
        assess_metrics(ImageSet("few", digits.images[:6]))
