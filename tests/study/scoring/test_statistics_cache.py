from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from paths import HELPERS, ROOT
from stand_in import AnySize
from torch import Tensor

from study.data import ImageSet, load_images, split
from study.data.opening import open_images
from study.data.streams import ImageStream, stream_of
from study.scoring.embedders import make_embedder
from study.scoring.frechet import Moments
from study.scoring.statistics_cache import (
    check_memory,
    embedded,
    real_statistics,
    reference_digest,
)
from study.spec.errors import UserError

IMAGES = np.random.default_rng(0).integers(0, 256, (300, 3, 9, 7), dtype=np.uint8)


def stream(name: str = "x", images: np.ndarray = IMAGES, **words: str) -> ImageStream:
    return stream_of(ImageSet(name, images, **words))


def features(images: np.ndarray = IMAGES) -> Tensor:
    return AnySize()(torch.tensor(images))


def test_the_statistics_are_those_of_all_features(tmp_path: Path) -> None:
    real = real_statistics(stream(), AnySize(), tmp_path, features=True)
    assert real.features is not None
    assert real.reference is not None
    assert torch.equal(real.features, features())
    expected = Moments.of(features())
    torch.testing.assert_close(real.reference.moments.mean, expected.mean, rtol=1e-12, atol=0)
    covariance = real.reference.moments.covariance
    torch.testing.assert_close(covariance, expected.covariance, rtol=1e-10, atol=1e-15)
    root = real.reference.root
    torch.testing.assert_close(root @ root.T, covariance, rtol=1e-9, atol=1e-12)


def test_moments_are_the_same_bits_with_and_without_the_features(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("study.scoring.statistics_cache._ROWS", 70)
    monkeypatch.setattr("study.scoring.statistics_cache._AT_ONCE", 32)
    alone = real_statistics(stream(), AnySize(), tmp_path / "a")
    both = real_statistics(stream(), AnySize(), tmp_path / "b", features=True)
    assert alone.reference is not None
    assert both.reference is not None
    assert torch.equal(alone.reference.root, both.reference.root)
    assert torch.equal(alone.reference.moments.mean, both.reference.moments.mean)


def test_a_hit_embeds_nothing_and_gives_the_same(tmp_path: Path) -> None:
    first = real_statistics(stream(), AnySize(), tmp_path, features=True)
    seen: list[int] = []
    again = real_statistics(stream(), AnySize(), tmp_path, features=True, watch=seen.append)
    assert seen == []
    assert first.features is not None
    assert again.features is not None
    assert torch.equal(first.features, again.features)
    # Features made for another measure later need one more pass, and no new moments.
    only = real_statistics(stream(), AnySize(), tmp_path / "b", watch=seen.append)
    assert (sum(seen), only.features) == (300, None)
    real_statistics(stream(), AnySize(), tmp_path / "b", features=True, watch=seen.append)
    assert sum(seen) == 600
    assert len([*(tmp_path / "b").glob("*.np?")]) == 2


def test_the_digest_says_set_split_size_preprocessing_and_embedder() -> None:
    changed = IMAGES.copy()
    changed[0, 0, 0, 0] ^= 1
    other = AnySize()
    other.digest = "1" * 64
    digests = [
        reference_digest(stream(), AnySize()),
        reference_digest(stream("y"), AnySize()),
        reference_digest(stream(part="train"), AnySize()),
        reference_digest(stream(preprocessing="resize"), AnySize()),
        reference_digest(stream(images=changed), AnySize()),
        reference_digest(stream(images=IMAGES.reshape(300, 3, 7, 9)), AnySize()),
        reference_digest(stream(images=IMAGES[:299]), AnySize()),
        reference_digest(stream(), other),
    ]
    assert len(set(digests)) == len(digests)


def test_a_study_and_a_command_share_the_statistics_of_a_part(tmp_path: Path) -> None:
    parts = split(load_images("digits"))
    embedder = make_embedder("pixels", parts.train, cache_folder=tmp_path, device="cpu", seed=0)
    real_statistics(stream_of(parts.held_out), embedder, tmp_path)
    seen: list[int] = []
    real_statistics(open_images("digits:held_out"), embedder, tmp_path, watch=seen.append)
    assert seen == []


@pytest.mark.parametrize("kind", ["reference", "features"])
def test_a_damaged_file_is_made_again_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    first = real_statistics(stream(), AnySize(), tmp_path, features=True)
    (path,) = tmp_path.glob(f"{kind}-*.np?")
    whole = path.read_bytes()
    path.write_bytes(whole[:-7] + bytes([whole[-7] ^ 1]) + whole[-6:])
    with caplog.at_level(logging.WARNING):
        again = real_statistics(stream(), AnySize(), tmp_path, features=True)
    assert f"{path} is damaged; making it again" in caplog.text
    assert path.read_bytes() == whole
    assert first.reference is not None
    assert again.reference is not None
    assert torch.equal(first.reference.root, again.reference.root)


PROCESS = """
import sys
from pathlib import Path
import numpy as np
import torch
torch.set_num_threads(1)
from study.data import ImageSet
from study.data.streams import stream_of
from study.scoring.statistics_cache import real_statistics
from stand_in import AnySize
images = np.random.default_rng(0).integers(0, 256, (300, 3, 9, 7), dtype=np.uint8)
print("ready", flush=True)
sys.stdin.readline()
stream = stream_of(ImageSet("x", images))
real = real_statistics(stream, AnySize(), Path(sys.argv[1]), features=True)
print(float(real.reference.moments.mean.sum()), float(real.features.double().sum()))
"""


@pytest.mark.slow
def test_many_processes_that_ask_at_once_make_it_once(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    places = os.pathsep.join([str(HELPERS), str(ROOT)])
    started = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, str(tmp_path / "cache")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"SEEN": str(seen), "PYTHONPATH": places},
        )
        for _ in range(4)
    ]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    answers = {process.communicate("go\n")[0] for process in started}
    assert [process.returncode for process in started] == [0] * 4
    assert len(answers) == 1
    assert sum(map(int, seen.read_text().split())) == 300


def test_images_come_in_blocks_whatever_their_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = [(3, 5, 5), (3, 5, 5), (1, 4, 6), (3, 7, 2), (3, 7, 2), (3, 7, 2), (3, 5, 5)]
    rng = np.random.default_rng(1)
    images = [rng.integers(0, 256, size, dtype=np.uint8) for size in sizes]
    mixed = ImageStream(
        "mixed", np.arange(7), lambda indices: ((str(i), images[i]) for i in indices), lambda: "0"
    )
    expected = torch.cat([AnySize()(torch.tensor(image)[None]) for image in images])
    for at_once in (1, 2, 3, 4, 7, 100):
        monkeypatch.setattr("study.scoring.statistics_cache._AT_ONCE", at_once)
        seen: list[int] = []
        parts = [*embedded(mixed, AnySize(), seen.append)]
        assert torch.equal(torch.cat(parts), expected)
        assert all(len(part) == at_once for part in parts[:-1])
        assert (seen, sum(seen)) == ([len(part) for part in parts], 7)


def test_mistakes_are_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = AnySize()
    broken.embed = lambda prepared: prepared * torch.nan  # type: ignore[method-assign]
    with pytest.raises(UserError, match="`means` gives features with NaN or infinity"):
        real_statistics(stream(), broken, tmp_path, features=True)
    assert [*tmp_path.glob("*.npy")] == []
    with pytest.raises(UserError, match="1 images, but it takes 2 or more"):
        real_statistics(stream(images=IMAGES[:1]), AnySize(), tmp_path)
    monkeypatch.setattr("study.scoring.statistics_cache._LARGEST_MOMENTS", 127)
    with pytest.raises(UserError, match=r"4 dimensions, and their covariance would take .* GiB"):
        real_statistics(stream(), AnySize(), tmp_path)
    # But nothing needs it unless moments are asked for.
    real_statistics(stream(), AnySize(), tmp_path, moments=False, features=True)


@pytest.mark.parametrize("kind", ["moments", "features"])
def test_what_takes_too_much_memory_is_refused_before_anything_is_embedded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(f"study.scoring.statistics_cache._LARGEST_{kind.upper()}", 4 * 4 * 8 - 1)
    seen: list[int] = []
    with pytest.raises(UserError, match=r"4 dimensions.* would take .* GiB, but must take <="):
        real_statistics(stream(), AnySize(), tmp_path, features=True, watch=seen.append)
    assert seen == []
    assert [*tmp_path.iterdir()] == []
    others = {"moments": kind != "moments", "features": kind != "features"}
    real_statistics(stream(), AnySize(), tmp_path, **others, watch=seen.append)
    assert sum(seen) == 300


def test_how_much_is_too_much() -> None:
    check_memory(10**6, 2048, moments=True, features=True)
    check_memory(10**9, 2048, moments=True, features=False)
    with pytest.raises(UserError, match=r"30000 dimensions, .* take 6.71 GiB, but must take <= 4"):
        check_memory(2, 30000, moments=True, features=False)
    with pytest.raises(UserError, match=r"features of 2000000 .* 15.3 GiB, but must take <= 8"):
        check_memory(2 * 10**6, 2048, moments=False, features=True)
