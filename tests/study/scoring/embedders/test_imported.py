from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from paths import ROOT

from study.data import ImageSet
from study.scoring.embedders import Embedder, make_embedder
from study.spec.errors import UserError

COLOURS = ImageSet(
    "colours", np.random.default_rng(0).integers(0, 256, (40, 3, 8, 6), dtype=np.uint8)
)

CODE = """
import functools

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
    raise RuntimeError("no such file\\nand more")

class Scale(nn.Module):
    def forward(self, images):
        return images.float() / 255

def layers():
    return nn.Sequential(Scale(), nn.Flatten(), nn.Linear(144, 5), nn.ReLU())

stacked = layers()

def scaled(images, k):
    return images.float().mean((2, 3)) * k

halved = functools.partial(scaled, k=0.5)

class Method:
    def __init__(self):
        self.network = layers()

    def embed(self, images):
        return self.network(images)

method = Method().embed

class Late:
    calls = 0

    def __call__(self, images):
        self.calls += 1
        if self.calls == 2:
            raise RuntimeError("out of luck\\nand of lines")
        return images.float().flatten(1)[:, : 4 - self.calls]

class Half(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(144, 3).bfloat16()
        self.register_buffer("count", torch.tensor(3, dtype=torch.bfloat16))

    def forward(self, images):
        return self.linear(images.flatten(1).bfloat16() / 255)

class Extra(nn.Module):
    note = {"scale": 1.0}

    def get_extra_state(self):
        return self.note

    def set_extra_state(self, state):
        self.note = state

    def forward(self, images):
        return images.float().mean((2, 3)) * self.note["scale"]

class Lazy(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.LazyLinear(3)

    def forward(self, images):
        return self.linear(images.float().flatten(1))

def leaving():
    raise SystemExit(0)
"""


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("own")
    (folder / "embedders_of_ones_own.py").write_text(CODE)
    (folder / "raising_module.py").write_text("1 / 0")
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


@pytest.fixture
def changed(
    make: Callable[..., Embedder], module: str
) -> Iterator[Callable[[str, str, str], Embedder]]:
    """The embedder of a name, from a file in which something has been replaced."""
    file = Path(module, "embedders_of_ones_own.py")

    def changed(name: str, old: str, new: str) -> Embedder:
        assert CODE.count(old) == 1
        # Of another length, for the times of files that Python compares are of whole seconds.
        file.write_text(CODE.replace(old, new) + "\n# changed\n")
        sys.modules.pop(file.stem, None)
        return make(name)

    yield changed
    file.write_text(CODE)
    sys.modules.pop(file.stem, None)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("layers", "nn.ReLU()", "nn.Tanh()"),
        ("stacked", "nn.ReLU()", "nn.Tanh()"),
        ("layers", "images.float() / 255", "images.float() / 25"),
        ("halved", "k=0.5", "k=0.25"),
        ("halved", "(2, 3)) * k", "(2, 3)) + k"),
        ("method", "nn.ReLU()", "nn.Tanh()"),
        ("Extra", '"scale": 1.0', '"scale": 2.0'),
    ],
)
def test_whatever_gives_other_features_has_another_digest(
    make: Callable[..., Embedder],
    changed: Callable[[str, str, str], Embedder],
    name: str,
    old: str,
    new: str,
) -> None:
    before = make(name)
    after = changed(name, old, new)
    assert not torch.equal(before(COLOURS.tensor()), after(COLOURS.tensor()))
    assert before.digest != after.digest


def test_the_digest_covers_what_is_no_text_of_the_file(
    make: Callable[..., Embedder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One file, which reads another: layers, an argument, and a layer's extra state.
    (tmp_path / "configured_embedders.py").write_text(
        "import functools, pathlib\n"
        "from torch import nn\n"
        "from embedders_of_ones_own import Extra, Scale, scaled\n"
        f"k = float(pathlib.Path({str(tmp_path / 'k')!r}).read_text())\n"
        "layers = nn.Sequential(Scale(), nn.Flatten(), nn.Threshold(k, 0))\n"
        "times = functools.partial(scaled, k=k)\n"
        "within = functools.partial(functools.partial(scaled), k=k)\n"
        "extra = Extra()\n"
        "extra.note = {'scale': k}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    def digests(k: str) -> list[str]:
        (tmp_path / "k").write_text(k)
        sys.modules.pop("configured_embedders", None)
        names = ("layers", "times", "within", "extra")
        return [make(f"configured_embedders:{name}").digest for name in names]

    first, again, other = digests("0.5"), digests("0.5"), digests("0.25")
    assert first == again
    assert set(first).isdisjoint(other)


@pytest.mark.slow
def test_the_digest_is_the_same_in_every_process(
    make: Callable[..., Embedder], module: str
) -> None:
    names = ("layers", "halved", "method", "Extra", "Means", "make_means")
    code = (
        "import numpy, pathlib, sys\n"
        "from study.data import ImageSet\n"
        "from study.scoring.embedders import make_embedder\n"
        "images = ImageSet('x', numpy.zeros((2, 3, 8, 6), numpy.uint8))\n"
        "for name in sys.argv[1:]:\n"
        "    path = f'embedders_of_ones_own:{name}'\n"
        "    folder = pathlib.Path('nowhere')\n"
        "    made = make_embedder(path, images, cache_folder=folder, device='cpu', seed=0)\n"
        "    print(made.digest)\n"
    )
    places = os.pathsep.join([module, str(ROOT)])
    printed = subprocess.run(
        [sys.executable, "-c", code, *names],
        env=os.environ | {"PYTHONPATH": places},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert printed == [make(name).digest for name in names]  # with weights drawn from the seed


def test_weights_that_numpy_does_not_know_are_told_by_the_digest(
    make: Callable[..., Embedder],
) -> None:
    first, again, other = make("Half"), make("Half"), make("Half", seed=1)
    assert first.digest == again.digest != other.digest
    assert first(COLOURS.tensor()).dtype == torch.float32


def test_a_failure_later_on_is_told_as_well(make: Callable[..., Embedder]) -> None:
    embedder = make("Late")
    with pytest.raises(UserError, match=r"failed on 32 images, .*: RuntimeError: out of luck$"):
        embedder(COLOURS.tensor())
    with pytest.raises(UserError, match=r"gave torch.float32 \[32, 1\] .* must .*\[32, 3\]$"):
        embedder(COLOURS.tensor())


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_module:Name", "`embedder` is 'no_such_module:Name', but No module named"),
        ("Missing", "`embedders_of_ones_own` has no class `Missing`"),
        ("torch:", "must be package.module:Class"),
        ("Needy", "can not be made: TypeError: .*'size'"),
        ("broken_maker", "can not be made: RuntimeError: no such file$"),
        ("leaving", "can not be made: SystemExit: 0"),
        ("Lazy", "has weights that can not be used: "),
        ("raising_module:Name", "whose import fails: ZeroDivisionError: division by zero"),
        ("numbers", "is made as int, but must be something to call with images"),
        ("levels", r"gave torch.uint8 for 32 images, but must give floating-point features"),
        ("planes", r"gave torch.float32 \[32, 3, 8, 6\] for 32 images, but .*\[32, d\]"),
        ("lost", r"gave torch.float32 \[31, 144\] for 32 images"),
        ("listed", "gave list for 32 images"),
        ("broken", r"failed on 32 images, uint8 \[32, 3, 8, 6\]: AttributeError: .*no_such_thing"),
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
