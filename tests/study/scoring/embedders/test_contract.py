from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor

from study.data import ImageSet, load_images
from study.scoring.embedders import (
    MAKERS,
    Embedder,
    lenet,
    make_embedder,
)
from study.scoring.embedders.vae_network import Training
from study.spec.embedder_info import EMBEDDERS, embedder_info
from study.spec.errors import UserError

CPU = torch.device("cpu")
QUICK = [name for name, info in EMBEDDERS.items() if not info.weights_file]
"""Those that take a moment; Inception's tests are its own."""


@pytest.fixture(scope="module")
def digits() -> ImageSet:
    return load_images("digits")


@pytest.fixture(scope="module")
def images(digits: ImageSet) -> Tensor:
    return digits.tensor()[:300]


@pytest.fixture(scope="module", params=[*QUICK, "torch.nn:Flatten"])
def embedder(
    request: pytest.FixtureRequest,
    digits: ImageSet,
    own: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Embedder:
    name = own if ":" in request.param else request.param
    folder: Path = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as brief:  # what it has learned makes no difference here
        brief.setattr("study.scoring.embedders.vae_network.Training", partial(Training, steps=3))
        brief.setattr("study.scoring.embedders.lenet.Training", partial(lenet.Training, steps=3))
        return make_embedder(name, digits, cache_folder=folder, device=CPU, seed=0)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The import path of a user's own embedder."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "an_embedder_of_ones_own.py").write_text(
        "import torch\n"
        "class Projection(torch.nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.linear = torch.nn.Linear(64, 5)\n"
        "    def forward(self, images):\n"
        "        return self.linear(images.flatten(1).float() / 255)\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield "an_embedder_of_ones_own:Projection"


def test_names_are_those_of_the_study_file() -> None:
    assert tuple(MAKERS) == tuple(EMBEDDERS)


def test_it_says_what_it_is(embedder: Embedder) -> None:
    assert len(embedder.digest) == 64
    assert embedder.dim > 0
    assert embedder.any_size == embedder_info(embedder.name).any_size


def test_it_gives_float_features_without_gradients(embedder: Embedder, images: Tensor) -> None:
    features = embedder(images)
    assert features.shape == (300, embedder.dim)
    assert features.dtype == torch.float32
    assert features.isfinite().all()
    assert not features.requires_grad
    assert not features.is_inference()  # or collectives and in-place operations would refuse it


def test_it_may_be_done_in_two_halves(embedder: Embedder, images: Tensor) -> None:
    prepared = torch.cat([embedder.prepare(part) for part in images.split(70)])
    assert torch.equal(embedder.embed(prepared), embedder(images))


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


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("incepton", r"`embedder` is 'incepton', but .*path, package.module:Name; did you mean `i"),
        ("pixels", "`pixels` is made for images of one size, but there is no image set"),
        ("vae", "`vae` is made for images of one size"),
        ("lenet", "`lenet` is made for images of one size"),
    ],
)
def test_what_can_not_be_made_is_told(name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        make_embedder(name, None, cache_folder=tmp_path, device=CPU, seed=0)


@pytest.mark.parametrize("name", [*EMBEDDERS, "torch.nn:Flatten"])
def test_a_weights_file_is_refused_unless_declared(
    digits: ImageSet, tmp_path: Path, name: str
) -> None:
    reason = "no.pth" if embedder_info(name).weights_file else f"'{name}' takes no weights file"
    with pytest.raises(UserError, match=reason):
        make_embedder(
            name, digits, cache_folder=tmp_path, device=CPU, seed=0, weights=tmp_path / "no.pth"
        )


@pytest.mark.parametrize("name", [*QUICK, "torch.nn:Flatten"])
def test_embedders_learn_as_declared(
    digits: ImageSet, own: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for module, training in (("vae_network", Training), ("lenet", lenet.Training)):
        path = f"study.scoring.embedders.{module}.Training"
        monkeypatch.setattr(path, partial(training, steps=2))
    name = own if name not in EMBEDDERS else name
    info = embedder_info(name)

    def digest(train: ImageSet) -> str:
        return make_embedder(name, train, cache_folder=tmp_path, device=CPU, seed=0).digest

    halves = [digits.take(rows, part=str(rows)) for rows in (range(900), range(900, 1797))]
    first, second = map(digest, halves)
    assert (first != second) == info.learns
    without_labels = replace(halves[0], labels=None)
    if info.needs_labels:
        with pytest.raises(UserError, match="learns from labels"):
            digest(without_labels)
    else:
        assert len(digest(without_labels)) == 64
