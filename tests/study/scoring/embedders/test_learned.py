from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from study.data import ImageSet
from study.scoring.embedders import LEARNERS
from study.scoring.embedders.base import EmbedderRequest
from study.scoring.embedders.learned import LearnedEmbedder, learn_or_fetch
from study.spec.embedder_info import EMBEDDERS
from study.spec.errors import UserError

CPU = torch.device("cpu")
SHAPE = (1, 2, 3)


def network(seed: int = 0) -> nn.Linear:
    model = nn.Linear(6, 4)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(generator=torch.Generator().manual_seed(seed))
    return model


def embedder(model: nn.Linear, version: int = 1, name: str = "linear") -> LearnedEmbedder:
    def features(images: Tensor) -> Tensor:
        return model(images.flatten(1).float())  # type: ignore[no-any-return]

    return LearnedEmbedder(name, version, model, features, 4, SHAPE, CPU)


def test_features_are_the_networks_whatever_stands_beside_an_image() -> None:
    model = network()
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (300, *SHAPE), generator=generator, dtype=torch.uint8)
    features = embedder(model)(images)
    torch.testing.assert_close(features, model(images.flatten(1).float()).detach())
    # But for rounding: a row's place in a product may choose how the processor adds it up.
    alone = embedder(model)(images[131:133])
    torch.testing.assert_close(alone, features[131:133], rtol=1e-5, atol=1e-3)
    assert not features.requires_grad


def test_the_digest_covers_name_version_shape_and_weights() -> None:
    digests = [
        embedder(network()).digest,
        embedder(network(), version=2).digest,
        embedder(network(), name="other").digest,
        embedder(network(seed=1)).digest,
    ]
    assert len(set(digests)) == len(digests)
    assert embedder(network()).digest == digests[0]


def test_images_of_another_shape_are_refused() -> None:
    with pytest.raises(UserError, match=r"must be torch.uint8 \[N, 1, 2, 3\]"):
        embedder(network())(torch.zeros(5, 1, 3, 2, dtype=torch.uint8))


def test_a_network_is_trained_once_for_what_its_training_depends_on(tmp_path: Path) -> None:
    trained: list[int] = []

    def learn() -> nn.Linear:
        trained.append(1)
        return network(seed=len(trained))

    def fetch(name: str, inputs: str) -> nn.Linear:
        request = EmbedderRequest(name, None, tmp_path, CPU, 0)
        return learn_or_fetch(request, inputs, empty=lambda: nn.Linear(6, 4), learn=learn)

    fetch("linear", "digits, seed 0")
    again = fetch("linear", "digits, seed 0")
    assert len(trained) == 1
    assert torch.equal(again.weight, network(seed=1).weight)
    assert not again.training
    assert not any(parameter.requires_grad for parameter in again.parameters())
    fetch("linear", "digits, seed 1")
    fetch("other", "digits, seed 0")
    assert len(trained) == 3
    assert len([*tmp_path.glob("linear-*.safetensors")]) == 2


def test_what_learning_takes_can_be_known_of_every_embedder_that_learns() -> None:
    assert {*LEARNERS} == {name for name, info in EMBEDDERS.items() if info.learns}
    generator = np.random.default_rng(0)
    pictures = generator.integers(0, 256, (12, 1, 8, 8), dtype=np.uint8)
    images = ImageSet("noise", pictures, labels=generator.integers(0, 3, 12))
    for name, learner in LEARNERS.items():
        assert learner.steps > 2
        brief = learner.learn(images, 2, CPU)
        assert brief.name == name
        assert brief(images.tensor()).shape == (12, brief.dim)
        assert brief.digest != learner.learn(images, 3, CPU).digest  # it has learned on
