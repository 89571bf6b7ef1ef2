"""Scoring: how far generated images are from the held-out ones, and by which measure exactly."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor

from study.data import ImageSet, get_or_make
from study.scoring.embedders import EMBEDDERS, Embedder
from study.scoring.frechet import Moments, Reference, frechet_distance
from study.spec.errors import UserError

METRICS: Mapping[str, str] = MappingProxyType({"fd_pixels": "pixels", "fd_vae": "vae"})
"""The embedder of each metric. All of them are Fréchet distances, and less is better."""


@dataclass(frozen=True)
class ScoreIdentity:
    """What a score measures. Scores may be compared only if theirs are equal.

    Attributes:
        metric: Its name in `METRICS`.
        embedder: The embedder's name.
        embedder_digest: SHA-256 (hex) over the embedder's architecture and weights.
        reference_digest: SHA-256 (hex) over image set, split, size, preprocessing and embedder.
    """

    metric: str
    embedder: str
    embedder_digest: str
    reference_digest: str


@dataclass(frozen=True, eq=False)
class Scorer:
    """Scores sets of generated images against one reference.

    Several workers may share the work: each turns its images into features, the features are
    gathered in one place, and the distance is taken there, once. It makes no difference which
    worker embedded which images.
    """

    identity: ScoreIdentity
    embedder: Embedder
    reference: Reference

    def features(self, images: Tensor) -> Tensor:
        """Features, float32 [N, d] on the CPU, of images, uint8 [N, C, H, W] on any device.

        Raises:
            UserError: If the images are not of the reference's type and shape.
        """
        return self.embedder(images).cpu()

    def distance(self, features: Tensor | Moments) -> float:
        """The score: the Fréchet distance of the images to the reference, >= 0.

        It is biased by their number: compare only scores of equally many images.

        Args:
            features: The features of all generated images, [N, d], or their moments.

        Raises:
            UserError: If there are fewer than 2 images, a feature is not finite, or d differs.
        """
        moments = features if isinstance(features, Moments) else Moments.of(features)
        return frechet_distance(self.reference, moments)


def prepare_scorer(
    *,
    metric: str,
    train: ImageSet,
    held_out: ImageSet,
    cache_folder: Path,
    device: torch.device | str,
    seed: int,
) -> Scorer:
    """Make the scorer of a metric, or fetch what it is made of from the cache.

    Any number of workers may call this at once. Those that share the cache folder get the same
    scorer; a VAE trained twice, on processors of two kinds, differs in the last bits, and with it
    the identity of the scores.

    Args:
        metric: A name in `METRICS`.
        train: What the embedder learns from, if it learns.
        held_out: The real images to compare with, of the same shape, at least 2.
        cache_folder: Where embedder and reference are kept; created if missing.
        device: Where the embedder lives.
        seed: The seed of the embedder's training.

    Raises:
        UserError: If there is no such metric, the image sets do not fit it or each other, or the
            cache folder can not be used.
    """
    if metric not in METRICS:
        known = ", ".join(METRICS)
        raise UserError(f"The value of `metric` is {metric!r}, but must be one of {known}")
    if held_out.images.shape[1:] != train.images.shape[1:]:
        raise UserError(
            f"The held-out images are {list(held_out.images.shape[1:])}, "
            f"but must be {list(train.images.shape[1:])}, as the training images"
        )
    embedder = EMBEDDERS[METRICS[metric]](
        train, cache_folder=cache_folder, device=torch.device(device), seed=seed
    )
    identity = ScoreIdentity(
        metric, embedder.name, embedder.digest, _reference_digest(held_out, embedder)
    )
    reference = get_or_make(
        cache_folder,
        f"reference-{identity.reference_digest}.npz",
        make=lambda: Reference.of(Moments.of(embedder(held_out.tensor()))),
        save=_to_npz,
        load=_from_npz,
    )
    return Scorer(identity, embedder, reference)


def _reference_digest(held_out: ImageSet, embedder: Embedder) -> str:
    parts = (
        f"frechet/1 {embedder.name} {embedder.digest}",
        f"{held_out.name} {held_out.part} {held_out.images.shape} {held_out.preprocessing}",
        held_out.digest,
    )
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _to_npz(reference: Reference) -> bytes:
    buffer = io.BytesIO()
    np.savez(
        buffer,
        count=reference.moments.count,
        mean=reference.moments.mean.numpy(),
        covariance=reference.moments.covariance.numpy(),
        root=reference.root.numpy(),
    )
    return buffer.getvalue()


def _from_npz(payload: bytes) -> Reference:
    with np.load(io.BytesIO(payload), allow_pickle=False) as arrays:
        moments = Moments(
            int(arrays["count"]),
            torch.from_numpy(arrays["mean"]),
            torch.from_numpy(arrays["covariance"]),
        )
        return Reference(moments, torch.from_numpy(arrays["root"]))
