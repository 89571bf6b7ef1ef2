"""The Fréchet distance between two sets of features, each taken as a Gaussian.

d^2 = |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2))     (Dowson & Landau 1982; Heusel et al. 2017,
"GANs Trained by a Two Time-Scale Update Rule", eq. 6). FID is this number, squared as it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from study.spec.errors import UserError


@dataclass(frozen=True, eq=False)
class Moments:
    """Mean and covariance of the features of a set of images.

    Attributes:
        count: The number of images, at least 2.
        mean: float64 [d], on the CPU.
        covariance: float64 [d, d], on the CPU, unbiased (over count - 1). Singular if count <= d.
    """

    count: int
    mean: Tensor
    covariance: Tensor

    @classmethod
    def of(cls, features: Tensor) -> Moments:
        """The moments of features [N, d].

        Raises:
            UserError: If there are fewer than 2 images, or a feature is not finite.
        """
        accumulator = MomentAccumulator()
        accumulator.add(features)
        return accumulator.moments()


class MomentAccumulator:
    """Moments of features that come in batches, in any order and of any size.

    Sums of squares are taken about each batch's own mean and joined by the update of Chan, Golub &
    LeVeque 1979 ("Updating Formulae and a Pairwise Algorithm for Computing Sample Variances"), in
    double precision: no cancellation, however far the features are from zero.
    """

    def __init__(self) -> None:
        """Start with no images."""
        self.count = 0
        self._mean = torch.empty(0, dtype=torch.float64)  # [d]
        self._scatter = torch.empty(0, dtype=torch.float64)  # [d, d], sum of (x - mean)(x - mean)^T

    def add(self, features: Tensor) -> None:
        """Add the features of some images, [n, d], on any device; n may be 0.

        Raises:
            UserError: If a feature is not finite, or d is not that of the images before.
        """
        if features.ndim != 2:
            raise UserError(f"The features are of shape {list(features.shape)}, but must be [N, d]")
        x = features.detach().to("cpu", torch.float64)  # [n, d]
        if not x.isfinite().all():
            raise UserError("The features hold NaN or infinity, but must be finite")
        if len(x):
            mean = x.mean(dim=0)
            centred = x - mean
            self._join(len(x), mean, centred.T @ centred)

    def merge(self, other: MomentAccumulator) -> None:
        """Add all the images of another accumulator, which stays as it is.

        Raises:
            UserError: If d is not the same.
        """
        if other.count:
            self._join(other.count, other._mean, other._scatter)

    def moments(self) -> Moments:
        """The moments of all images so far.

        Raises:
            UserError: If there are fewer than 2.
        """
        if self.count < 2:
            raise UserError(f"There are features of {self.count} images, but it takes 2 or more")
        return Moments(self.count, self._mean.clone(), self._scatter / (self.count - 1))

    def _join(self, count: int, mean: Tensor, scatter: Tensor) -> None:
        if self.count == 0:
            self.count, self._mean, self._scatter = count, mean, scatter
            return
        _check_dimensions(self._mean, mean)
        total = self.count + count
        shift = mean - self._mean
        # New tensors throughout: the old ones may be shared with an accumulator merged from.
        self._scatter = (
            self._scatter + scatter + torch.outer(shift, shift) * (self.count * count / total)
        )
        self._mean = self._mean + shift * (count / total)
        self.count = total


@dataclass(frozen=True, eq=False)
class Reference:
    """The moments of real images, with the root of their covariance, which every score needs.

    Attributes:
        moments: The moments.
        root: float64 [d, r], root @ root.T = covariance, r its numerical rank.
    """

    moments: Moments
    root: Tensor

    @classmethod
    def of(cls, moments: Moments) -> Reference:
        """Take the root, once.

        Raises:
            UserError: If a moment is not finite.
        """
        if not (moments.mean.isfinite().all() and moments.covariance.isfinite().all()):
            raise UserError("The moments hold NaN or infinity, but must be finite")
        return cls(moments, covariance_root(moments.covariance))


def covariance_root(covariance: Tensor) -> Tensor:
    """A root [d, r] of a covariance S [d, d] of rank r: root @ root.T = S.

    Eigenvalues that rounding alone could have made, of either sign, are left out.
    """
    eigenvalues, eigenvectors = torch.linalg.eigh(covariance)  # ascending: [d], [d, d]
    threshold = eigenvalues[-1].clamp(min=0) * len(eigenvalues) * torch.finfo(torch.float64).eps
    real = eigenvalues > threshold
    root: Tensor = eigenvectors[:, real] * eigenvalues[real].sqrt()  # [d, r]
    return root


def frechet_distance(a: Moments | Reference, b: Moments | Reference) -> float:
    """The (squared) Fréchet distance between two Gaussians: finite, >= 0, and 0 for equal moments.

    With roots S1 = A A^T and S2 = B B^T, tr (S1 S2)^(1/2) is the sum of the singular values of
    A^T B. That is exact to rounding also for singular covariances, where the square root of an
    eigenvalue of S1 S2, or of A^T S2 A, that is 0 up to an error of 1e-16 is wrong by 1e-8.

    Args:
        a: One set of images.
        b: The other. Which is which makes no difference.

    Raises:
        UserError: If the features differ in dimension, or a moment is not finite.
    """
    a, b = (x if isinstance(x, Reference) else Reference.of(x) for x in (a, b))
    _check_dimensions(a.moments.mean, b.moments.mean)
    shift = (a.moments.mean - b.moments.mean).square().sum()
    variances = a.moments.covariance.trace() + b.moments.covariance.trace()
    common = torch.linalg.svdvals(a.root.T @ b.root).sum()
    return max(float(shift + variances - 2 * common), 0.0)


def _check_dimensions(a: Tensor, b: Tensor) -> None:
    if a.shape != b.shape:
        raise UserError(
            f"The features have {len(a)} and {len(b)} dimensions, but must have the same number"
        )
