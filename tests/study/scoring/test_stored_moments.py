from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from study.data import ImageSet, Split, load_images, split
from study.scoring import score_images
from study.scoring.stored_moments import StoredMoments, read_moments
from study.spec.errors import UserError

SIGMA = np.diag([1.0, 2.0])
MU = np.array([1, 2], np.float32)


@pytest.fixture(scope="module")
def digits() -> Split:
    return split(load_images("digits"))


def stored(path: Path, images: ImageSet, **more: Any) -> Path:
    """What other tools keep of the features of images, which are their pixels here."""
    features = images.images.reshape(len(images), -1) / 255
    np.savez(path, mu=features.mean(axis=0), sigma=np.cov(features, rowvar=False), **more)
    return path


def from_file(path: Path) -> StoredMoments:
    moments = read_moments(path)
    assert moments is not None
    return moments


@pytest.mark.parametrize("metric", ["fd_pixels", "fd_pixels_infinity"])
def test_a_distance_to_stored_moments_is_that_to_the_images(
    digits: Split, tmp_path: Path, metric: str
) -> None:
    options: dict[str, Any] = {"embedder": "pixels", "cache_folder": tmp_path, "metrics": [metric]}
    path = stored(tmp_path / "ref.npz", digits.held_out)
    to_moments = score_images(digits.train, from_file(path), **options)
    to_images = score_images(digits.train, digits.held_out, **options)
    # Features are single precision, these moments double.
    assert to_moments[metric] == pytest.approx(to_images[metric], rel=1e-5)
    assert to_moments.reference is None
    assert any("ref.npz does not say which embedder" in note for note in to_moments.notes)


def test_a_file_may_say_what_its_moments_are_of(digits: Split, tmp_path: Path) -> None:
    path = stored(tmp_path / "ref.npz", digits.held_out, embedder="pixels", count=359)
    scores = score_images(
        digits.train, from_file(path), embedder="pixels", cache_folder=tmp_path / "cache"
    )
    assert (list(scores.measured), scores.reference) == (["fd"], 359)
    assert not any("ref.npz" in note or "name them" in note for note in scores.notes)
    with pytest.raises(
        UserError, match=r"ref.npz are of the embedder 'pixels', but .* 'inception'"
    ):
        score_images(digits.train, from_file(path))


def test_the_root_of_a_covariance_is_taken_once(
    digits: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments = from_file(stored(tmp_path / "ref.npz", digits.held_out))
    options: dict[str, Any] = {"embedder": "pixels", "cache_folder": tmp_path / "cache"}
    first = score_images(digits.train, moments, **options)
    monkeypatch.setattr("study.scoring.frechet.covariance_root", None)  # not to be called
    again = score_images(digits.train, moments, **options)
    assert again["fd"] == first["fd"]
    assert again.reference_digest == first.reference_digest


WHOLE = {"mu": MU, "sigma": SIGMA}

NO_MOMENTS: dict[str, Mapping[str, Any]] = {
    "images beside them": {**WHOLE, "arr_0": np.zeros((5, 8, 8, 3), np.uint8)},
    "no covariance": {"mu": MU},
    "images alone": {"images": np.zeros((5, 8, 8), np.uint8)},
}


@pytest.mark.parametrize("arrays", NO_MOMENTS.values(), ids=NO_MOMENTS.keys())
def test_a_file_with_images_is_no_file_of_moments(
    tmp_path: Path, arrays: Mapping[str, Any]
) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    assert read_moments(tmp_path / "a.npz") is None
    assert read_moments(tmp_path / "gone.npz") is None
    assert read_moments(tmp_path) is None


BROKEN: dict[str, tuple[Mapping[str, Any], str]] = {
    "shapes": (
        {"mu": np.zeros(2048), "sigma": np.zeros((8, 8))},
        r"`mu` float64 \[2048\] and `sigma` float64 \[8, 8\], but must have numbers \[d\]",
    ),
    "text": ({"mu": np.array(["a", "b"]), "sigma": SIGMA}, r"`mu` <U1 \[2\] and"),
    "NaN": ({"mu": MU, "sigma": SIGMA * np.nan}, "NaN or infinity"),
    "skew": ({"mu": MU, "sigma": np.triu(np.ones((2, 2)))}, "is not symmetric"),
}


@pytest.mark.parametrize(("arrays", "message"), BROKEN.values(), ids=BROKEN.keys())
def test_broken_moments_are_reported(
    tmp_path: Path, arrays: Mapping[str, Any], message: str
) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(UserError, match=message):
        read_moments(tmp_path / "a.npz")
    (tmp_path / "a.npz").write_bytes(b"nothing of the kind")
    with pytest.raises(UserError, match="can not be read"):
        read_moments(tmp_path / "a.npz")


MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "features": ({"metrics": ["fd", "kid"]}, "`kid` needs the real images, .* fd and fd_infinity"),
    "labels": ({"metrics": ["modes"]}, "`modes` needs the real images"),
    "training": ({"metrics": ["memorisation"]}, "`memorisation` needs the real images"),
    "neighbours": ({"neighbours": 5}, "but the nearest ones are looked for among real images"),
    "labels beside": ({"labels": torch.arange(2)}, "but `labels` are of real images"),
    "learning": ({"embedder": "vae"}, "but the embedder 'vae' learns from real images"),
    "dimension": ({}, "`?a.npz are of 2 dimensions, but the embedder 'pixels' gives 64"),
}


@pytest.mark.parametrize(("options", "message"), MISTAKES.values(), ids=MISTAKES.keys())
def test_what_moments_are_not_enough_for_is_refused(
    digits: Split, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    np.savez(tmp_path / "a.npz", **WHOLE)
    given = {"embedder": "pixels", "cache_folder": tmp_path / "cache", **options}
    with pytest.raises(UserError, match=message) as caught:
        score_images(digits.train, from_file(tmp_path / "a.npz"), **given)
    assert "\n" not in str(caught.value)
