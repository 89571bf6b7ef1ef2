from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from paths import HELPERS
from torch import Tensor

from study.data import Fraction, ImageSet, Preparation, Split, load_images, split
from study.data.preprocessing import resize
from study.scoring import Scorer, prepare_scorer
from study.scoring.coverage import precision_recall
from study.scoring.embedders.vae_network import Training
from study.scoring.kernel_distance import mmd
from study.scoring.novelty import authenticity, memorisation_ratio
from study.scoring.scorer import Measured
from study.spec.errors import UserError
from study.spec.measure_info import MEASURES
from study.spec.names import METRICS, metric_name

QUICK = [metric for metric, (_, embedder) in METRICS.items() if embedder not in (None, "inception")]


@pytest.fixture(scope="module")
def digits() -> Split:
    return split(load_images("digits"), Fraction(0.4))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def prepare(
    metric: str,
    parts: Split,
    folder: Path,
    seed: int = 0,
    embedder: str | None = None,
    also: Sequence[str] = (),
) -> Scorer:
    return prepare_scorer(
        metric=metric,
        embedder=embedder,
        also=also,
        train=parts.train,
        held_out=parts.held_out,
        cache_folder=folder,
        device="cpu",
        seed=seed,
    )


@pytest.fixture(scope="module", params=QUICK)
def scorer(request: pytest.FixtureRequest, digits: Split, folder: Path) -> Scorer:
    return prepare(request.param, digits, folder)


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """A VAE that is trained for a moment: enough where its features need not mean anything."""
    monkeypatch.setattr("study.scoring.embedders.vae_network.Training", lambda: Training(steps=3))


def noisy(images: Tensor, sigma: float) -> Tensor:
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    return (images + 255 * sigma * noise).round().clamp(0, 255).to(torch.uint8)


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


def test_the_workers_and_their_order_make_no_difference(scorer: Scorer, digits: Split) -> None:
    images = digits.train.tensor()[:500]
    expected = scorer.distance(scorer.features(images))
    chunks = images.split(64)
    # Two workers take turns, and their features are gathered in chunk order.
    by_worker = [[scorer.features(chunk) for chunk in chunks[rank::2]] for rank in range(2)]
    gathered = [by_worker[index % 2][index // 2] for index in range(len(chunks))]
    assert scorer.distance(torch.cat(gathered)) == expected
    # Or one worker after the other, or from the last chunk to the first.
    for order in (by_worker[0] + by_worker[1], gathered[::-1]):
        assert scorer.distance(torch.cat(order)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.slow
def test_workers_share_out_inception(
    digits: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("study.scoring.embedders.inception._BLOCK", 2)  # as padding takes its time
    few = Split(digits.train.take(range(4), part="4"), digits.held_out.take(range(3), part="3"))
    scorer = prepare("fid", few, tmp_path, also=["kid"])
    images = few.train.tensor()
    whole = scorer.features(images)
    shards = [scorer.features(shard) for shard in (images[:1], images[1:])]
    assert torch.equal(torch.cat(shards), whole)
    mixed = torch.cat([shards[1], shards[0]])
    expected = [scorer.score(whole), *scorer.also(whole)]
    for one, other in zip([scorer.score(mixed), *scorer.also(mixed)], expected, strict=True):
        assert one.value == pytest.approx(other.value, rel=1e-6)
    assert [one.metric for one in expected] == ["fid", "kid"]


def test_a_second_worker_reads_what_the_first_has_made(
    scorer: Scorer, digits: Split, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("study.scoring.embedders.vae_network.train_vae", None)  # not to be called
    second = prepare(scorer.identity.metric, digits, folder)
    images = digits.train.tensor()[:100]
    assert second.identity == scorer.identity
    assert second.distance(second.features(images)) == scorer.distance(scorer.features(images))


@pytest.mark.usefixtures("brief")
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
    assert again.real.reference is not None
    assert first.real.reference is not None
    assert torch.equal(again.real.reference.root, first.real.reference.root)
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


@pytest.mark.usefixtures("brief")
def test_the_embedders_seed_is_in_the_identity(digits: Split, tmp_path: Path) -> None:
    first, other = (prepare("fd_vae", digits, tmp_path, seed=seed).identity for seed in (0, 1))
    assert first.embedder_digest != other.embedder_digest
    assert first.reference_digest != other.reference_digest


def test_what_is_measured_beside_comes_from_the_same_features(
    digits: Split, tmp_path: Path
) -> None:
    also = [name for name in MEASURES if name != "fd"]
    scorer = prepare("fd_pixels", digits, tmp_path, also=also)
    features = scorer.features(noisy(digits.train.tensor()[:400], 0.1))
    found = scorer.also(features)
    assert [one.metric for one in found] == [metric_name(name, "pixels") for name in also]
    values = {name: one.value for name, one in zip(also, found, strict=True)}
    real = scorer.features(digits.held_out.tensor())
    train = scorer.features(digits.train.tensor())
    assert values["kid"] == mmd(features, real).value
    assert values["precision"] == precision_recall(real, features).precision
    assert values["memorisation"] == memorisation_ratio(features, train)
    assert values["authenticity"] == authenticity(features, train)
    assert values["modes"] == 10
    # A trial that measures less has the same score, under the same identity.
    plain = prepare("fd_pixels", digits, tmp_path)
    assert plain.also(features) == ()
    assert plain.identity == scorer.identity
    assert plain.score(features) == scorer.score(features)


def test_each_measure_says_what_it_was_compared_with(digits: Split, tmp_path: Path) -> None:
    also = ("kid", "recall", "memorisation", "sliced_wasserstein", "fd_infinity")

    def measured(**changes: object) -> tuple[Measured, ...]:
        scorer = prepare("fd_pixels", digits, tmp_path, also=also, **changes)  # type: ignore[arg-type]
        assert scorer.identity.reference_digest == scorer.score(features).reference
        return (scorer.score(features), *scorer.also(features))

    features = prepare("fd_pixels", digits, tmp_path).features(digits.train.tensor()[:50])
    fd, kid, recall, memorisation, sliced, infinity = (one.reference for one in measured())
    assert fd == recall
    assert len({fd, kid, memorisation, sliced, infinity}) == 5
    # Another seed projects in other directions and deals out other shares; the pixels know none.
    again = [one.reference for one in measured(seed=1)]
    assert [fd, kid, recall, memorisation] == again[:4]
    assert sliced != again[4]
    assert infinity != again[5]
    assert kid == prepare("kid_pixels", digits, tmp_path).identity.reference_digest


def test_an_objective_without_moments_needs_no_covariance(
    digits: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("study.scoring.statistics_cache._LARGEST_MOMENTS", 0)
    for metric in ("kid_pixels", "sliced_wasserstein"):
        scorer = prepare(metric, digits, tmp_path)
        assert scorer.score(scorer.features(digits.train.tensor())).metric == metric
    with pytest.raises(UserError, match="64 dimensions, and their covariance would take"):
        prepare("fd_pixels", digits, tmp_path)


def test_an_embedder_of_ones_own(
    digits: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(HELPERS)
    scorer = prepare("fd", digits, tmp_path, embedder="stand_in:Means", also=["recall"])
    features = scorer.features(digits.train.tensor()[:60])
    assert scorer.score(features).metric == "fd_custom"
    assert scorer.also(features)[0].metric == "recall"


def test_mistakes_are_told_in_one_line(digits: Split, tmp_path: Path) -> None:
    unlabelled = Split(digits.train, ImageSet("x", digits.held_out.images))
    for metric, embedder, also, message in (
        ("fidd", None, (), r"`metric` is 'fidd', but must be one of fid, .*did you mean `fid`\?"),
        ("fd", None, (), "`embedder` is none, but must be given for fd"),
        ("fid", "vae", (), "`embedder` is 'vae', but must be 'inception', which fid means"),
        ("fd", "incption_clean", (), r"'incption_clean'.*did you mean `inception_clean`\?"),
        ("fd_pixels", None, ("recal",), r"measure 'recal' is not known.* mean `recall`\?"),
        ("fd_pixels", None, ("modes",), "`modes` needs labels of the real images, but they have"),
    ):
        with pytest.raises(UserError, match=message):
            prepare(metric, unlabelled, tmp_path, embedder=embedder, also=also)
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


@pytest.mark.slow
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
