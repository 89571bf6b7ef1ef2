from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import study
from study.data import Split, load_images, split
from study.data.streams import stream_of
from study.scoring import Scores, prepare_scorer, score_images
from study.scoring.coverage import density_coverage, precision_recall
from study.scoring.embedders.vae_network import Training
from study.scoring.frechet import Moments, frechet_distance
from study.scoring.kernel_distance import kid, mmd
from study.scoring.neighbours import nearest
from study.spec.errors import UserError


@pytest.fixture(scope="module")
def digits() -> Split:
    return split(load_images("digits"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def pixels(images: Tensor) -> Tensor:
    return images.flatten(1).float() / 255


def test_the_numbers_are_those_of_the_measures_on_the_features(digits: Split, cache: Path) -> None:
    real, generated = digits.held_out.tensor(), digits.train.tensor()[:300]
    scores = score_images(generated, real, embedder="pixels", cache_folder=cache)
    a, b = pixels(generated), pixels(real)
    assert scores["fd"] == pytest.approx(frechet_distance(Moments.of(a), Moments.of(b)), rel=1e-9)
    assert scores["fd_pixels"] == scores["fd"]
    assert scores["kid"] == mmd(a, b).value
    assert scores["precision"] == precision_recall(b, a).precision
    assert scores["density"] == density_coverage(b, a).density
    assert list(scores.measured) == ["fd", "kid", "precision", "recall", "density", "coverage"]
    assert (scores.generated, scores.reference, scores.dim) == (300, 359, 64)
    with pytest.raises(KeyError):
        scores["modes"]


def test_tensors_arrays_sets_and_streams_are_one(digits: Split, cache: Path) -> None:
    generated, real = digits.train.take(range(200), part="200"), digits.held_out
    kinds: list[tuple[Any, Any]] = [
        (generated.tensor(), real.tensor()),
        (generated.images, real.images),
        (generated, real),
        (stream_of(generated), real),
    ]
    found = [score_images(a, b, embedder="pixels", cache_folder=cache) for a, b in kinds]
    for scores in found[1:]:
        assert [scores[name] for name in found[0].measured] == [
            one.value for one in found[0].measured.values()
        ]
    # A set has labels; others are told them.
    assert scores["modes"] == found[2]["modes"]
    told = score_images(
        generated.tensor(),
        real.tensor(),
        labels=torch.tensor(real.labels),
        embedder="pixels",
        metrics=["modes", "mode_divergence"],
        cache_folder=cache,
    )
    assert told["modes"] == found[2]["modes"]
    assert told["mode_divergence"] == found[2]["mode_divergence"]


def test_a_study_gives_the_same_number_under_the_same_identity(digits: Split, cache: Path) -> None:
    generated = digits.train.tensor()[:250]
    scorer = prepare_scorer(
        metric="fd_pixels",
        also=["kid"],
        train=digits.train,
        held_out=digits.held_out,
        cache_folder=cache,
        device="cpu",
        seed=0,
    )
    features = scorer.features(generated)
    scores = score_images(generated, digits.held_out, embedder="pixels", cache_folder=cache)
    assert scores.measured["fd"] == scorer.score(features)
    assert scores.measured["kid"].value == scorer.also(features)[0].value
    assert scores.reference_digest == scorer.identity.reference_digest
    assert scores.embedder_digest == scorer.identity.embedder_digest


def test_the_vae_learns_from_the_reference_once(
    digits: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("study.scoring.embedders.vae_network.Training", lambda: Training(steps=2))

    def found() -> Scores:
        return score_images(
            digits.train.images[:100],
            digits.held_out,
            embedder="vae",
            metrics=["fd_vae"],
            cache_folder=tmp_path,
        )

    first = found()
    monkeypatch.setattr("study.scoring.embedders.vae_network.train_vae", None)  # not to be called
    assert found()["fd_vae"] == first["fd_vae"]


def test_kid_takes_subsets_of_1000_or_the_whole_or_what_it_is_told(cache: Path) -> None:
    rng = np.random.default_rng(0)
    many, few = (rng.integers(0, 256, (count, 1, 2, 2), dtype=np.uint8) for count in (1001, 60))

    def found(a: np.ndarray, b: np.ndarray, **options: Any) -> Scores:
        return score_images(
            a, b, embedder="pixels", metrics=["kid"], cache_folder=cache, seed=3, **options
        )

    def by_hand(a: np.ndarray, b: np.ndarray, size: int) -> float:
        x, y = (pixels(torch.tensor(images)) for images in (a, b))
        return kid(x, y, subset_size=size).value  # with torch-fidelity's seed, whatever ours is

    large = found(many, many[::-1].copy())
    assert large["kid"] == by_hand(many, many[::-1].copy(), 1000)
    assert large.kid_subset_size == 1000
    small = found(few, many)
    assert small["kid"] == mmd(pixels(torch.tensor(few)), pixels(torch.tensor(many))).value
    assert small.kid_subset_size is None
    assert any("whole sets" in note for note in small.notes)
    assert found(few, many, kid_subset_size=20)["kid"] == by_hand(few, many, 20)
    with pytest.raises(UserError, match=r"61, but must be 2 to 60, there being 60 generated"):
        found(few, many, kid_subset_size=61)


def test_what_is_measured_by_default_goes_by_how_many_images_there_are(
    digits: Split, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(a: Any, b: Any) -> Scores:
        return score_images(a, b, embedder="pixels", cache_folder=cache)

    five = digits.held_out.take(range(5), part="5")
    few = found(digits.train.images[:40], five)
    assert list(few.measured) == ["fd", "kid"]
    assert "With 5 images no number here says much." in few.notes
    assert any("precision, recall, density, coverage" in note for note in few.notes)
    monkeypatch.setattr("study.scoring.chosen_measures._MOST_PAIRS", 350**2)
    assert list(found(digits.train.images[:40], digits.held_out).measured) == ["fd", "kid"]


def test_notes_tell_of_a_singular_covariance(digits: Split, cache: Path) -> None:
    def notes(count: int) -> str:
        images = digits.train.images[:count]
        return " ".join(
            score_images(images, digits.held_out, embedder="pixels", cache_folder=cache).notes
        )

    assert "64 dimensions" in notes(60)
    assert "singular" in notes(60)
    assert "singular" not in notes(65)
    assert "falls as N grows" in notes(65)


def test_neighbours_are_found_for_each_generated_image(digits: Split, cache: Path) -> None:
    generated, real = digits.train.tensor()[:20], digits.held_out.tensor()
    scores = score_images(
        generated, real, embedder="pixels", metrics=["fd"], neighbours=3, cache_folder=cache
    )
    expected = nearest(pixels(generated), pixels(real), 3)
    assert scores.nearest is not None
    assert torch.equal(scores.nearest.neighbours.indices, expected.indices)
    torch.testing.assert_close(scores.nearest.neighbours.distances, expected.distances)


def test_progress_is_told_in_images(digits: Split, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    for _ in range(2):
        score_images(
            digits.train.images[:200],
            digits.held_out,
            embedder="pixels",
            metrics=["fd"],
            cache_folder=tmp_path,
            watch=lambda *told: seen.append(told),
        )
    ends = [told for told in seen if told[1] == told[2]]
    sides = ["reference", "generated", "generated"]  # the second time the reference is there
    assert ends == [(side, n, n) for side, n in zip(sides, (359, 200, 200), strict=True)]
    assert all(0 < done <= total for _, done, total in seen)


RGB = np.zeros((9, 3, 8, 8), np.uint8)

MISTAKES: dict[str, tuple[Any, Any, dict[str, Any], str]] = {
    "NaN": (RGB, np.full((9, 3, 8, 8), np.nan), {}, "given as reference are .* NaN or infinity"),
    "one": (RGB[:1], RGB, {}, "There is 1 generated image in `generated`, but it takes 2"),
    "one real": (RGB, RGB[:1], {}, "There is 1 reference image in `reference`, but it takes 2"),
    "sizes": (RGB[..., :4], RGB, {}, r"are \[3, 8, 4\] and the reference \[3, 8, 8\], but with"),
    "labels": (RGB, RGB, {"metrics": ["modes"]}, "`modes` needs labels of the real images"),
    "fewer labels": (RGB, RGB, {"labels": np.arange(4)}, r"labels of `reference` are int64 \[4\]"),
    "neighbours": (RGB, RGB, {"neighbours": 10}, "`neighbours` is 10, but must be <= 9"),
    "of another": (RGB, RGB, {"metrics": ["kid_vae"]}, "of the embedder 'vae', but .*kid_pixels"),
    "weights": (RGB, RGB, {"weights": Path("x.pt")}, "takes no weights file"),
}


def test_too_many_generated_features_are_refused_before_anything_is_embedded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("study.scoring.statistics_cache._LARGEST_FEATURES", 9 * 4 * 192 - 1)
    seen: list[tuple[str, int, int]] = []
    with pytest.raises(UserError, match=r"features of 9 images in 192 dimensions would take"):
        score_images(
            RGB,
            RGB[:2],
            embedder="pixels",
            metrics=["fd"],
            cache_folder=tmp_path,
            watch=lambda *told: seen.append(told),
        )
    assert seen == []


@pytest.mark.parametrize(
    ("generated", "real", "options", "message"), MISTAKES.values(), ids=MISTAKES.keys()
)
def test_mistakes_are_told_in_one_line(
    cache: Path, generated: Any, real: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        score_images(generated, real, embedder="pixels", cache_folder=cache, **options)


def test_it_is_there_from_the_package_itself() -> None:
    assert study.score_images is score_images
