from __future__ import annotations

from pathlib import Path

import pytest
import torch

from study.data import ImageSet, load_images
from study.scoring.embedders import VAEEmbedder, make_embedder
from study.scoring.embedders.vae_network import Training, train_vae

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def digits() -> ImageSet:
    return load_images("digits")


def test_a_vaes_digest_covers_its_weights(digits: ImageSet) -> None:
    vae = train_vae(digits.tensor()[:300], seed=0, training=Training(steps=2))
    digest = VAEEmbedder(vae, (1, 8, 8), CPU).digest
    assert digest == VAEEmbedder(vae, (1, 8, 8), CPU).digest
    with torch.no_grad():
        next(vae.parameters()).view(-1)[0] += 1e-6
    assert digest != VAEEmbedder(vae, (1, 8, 8), CPU).digest


def test_a_vae_is_trained_anew_for_other_images_and_seeds(
    digits: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("study.scoring.embedders.vae_network.Training", lambda: Training(steps=2))

    def make(train: ImageSet, seed: int) -> str:
        return make_embedder("vae", train, cache_folder=tmp_path, device=CPU, seed=seed).digest

    half = digits.take(range(900), part="first half")
    digests = [make(digits, 0), make(digits, 1), make(half, 0)]
    assert len(set(digests)) == 3
    assert len(list(tmp_path.glob("vae-*.safetensors"))) == 3
    assert make(digits, 0) == digests[0]
    assert len(list(tmp_path.glob("vae-*.safetensors"))) == 3
