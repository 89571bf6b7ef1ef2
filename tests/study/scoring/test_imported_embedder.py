from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from study.data import ImageSet
from study.scoring.embedders import Embedder, make_embedder
from study.spec.errors import UserError

COLOURS = ImageSet(
    "colours", np.random.default_rng(0).integers(0, 256, (40, 3, 8, 6), dtype=np.uint8)
)

CODE = """
import torch
from torch import nn

class Drawn(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(144, 7)
        self.dropout = nn.Dropout(0.5)

    def forward(self, images):
        return self.dropout(self.linear(images.flatten(1) / 255))

class Means:
    def __call__(self, images):
        return images.double().mean((2, 3))

def means(images):
    return images.half().mean((2, 3))

def make_means():
    return means

ready = Drawn()

class Needy:
    def __init__(self, size):
        pass

def numbers():
    return 3

def levels(images):
    return images.flatten(1)

def planes(images):
    return images.float()

def lost(images):
    return images.float().flatten(1)[:-1]

def listed(images):
    return images.tolist()

def endless(images):
    return images.flatten(1).float().log()

def broken(images):
    return images.no_such_thing

def broken_maker():
    raise RuntimeError("no such file")
"""


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("own")
    (folder / "embedders_of_ones_own.py").write_text(CODE)
    return str(folder)


@pytest.fixture
def make(module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Embedder]:
    monkeypatch.syspath_prepend(module)

    def make(name: str, seed: int = 0) -> Embedder:
        path = name if ":" in name else f"embedders_of_ones_own:{name}"
        return make_embedder(path, COLOURS, cache_folder=tmp_path, device="cpu", seed=seed)

    return make


@pytest.mark.parametrize("name", ["Means", "means", "make_means"])
def test_what_is_found_or_what_it_makes_is_called(make: Callable[..., Embedder], name: str) -> None:
    embedder = make(name)
    images = COLOURS.tensor()
    assert embedder.name == f"embedders_of_ones_own:{name}"
    assert embedder.dim == 3
    assert torch.allclose(embedder(images), images.float().mean((2, 3)), rtol=1e-2)
    assert embedder(images).dtype == torch.float32


@pytest.mark.parametrize("name", ["Drawn", "ready"])
def test_a_module_runs_in_evaluation_mode(make: Callable[..., Embedder], name: str) -> None:
    embedder = make(name)
    assert embedder.dim == 7
    assert torch.equal(embedder(COLOURS.tensor()), embedder(COLOURS.tensor()))


def test_weights_are_drawn_from_the_seed_and_told_by_the_digest(
    make: Callable[..., Embedder],
) -> None:
    first, again, other = make("Drawn"), make("Drawn"), make("Drawn", seed=1)
    assert first.digest == again.digest != other.digest
    assert torch.equal(first(COLOURS.tensor()), again(COLOURS.tensor()))
    assert make("Means").digest != make("means").digest


def test_the_digest_covers_the_file(make: Callable[..., Embedder], module: str) -> None:
    before = make("means").digest
    file = Path(module, "embedders_of_ones_own.py")
    file.write_text(CODE + "\n# changed\n")
    try:
        assert make("means").digest != before
    finally:
        file.write_text(CODE)
    assert make("means").digest == before


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_module:Name", "`embedder` is 'no_such_module:Name', but No module named"),
        ("Missing", "`embedders_of_ones_own` has no class `Missing`"),
        ("torch:", "must be package.module:Class"),
        ("Needy", "can not be made: TypeError: .*'size'"),
        ("broken_maker", "can not be made: RuntimeError: no such file"),
        ("numbers", "is made as int, but must be something to call with images"),
        ("levels", r"gave torch.uint8 for 32 images, but must give floating-point features"),
        ("planes", r"gave torch.float32 \[32, 3, 8, 6\] for 32 images, but .*\[32, d\]"),
        ("lost", r"gave torch.float32 \[31, 144\] for 32 images"),
        ("listed", "gave list for 32 images"),
        ("broken", r"failed on an image, uint8 \[1, 3, 8, 6\]: AttributeError: .*no_such_thing"),
    ],
)
def test_mistakes_are_told_in_one_line(
    make: Callable[..., Embedder], name: str, message: str
) -> None:
    with pytest.raises(UserError, match=message) as told:
        make(name)
    assert "\n" not in str(told.value)


def test_features_that_are_no_numbers_are_refused(make: Callable[..., Embedder]) -> None:
    with pytest.raises(UserError, match="gave features that are not finite"):
        make("endless")(torch.zeros(3, 3, 8, 6, dtype=torch.uint8))


def test_it_needs_an_image_to_know_what_it_takes(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is made for images of one size"):
        make_embedder("torch.nn:Flatten", None, cache_folder=tmp_path, device="cpu", seed=0)
