from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from study.data import ImageSet, load_images
from study.scoring import EMBEDDERS, Embedder
from study.scoring.embedders import PixelEmbedder, VAEEmbedder
from study.scoring.vae import Training, train_vae
from study.spec.errors import UserError

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def digits() -> ImageSet:
    return load_images("digits")


@pytest.fixture(scope="module")
def images(digits: ImageSet) -> Tensor:
    return digits.tensor()[:300]


@pytest.fixture(scope="module", params=sorted(EMBEDDERS))
def embedder(
    request: pytest.FixtureRequest, digits: ImageSet, tmp_path_factory: pytest.TempPathFactory
) -> Embedder:
    folder: Path = tmp_path_factory.mktemp("cache")
    return EMBEDDERS[request.param](digits, cache_folder=folder, device=CPU, seed=0)


# The contract, for every embedder


def test_it_says_what_it_is(embedder: Embedder) -> None:
    assert embedder.name in EMBEDDERS
    assert len(embedder.digest) == 64
    assert embedder.dim > 0


def test_it_gives_float_features_without_gradients(embedder: Embedder, images: Tensor) -> None:
    features = embedder(images)
    assert features.shape == (300, embedder.dim)
    assert features.dtype == torch.float32
    assert features.isfinite().all()
    assert not features.requires_grad
    assert not features.is_inference()  # or collectives and in-place operations would refuse it


@pytest.mark.parametrize("size", [1, 2, 37, 128, 200])
def test_an_images_features_do_not_depend_on_its_neighbours(
    embedder: Embedder, images: Tensor, size: int
) -> None:
    together = embedder(images)
    apart = torch.cat([embedder(part) for part in images.split(size)])
    assert torch.equal(together, apart)
    assert torch.equal(embedder(images.flip(0)), together.flip(0))


def test_no_images_have_no_features(embedder: Embedder, images: Tensor) -> None:
    assert embedder(images[:0]).shape == (0, embedder.dim)


def test_images_of_another_kind_are_refused(embedder: Embedder, images: Tensor) -> None:
    for wrong in (images.float(), images[:, :, :7], images[0], images.repeat(1, 3, 1, 1)):
        with pytest.raises(UserError, match=r"but must be torch.uint8 \[N, 1, 8, 8\]"):
            embedder(wrong)


# Each of them


def test_pixels_are_the_pixels() -> None:
    embedder = PixelEmbedder((3, 1, 2), CPU)
    features = embedder(torch.tensor([[[[0, 51]], [[102, 153]], [[204, 255]]]], dtype=torch.uint8))
    assert torch.allclose(features, torch.tensor([[0, 0.2, 0.4, 0.6, 0.8, 1]]))
    assert embedder.digest != PixelEmbedder((1, 3, 2), CPU).digest


def test_a_vaes_digest_covers_its_weights(images: Tensor) -> None:
    vae = train_vae(images, seed=0, training=Training(steps=2))
    digest = VAEEmbedder(vae, (1, 8, 8), CPU).digest
    assert digest == VAEEmbedder(vae, (1, 8, 8), CPU).digest
    with torch.no_grad():
        next(vae.parameters()).view(-1)[0] += 1e-6
    assert digest != VAEEmbedder(vae, (1, 8, 8), CPU).digest


def test_a_vae_is_trained_anew_for_other_images_and_seeds(
    digits: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("study.scoring.vae.Training", lambda: Training(steps=2))

    def make(train: ImageSet, seed: int) -> str:
        return EMBEDDERS["vae"](train, cache_folder=tmp_path, device=CPU, seed=seed).digest

    half = digits.take(range(900), part="first half")
    digests = [make(digits, 0), make(digits, 1), make(half, 0)]
    assert len(set(digests)) == 3
    assert len(list(tmp_path.glob("vae-*.safetensors"))) == 3
    assert make(digits, 0) == digests[0]
    assert len(list(tmp_path.glob("vae-*.safetensors"))) == 3
