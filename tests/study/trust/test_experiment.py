from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from study.data import Fraction, ImageSet, load_images, split
from study.results.render import to_text
from study.scoring.frechet import Moments, frechet_distance
from study.scoring.kernel_distance import mmd
from study.spec.errors import UserError
from study.trust.experiment import Trust, default_embedders, trust
from study.trust.figure import trust_figure
from study.trust.foreign_images import invaders_of, load_invaders, shape_of
from study.trust.table import trust_json, trust_table

FEW = {"dead_pixels": (0, 0.1, 0.4), "noise": (0, 16, 64), "invasion": (0, 0.1, 0.4)}
SHORT = {"dead_pixels": (0, 0.5), "noise": (0, 8), "invasion": (0, 0.5)}


class Own:
    """An embedder of the test's own: a function of images in 0..1, [N, C, H, W]."""

    any_size = False

    def __init__(self, name: str, dim: int) -> None:
        self.name, self.dim, self.digest = name, dim, f"digest of {name}"

    def prepare(self, images: Tensor) -> Tensor:
        return images

    def embed(self, prepared: Tensor) -> Tensor:
        return self(prepared)

    def __call__(self, images: Tensor) -> Tensor:
        return self.features(images.float() / 255)

    def features(self, x: Tensor) -> Tensor:
        raise NotImplementedError


class Mean(Own):
    """The mean level: what noise about grey leaves alone."""

    def features(self, x: Tensor) -> Tensor:
        return x.mean(dim=(1, 2, 3))[:, None]


class Blind(Own):
    """Sees something else in every image each time, whatever it shows."""

    def __init__(self, name: str, dim: int) -> None:
        super().__init__(name, dim)
        self._generator = torch.Generator().manual_seed(0)

    def features(self, x: Tensor) -> Tensor:
        return torch.randn(len(x), self.dim, generator=self._generator)


class Fooled(Own):
    """Calls images the better the noisier they are: the reference seems noisy to it."""

    def __init__(self, name: str, dim: int) -> None:
        super().__init__(name, dim)
        self._first = True

    def features(self, x: Tensor) -> Tensor:
        roughness = (x[..., 1:] - x[..., :-1]).square().mean(dim=(1, 2, 3)).sqrt()[:, None]
        if self._first:  # the reference comes first
            self._first = False
            return roughness + 1.0
        return roughness


@pytest.fixture(scope="module")
def digits() -> ImageSet:
    return load_images("digits")


def grey_patches(count: int = 400) -> ImageSet:
    """Smooth grey images, some brighter than others: noise about them is seldom clipped."""
    rng = np.random.default_rng(0)
    levels = rng.normal(128, 12, (count, 1, 1, 1)) + rng.normal(0, 2, (count, 1, 12, 12))
    return ImageSet("grey", levels.round().clip(0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def pixels(digits: ImageSet) -> Trust:
    return trust(digits, embedders=["pixels"], levels=FEW)


def verdicts(found: Trust) -> dict[str, str]:
    (metric,) = found.metrics
    return {
        kind.name: response.verdict(kind.told)
        for kind, response in zip(found.corruptions, metric.responses, strict=True)
    }


def test_pixels_of_digits_see_everything(pixels: Trust) -> None:
    assert verdicts(pixels) == {
        "dead_pixels": "rises at every step",
        "noise": "rises; not told apart: 0 to 16",
        "invasion": "rises at every step",
    }
    (metric,) = pixels.metrics
    assert metric.metric == "fd_pixels"
    assert 16 < (metric.responses[1].told_from or 0) < 64
    assert pixels.samples == 179  # of 898 set aside, five sets
    assert not pixels.overlapping
    assert pixels.reference == 899


def test_a_score_is_the_distance_of_harmed_images_to_the_reference(
    digits: ImageSet, pixels: Trust
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
    kernel = trust(digits, embedders=["pixels"], metric="kid", levels=FEW, samples=400)
    assert kernel.metrics[0].metric == "kid_pixels"
    assert kernel.metrics[0].responses[0].scores[0].mean == pytest.approx(
        mmd(rest, real).value, abs=4 * kernel.metrics[0].smallest_difference
    )
    assert kernel.metrics[0].responses[0].told_apart[-1]


def test_one_that_looks_at_nothing_cannot_tell() -> None:
    found = trust(grey_patches(), embedders=[Blind("blind", 3)])
    assert set(verdicts(found).values()) == {"cannot tell"}
    assert all(response.told_from is None for response in found.metrics[0].responses)
    assert found.metrics[0].metric == "fd_blind"


def test_one_that_sees_the_mean_sees_dead_pixels_and_no_noise() -> None:
    found = verdicts(trust(grey_patches(), embedders=[Mean("mean", 1)]))
    assert found["noise"] == "cannot tell"
    assert found["dead_pixels"].startswith("rises")
    assert found["invasion"].startswith("rises")


def test_one_that_calls_noise_better_is_found_out() -> None:
    found = trust(grey_patches(), embedders=[Fooled("fooled", 1)])
    assert verdicts(found)["noise"] == "falls from 0 to 64"
    assert found.metrics[0].responses[1].told_from is None
    assert "by fooled" not in to_text(trust_table(found), 80)


def test_the_smallest_difference_bounds_what_chance_does() -> None:
    """Against scores of many fresh sets of equally good images, of a distribution that is known."""
    found = [
        trust(grey_patches(4000), embedders=[Mean("mean", 1)], levels=SHORT, samples=60, seed=seed)
        for seed in range(6)
    ]
    least = np.array([each.metrics[0].smallest_difference for each in found])
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
    apart = [
        trust(images, embedders=[Mean("mean", 1)], levels=SHORT, samples=100, repeats=4, seed=seed)
        for seed in range(8)
    ]
    overlap = [
        trust(images, embedders=[Mean("mean", 1)], levels=SHORT, samples=100, repeats=16, seed=seed)
        for seed in range(8)
    ]
    assert not apart[0].overlapping
    assert overlap[0].overlapping
    assert any("overlap" in note for note in overlap[0].notes)

    def spread(found: list[Trust]) -> float:
        spreads = [each.metrics[0].responses[0].scores[0].spread for each in found]
        return float(np.sqrt(np.mean(np.square(spreads))))

    assert spread(overlap) == pytest.approx(spread(apart), rel=0.5)


def test_the_seed_decides_everything(digits: ImageSet, pixels: Trust) -> None:
    again = trust(digits, embedders=["pixels"], levels=FEW)
    assert trust_json(again) == trust_json(pixels)
    other = trust(digits, embedders=["pixels"], levels=FEW, seed=1)
    assert other.metrics != pixels.metrics


def test_an_embedder_of_ones_own_is_named() -> None:
    own = Mean("package.module:Mean", 1)
    found = trust(grey_patches(), embedders=[own, own], levels=SHORT)
    assert [each.metric for each in found.metrics] == ["fd_custom", "fd_custom"]
    assert "fd_custom is in the features of package.module:Mean." in found.notes
    assert "dead pixels by fd_custom and fd_custom" in to_text(trust_table(found), 200)


def test_examples_are_harmed_images_at_their_levels(pixels: Trust) -> None:
    assert {name: each.shape for name, each in pixels.examples.items()} == dict.fromkeys(
        FEW, (3, 16, 1, 8, 8)
    )
    clean = {name: each[0] for name, each in pixels.examples.items()}
    assert np.array_equal(clean["noise"], clean["invasion"])
    assert not np.array_equal(pixels.examples["noise"][1], clean["noise"])


def test_the_table_fits_a_terminal_and_says_what_n_was(pixels: Trust) -> None:
    text = to_text(trust_table(pixels), 80)
    assert max(map(len, text.splitlines())) <= 80
    assert "N = 179" in text
    assert "49% of the pixels of digits are 0 already" in text
    assert "told from" in text
    assert "rises at every step" in text


def test_json_says_all_of_it(pixels: Trust) -> None:
    found = json.loads(json.dumps(trust_json(pixels), allow_nan=False))
    assert found["samples"] == 179
    assert found["invaders"] == "photo_patches"
    dead, noise, _ = found["metrics"][0]["corruptions"]
    assert dead["verdict"] == "rises"
    assert [round(each["level"] * 64) for each in dead["levels"]] == [0, 6, 26]
    assert [len(each["scores"]) for each in dead["levels"]] == [5, 5, 5]
    assert noise["not_told_apart"] == [[0, 16]]


@pytest.mark.parametrize("colours", [1, 3])
def test_the_picture_shows_each_corruption(colours: int, tmp_path: Path) -> None:
    images = grey_patches(80)
    images = replace(images, images=images.images.repeat(colours, axis=1))
    found = trust(images, embedders=[Mean("mean", 1), Blind("blind", 3)], levels=SHORT)
    figure = trust_figure(found)
    figure.savefig(tmp_path / "trust.png", dpi=40)
    assert len(figure.subfigs) == 3
    assert len(figure.axes) == 12
    told = " ".join(text.get_text() for panel in figure.axes for text in panel.texts)
    assert "cannot tell" in told
    assert "fd_mean" in told


def test_which_embedders_and_which_invaders_unless_told(digits: ImageSet) -> None:
    assert default_embedders(digits) == ("vae", "pixels", "lenet")
    assert default_embedders(replace(digits, labels=None)) == ("vae", "pixels")
    large = ImageSet("large", np.zeros((2, 3, 64, 64), np.uint8))
    assert default_embedders(large) == ("vae",)
    assert invaders_of("mnist5k") == "photo_patches"
    assert invaders_of("photo_patches") == "mnist5k"
    assert shape_of(load_invaders("photo_patches", (1, 8, 8))) == (1, 8, 8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"metric": "fid"}, "The value of `metric` is 'fid', but must be fd or kid"),
        ({"samples": 1}, r"`samples` is 1, but must be in 2\.\.449"),
        ({"samples": 450}, r"`samples` is 450, but must be in 2\.\.449: of the 1797 images"),
        ({"repeats": 1}, "`repeats` is 1, but must be >= 2"),
        ({"embedders": ["clip"]}, "clip"),
        ({"levels": {"noise": (1,)}}, "levels of noise are 1"),
    ],
)
def test_what_cannot_be(digits: ImageSet, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        trust(digits, **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("metric", ["fd", "kid"])
def test_a_covariance_is_taken_only_by_those_that_need_it(
    digits: ImageSet, monkeypatch: pytest.MonkeyPatch, metric: str
) -> None:
    monkeypatch.setattr("study.scoring.statistics_cache._LARGEST_MOMENTS", 64 * 64 * 8 - 1)

    def found() -> Trust:
        return trust(digits, embedders=["pixels"], metric=metric, levels=SHORT, samples=20)

    if metric == "fd":
        with pytest.raises(UserError, match="64 dimensions, and their covariance would take"):
            found()
    else:
        monkeypatch.setattr("study.trust.experiment.Moments", None)  # not to be used
        assert found().metrics[0].metric == "kid_pixels"


def test_sets_that_cannot_be(digits: ImageSet) -> None:
    with pytest.raises(UserError, match="`digits` is to invade itself"):
        trust(digits, by=digits)
    with pytest.raises(UserError, match="`few` has 6 images, but it takes 7 or more"):
        trust(ImageSet("few", digits.images[:6]))
    oblong = ImageSet("oblong", np.zeros((40, 1, 8, 12), np.uint8))
    trust(ImageSet("enough", digits.images[:7]), embedders=["pixels"], levels=SHORT)
    with pytest.raises(UserError, match="cannot be brought to the shape"):
        trust(oblong, by=digits, embedders=["pixels"])
