"""Moments and features of real images, computed once and kept in the cache folder.

The same images in the same embedder have the same files, for any number of processes at once, of
which one computes them and the others wait.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from study.data import get_or_make
from study.data.streams import ImageStream
from study.scoring.embedders import Embedder
from study.scoring.frechet import MomentAccumulator, Moments, Reference
from study.scoring.stored_moments import StoredMoments
from study.spec.errors import UserError

Watch: TypeAlias = Callable[[int], None]
"""Called with the number of images that were embedded since the last call."""

_AT_ONCE = 128
_ROWS = 1024  # of features in double precision at once; fixed, so that moments do not depend on it
_LARGEST_MOMENTS = 2**32  # bytes of a covariance
_LARGEST_FEATURES = 2**33  # bytes of the features of all images


@dataclass(frozen=True, eq=False)
class RealStatistics:
    """Statistics of real images in an embedder's features.

    Attributes:
        digest: SHA-256 (hex) over image set, split, size, preprocessing and embedder.
        reference: Their moments, with the root of the covariance; None if not requested.
        features: float32 [M, d]; None if not requested.
    """

    digest: str
    reference: Reference | None
    features: Tensor | None


def real_statistics(
    images: ImageStream,
    embedder: Embedder,
    cache_folder: Path,
    *,
    moments: bool = True,
    features: bool = False,
    watch: Watch | None = None,
) -> RealStatistics:
    """Fetch the statistics of real images, or compute them. On a hit no image is decoded.

    Args:
        images: At least 2.
        embedder: Makes their features.
        cache_folder: Where the statistics are kept; created if missing.
        moments: Whether the moments are needed.
        features: Whether the features are needed; they take 4 d bytes an image.
        watch: Called as images are embedded.

    Raises:
        UserError: If there are too few images, one can not be read or is not what the embedder
            takes, the statistics take too much memory, or the cache folder can not be used.
    """
    check_memory(len(images), embedder.dim, moments=moments, features=features)
    digest = reference_digest(images, embedder)
    rows: Tensor | None = None
    if features:
        rows = get_or_make(
            cache_folder,
            f"features-{digest}.npy",
            make=lambda: torch.cat([*embedded(images, embedder, watch)]),
            save=_to_npy,
            load=_from_npy,
        )

    def make() -> Reference:
        parts = embedded(images, embedder, watch) if rows is None else [rows]
        return Reference.of(_moments(parts))

    reference = (
        get_or_make(
            cache_folder, f"reference-{digest}.npz", make=make, save=_to_npz, load=_from_npz
        )
        if moments
        else None
    )
    return RealStatistics(digest, reference, rows)


def stored_statistics(
    stored: StoredMoments, embedder: Embedder, cache_folder: Path
) -> RealStatistics:
    """The statistics that a file holds, with the root of the covariance, which is kept.

    Raises:
        UserError: If they are of other features than the embedder's, as far as one can tell.
    """
    if stored.dim != embedder.dim:
        raise UserError(
            f"The moments in {stored.name} are of {stored.dim} dimensions, but the embedder "
            f"{embedder.name!r} gives {embedder.dim}: --embedder says which they are of"
        )
    digest = stored.digest(embedder.digest)
    reference = get_or_make(
        cache_folder,
        f"reference-{digest}.npz",
        make=lambda: Reference.of(stored.moments()),
        save=_to_npz,
        load=_from_npz,
    )
    return RealStatistics(digest, reference, None)


def embedded(
    images: ImageStream, embedder: Embedder, watch: Watch | None = None
) -> Iterator[Tensor]:
    """The images' features in order, some at a time, float32 [n, d] on the CPU.

    Only some images are in memory at once. Pictures of different sizes are put together once they
    are prepared.

    Raises:
        UserError: If an image can not be read or is not what the embedder takes, or a feature is
            not finite.
    """
    waiting: list[Tensor] = []
    for block in images.blocks(_AT_ONCE, one_shape=not embedder.any_size):
        waiting.append(embedder.prepare(torch.from_numpy(block)))
        if sum(map(len, waiting)) < _AT_ONCE:
            continue
        prepared = waiting[0] if len(waiting) == 1 else torch.cat(waiting)
        waiting = [prepared[_AT_ONCE:]] if len(prepared) > _AT_ONCE else []
        yield _embed(embedder, prepared[:_AT_ONCE], watch)
    if waiting:
        yield _embed(embedder, torch.cat(waiting), watch)


def check_memory(count: int, dim: int, *, moments: bool, features: bool) -> None:
    """Refuse what would not fit into memory, before anything is embedded.

    Args:
        count: The number of images.
        dim: The dimension d of their features.
        moments: Whether their covariance is needed: 8 d^2 bytes.
        features: Whether the features of all are needed at once: 4 d bytes an image.

    Raises:
        UserError: If it takes more than 4 GiB or 8 GiB.
    """
    if moments and dim**2 * 8 > _LARGEST_MOMENTS:
        raise UserError(
            f"The features have {dim} dimensions, and their covariance would take "
            f"{dim**2 * 8 / 2**30:.3g} GiB, but must take <= {_LARGEST_MOMENTS / 2**30:.3g}: "
            "take smaller images or another embedder"
        )
    if features and count * dim * 4 > _LARGEST_FEATURES:
        raise UserError(
            f"The features of {count} images in {dim} dimensions would take "
            f"{count * dim * 4 / 2**30:.3g} GiB, but must take <= "
            f"{_LARGEST_FEATURES / 2**30:.3g}: take fewer or smaller images, or another embedder"
        )


def reference_digest(images: ImageStream, embedder: Embedder) -> str:
    """SHA-256 (hex) over image set, split, size, preprocessing and embedder."""
    parts = (
        f"frechet/1 {embedder.name} {embedder.digest}",
        f"{images.name} {images.part} {(len(images), *images.shape)} {images.preprocessing}",
        images.digest,
    )
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _embed(embedder: Embedder, prepared: Tensor, watch: Watch | None) -> Tensor:
    features = embedder.embed(prepared)
    if not features.isfinite().all():
        raise UserError(
            f"The embedder `{embedder.name}` gives features with NaN or infinity among them, "
            "but they must be finite"
        )
    if watch is not None:
        watch(len(features))
    return features


def _moments(parts: Iterable[Tensor]) -> Moments:
    """Moments of features that come in parts, by the same steps whatever the parts."""
    total = MomentAccumulator()
    rest: Tensor | None = None
    for part in parts:
        rest = part if rest is None else torch.cat([rest, part])
        while len(rest) >= _ROWS:
            total.add(rest[:_ROWS])
            rest = rest[_ROWS:]
    if rest is not None:
        total.add(rest)
    return total.moments()


def _to_npy(features: Tensor) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, features.numpy())
    return buffer.getvalue()


def _from_npy(payload: bytes) -> Tensor:
    return torch.from_numpy(np.load(io.BytesIO(payload), allow_pickle=False))


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
