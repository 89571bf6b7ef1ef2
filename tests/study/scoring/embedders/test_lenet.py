from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from study.data import Fraction, ImageSet, Split, load_images, split
from study.scoring.embedders import make_embedder
from study.scoring.embedders.lenet import LeNet, LeNetEmbedder, Training, train_lenet
from study.spec.errors import UserError

CPU = torch.device("cpu")
BRIEF = Training(steps=8)


@pytest.fixture(scope="module")
def digits() -> Split:
    return split(load_images("digits"), Fraction(0.3))


def labels_of(images: ImageSet) -> Tensor:
    assert images.labels is not None
    return torch.tensor(images.labels)


def weights(model: LeNet) -> Tensor:
    return torch.nn.utils.parameters_to_vector(model.parameters())


def test_it_learns_to_tell_digits_apart(digits: Split) -> None:
    train, held_out = digits.train, digits.held_out
    model = train_lenet(train.tensor(), labels_of(train), seed=0)
    guesses = model(held_out.tensor()).argmax(1)
    assert (guesses == labels_of(held_out)).float().mean() > 0.95
    # And so do its features: the nearest training image is of the same class.
    embed = LeNetEmbedder(model, (1, 8, 8), CPU)
    nearest = torch.cdist(embed(held_out.tensor()), embed(train.tensor())).argmin(1)
    assert (labels_of(train)[nearest] == labels_of(held_out)).float().mean() > 0.95


def test_training_gives_the_same_bits_whatever_surrounds_it(digits: Split) -> None:
    images, labels = digits.train.tensor(), labels_of(digits.train)
    first = train_lenet(images, labels, seed=3, training=BRIEF)
    torch.rand(17)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with torch.inference_mode():
            again = train_lenet(images, labels, seed=3, training=BRIEF)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(weights(first), weights(again))
    other = train_lenet(images, labels, seed=4, training=BRIEF)
    assert not torch.equal(weights(first), weights(other))


def test_classes_may_have_any_numbers(digits: Split) -> None:
    images, labels = digits.train.tensor(), labels_of(digits.train)
    first = train_lenet(images, labels, seed=0, training=BRIEF)
    again = train_lenet(images, labels * 7 - 20, seed=0, training=BRIEF)
    assert torch.equal(weights(first), weights(again))


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 9, 31), (1, 28, 28), (3, 32, 32), (3, 40, 70)])
def test_images_of_any_shape_have_84_features(shape: tuple[int, int, int]) -> None:
    model = LeNet(shape, 4)
    images = torch.randint(0, 256, (3, *shape), dtype=torch.uint8)
    assert model.embed(images).shape == (3, 84)
    assert model(images).shape == (3, 4)


def test_it_is_made_once_for_each_set_of_images_labels_and_seed(
    digits: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("study.scoring.embedders.lenet.Training", lambda: BRIEF)

    def digest(train: ImageSet, seed: int = 0) -> str:
        return make_embedder("lenet", train, cache_folder=tmp_path, device=CPU, seed=seed).digest

    train = digits.train
    relabelled = replace(train, labels=np.flip(labels_of(train).numpy()))
    digests = [digest(train), digest(train, seed=1), digest(relabelled), digest(digits.held_out)]
    assert len(set(digests)) == 4
    monkeypatch.setattr("study.scoring.embedders.lenet.train_lenet", None)  # not to be called
    assert digest(train) == digests[0]


def test_mistakes_are_told_in_one_line(digits: Split, tmp_path: Path) -> None:
    def make(train: ImageSet) -> None:
        make_embedder("lenet", train, cache_folder=tmp_path, device=CPU, seed=0)

    with pytest.raises(UserError, match="learns from labels, but the images of `digits` have none"):
        make(replace(digits.train, labels=None))
    ones = digits.train.take(np.flatnonzero(labels_of(digits.train).numpy() == 1), part="ones")
    with pytest.raises(UserError, match="the labels name 1; it takes 2 or more"):
        make(ones)
    tiny = ImageSet("tiny", np.zeros((4, 1, 7, 9), np.uint8), np.arange(4))
    with pytest.raises(UserError, match="images of 7x9, but takes sides of 8 or more"):
        make(tiny)
