"""Mean and covariance of real images' features in a file, which stand for the images themselves.

pytorch-fid, clean-fid and guided-diffusion keep them as `mu` and `sigma` in a `.npz`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from study.data.arrays import unreadable_file
from study.scoring.frechet import Moments
from study.spec.array_file import holds_moments, read_headers
from study.spec.embedder_info import embedder_info
from study.spec.errors import UserError

_TOLERANCE = 1e-6  # of the largest entry, within which a covariance must be symmetric


@dataclass(frozen=True, eq=False)
class StoredMoments:
    """Moments of the features of real images.

    Attributes:
        name: The file.
        mean: float64 [d].
        covariance: float64 [d, d].
        embedder: What the features are of, if the file says it.
        count: Of how many images, if the file says it.
    """

    name: str
    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]
    embedder: str | None = None
    count: int | None = None

    @property
    def dim(self) -> int:
        """The dimension d of the features."""
        return len(self.mean)

    def digest(self, embedder_digest: str) -> str:
        """SHA-256 (hex) over the moments and the embedder that they are taken for."""
        sha = hashlib.sha256(f"moments/1 {embedder_digest} {self.dim}\n".encode())
        for array in (self.mean, self.covariance):
            sha.update(np.ascontiguousarray(array).data)
        return sha.hexdigest()

    def moments(self) -> Moments:
        """As all else takes them; 0 images where their number is not known."""
        return Moments(
            self.count or 0, torch.from_numpy(self.mean), torch.from_numpy(self.covariance)
        )

    def notes(self, embedder: str) -> tuple[str, ...]:
        """What is to be said of a distance to them."""
        if self.embedder is not None:
            return ()
        return (f"{self.name} does not say which embedder it is of: {embedder} is taken for it.",)


def read_moments(path: Path) -> StoredMoments | None:
    """The moments in a `.npz`; None if it is none, or holds images too.

    Besides `mu` and `sigma` it may hold `embedder`, a name, and `count`, a number.

    Raises:
        UserError: If the moments are broken, or do not go together.
    """
    if path.suffix != ".npz" or not path.is_file():
        return None
    try:
        if not holds_moments(read_headers(path)):
            return None
        with np.load(path, allow_pickle=False) as arrays:
            named = {name: arrays[name] for name in arrays.files}
    # Of a broken file zipfile, its decompressors and NumPy's parser raise nearly anything.
    except Exception as error:
        raise unreadable_file(path, error) from error
    mean, covariance = named["mu"], named["sigma"]
    _check(path, mean, covariance)
    embedder, count = named.get("embedder"), named.get("count")
    return StoredMoments(
        name=path.name,
        mean=mean.astype(np.float64),
        covariance=covariance.astype(np.float64),
        embedder=str(embedder) if embedder is not None and embedder.dtype.kind == "U" else None,
        count=int(count) if count is not None and count.dtype.kind in "iu" else None,
    )


def _check(path: Path, mean: NDArray[Any], covariance: NDArray[Any]) -> None:
    kinds = {mean.dtype.kind, covariance.dtype.kind}
    if not kinds <= {"f", "i", "u"} or mean.ndim != 1 or covariance.shape != (len(mean),) * 2:
        raise UserError(
            f"The file {path} has `mu` {mean.dtype} {list(mean.shape)} and `sigma` "
            f"{covariance.dtype} {list(covariance.shape)}, but must have numbers [d] and [d, d]"
        )
    if not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
        raise UserError(f"The moments in {path} hold NaN or infinity, but must be finite")
    skew = np.abs(covariance - covariance.T).max(initial=0)
    if skew > _TOLERANCE * np.abs(covariance).max(initial=0):
        raise UserError(f"`sigma` in {path} is not symmetric, but must be: it is a covariance")


def check_moments(
    stored: StoredMoments, embedder: str, *, neighbours: int = 0, labels: bool = False
) -> None:
    """Check that an embedder's Fréchet distance to stored moments is all that is asked for.

    Args:
        stored: The moments.
        embedder: Its name or import path.
        neighbours: How many of the nearest real images are asked for.
        labels: Whether labels of the real images are given.

    Raises:
        UserError: If the moments are said to be another embedder's, or the images are needed.
    """
    if stored.embedder is not None and stored.embedder != embedder:
        raise UserError(
            f"The moments in {stored.name} are of the embedder {stored.embedder!r}, "
            f"but the embedder is {embedder!r}"
        )
    needs = {
        f"the embedder {embedder!r} learns from": embedder_info(embedder).learns,
        "the nearest ones are looked for among": neighbours > 0,
        "`labels` are of": labels,
    }
    for what, needed in needs.items():
        if needed:
            raise UserError(
                f"The file {stored.name} holds mean and covariance alone, but {what} real images"
            )
