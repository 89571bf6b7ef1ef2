from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from study.data import Fraction, ImageSet, Preparation, Split, load_images, split
from study.data.preprocessing import resize
from study.scoring import EMBEDDERS, METRICS, MomentAccumulator, Scorer, prepare_scorer
from study.spec.errors import UserError


@pytest.fixture(scope="module")
def digits() -> Split:
    return split(load_images("digits"), Fraction(0.4))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def prepare(metric: str, parts: Split, folder: Path, seed: int = 0) -> Scorer:
    return prepare_scorer(
        metric=metric,
        train=parts.train,
        held_out=parts.held_out,
        cache_folder=folder,
        device="cpu",
        seed=seed,
    )


@pytest.fixture(scope="module", params=sorted(METRICS))
def scorer(request: pytest.FixtureRequest, digits: Split, folder: Path) -> Scorer:
    return prepare(request.param, digits, folder)


def noisy(images: Tensor, sigma: float) -> Tensor:
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    return (images + 255 * sigma * noise).round().clamp(0, 255).to(torch.uint8)


def test_every_metric_has_an_embedder() -> None:
    assert set(METRICS.values()) == set(EMBEDDERS)


def test_it_ranks_digits_before_noisy_digits_before_noise(scorer: Scorer, digits: Split) -> None:
    train = digits.train.tensor()
    scores = [
        scorer.distance(scorer.features(noisy(train, sigma)))
        for sigma in (0, 0.1, 0.2, 0.4, 0.8, 1.6)
    ]
    assert scores == sorted(scores)
    noise = torch.randint(
        0, 256, train.shape, generator=torch.Generator().manual_seed(0), dtype=torch.uint8
    )
    assert scorer.distance(scorer.features(noise)) > 20 * scores[0]
    assert scorer.distance(scorer.features(digits.held_out.tensor())) < 1e-9


def test_the_grouping_makes_no_difference(scorer: Scorer, digits: Split) -> None:
    images = digits.train.tensor()[:500]
    expected = scorer.distance(scorer.features(images))
    chunks = images.split(64)
    # Two workers take turns, and their features are gathered in chunk order.
    by_worker = [[scorer.features(chunk) for chunk in chunks[rank::2]] for rank in range(2)]
    gathered = [by_worker[index % 2][index // 2] for index in range(len(chunks))]
    assert scorer.distance(torch.cat(gathered)) == expected
    # Or each keeps moments, and these are merged.
    total = MomentAccumulator()
    for features in gathered:
        part = MomentAccumulator()
        part.add(features)
        total.merge(part)
    assert scorer.distance(total.moments()) == pytest.approx(expected, rel=1e-9)


def test_a_second_worker_reads_what_the_first_has_made(
    scorer: Scorer, digits: Split, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("study.scoring.vae.train_vae", None)  # not to be called
    second = prepare(scorer.identity.metric, digits, folder)
    images = digits.train.tensor()[:100]
    assert second.identity == scorer.identity
    assert second.distance(second.features(images)) == scorer.distance(scorer.features(images))


@pytest.mark.parametrize("ending", ["npz", "safetensors"])
def test_damaged_files_are_made_again_and_the_same(
    digits: Split, tmp_path: Path, ending: str
) -> None:
    first = prepare("fd_vae", digits, tmp_path)
    (damaged,) = tmp_path.glob(f"*.{ending}")
    payload = bytearray(damaged.read_bytes())
    payload[len(payload) // 2] ^= 1
    damaged.write_bytes(payload)
    again = prepare("fd_vae", digits, tmp_path)
    assert again.identity == first.identity
    assert torch.equal(again.reference.root, first.reference.root)
    assert damaged.read_bytes() != payload


def test_the_identity_names_all_that_a_score_depends_on(digits: Split, tmp_path: Path) -> None:
    def reference(parts: Split) -> str:
        return prepare("fd_pixels", parts, tmp_path).identity.reference_digest

    whole = load_images("digits")
    relabelled = ImageSet("other", digits.held_out.images, digits.held_out.labels)
    variants = [
        digits,
        split(whole, Fraction(0.4), seed=1),
        split(whole, Fraction(0.3), seed=0),
        split(load_images("digits", Preparation(size=12)), Fraction(0.4)),
        Split(digits.train, relabelled),
    ]
    assert len({reference(parts) for parts in variants}) == len(variants)
    identity = prepare("fd_pixels", digits, tmp_path).identity
    assert (identity.metric, identity.embedder) == ("fd_pixels", "pixels")


def test_the_embedders_seed_is_in_the_identity(digits: Split, tmp_path: Path) -> None:
    first, other = (prepare("fd_vae", digits, tmp_path, seed=seed).identity for seed in (0, 1))
    assert first.embedder_digest != other.embedder_digest
    assert first.reference_digest != other.reference_digest


def test_mistakes_are_told_in_one_line(digits: Split, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"`metric` is 'fid', but must be one of fd_pixels, fd_vae"):
        prepare("fid", digits, tmp_path)
    small = split(resize(load_images("digits"), 4), Fraction(0.4))
    with pytest.raises(
        UserError, match=r"held-out images are \[1, 4, 4\], but must be \[1, 8, 8\]"
    ):
        prepare("fd_pixels", Split(digits.train, small.held_out), tmp_path)
    with pytest.raises(UserError, match="side 4"):
        prepare("fd_vae", small, tmp_path)
    one = digits.held_out.take([0], part="one")
    with pytest.raises(UserError, match="1 images, but it takes 2 or more"):
        prepare("fd_pixels", Split(digits.train, one), tmp_path)


def test_mnist_is_told_from_noise(tmp_path: Path) -> None:
    parts = split(load_images("mnist5k", Preparation(size=16)))
    scorer = prepare("fd_vae", parts, tmp_path)
    order = torch.randperm(len(parts.train), generator=torch.Generator().manual_seed(0))
    real = parts.train.tensor()[order[:1000]]
    scores = [scorer.distance(scorer.features(noisy(real, sigma))) for sigma in (0, 0.1, 0.2, 0.4)]
    assert scores == sorted(scores)
    noise = torch.randint(
        0, 256, real.shape, generator=torch.Generator().manual_seed(0), dtype=torch.uint8
    )
    assert scorer.distance(scorer.features(noise)) > 30 * scores[0]
