"""Mode collapse: which kinds of image a generator makes, and how far from evenly.

Where real images have labels, a mode is a label, and a generated image is of the label of its
nearest real images. Where they have none, a mode is a cluster of real images.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from study.scoring.neighbours import nearest

SIGNIFICANCE = 1.959964
"""The deviate beyond which two shares differ at a level of 0.05, on two sides."""

MOST_CLUSTERS = 50
_IMAGES_A_CLUSTER = 20  # fewer, and the test of a cluster's share says nothing


def classify(features: Tensor, references: Tensor, labels: Tensor, k: int = 5) -> Tensor:
    """The label of each image by a vote of its k nearest references; of a tie, the nearest's.

    Args:
        features: Features of the images, [N, d].
        references: Features of images whose labels are known, [M >= k, d].
        labels: Their labels, int64 [M], >= 0.
        k: How many vote.

    Returns:
        int64 [N].

    Raises:
        UserError: If there are too few references, a feature is not finite, or d differs.
    """
    votes = labels[nearest(features, references, k).indices]  # [N, k]
    tally = (votes[:, :, None] == votes[:, None, :]).sum(2)  # [N, k], votes for the same label
    return votes.gather(1, tally.argmax(1, keepdim=True))[:, 0]  # argmax takes the first


def count_modes(members: Tensor, modes: int) -> Tensor:
    """How many images are of each mode 0 .. modes-1, int64 [modes], from each one's mode [N]."""
    return torch.bincount(members, minlength=modes)


def modes_found(counts: Tensor) -> int:
    """Number of modes with at least one image (Srivastava et al. 2017, "VEEGAN", section 5.1)."""
    return int((counts > 0).sum())


def divergence(counts: Tensor, reference: Tensor) -> float:
    """KL(generated || real) of two counts of the same modes, in nats, >= 0.

    Metz et al. 2017, "Unrolled GANs", section 3.3. The log of the number of modes, if all images
    are of one of as many equal ones.

    Args:
        counts: Generated images of each mode, [modes].
        reference: Real images of each mode, [modes].

    Returns:
        Infinity, if images were generated of a mode that has no real one.
    """
    p = counts.double() / counts.sum()
    q = reference.double() / reference.sum()
    here = p > 0
    return max(float((p[here] * (p[here] / q[here]).log()).sum()), 0.0)


def divergence_error(counts: Tensor, reference: Tensor) -> float:
    """The standard error of `divergence` over the choice of the generated images.

    By the delta method: an image of mode i adds log(p_i / q_i). Like the divergence itself, of
    little use where there are few images for each mode: it is then biased upwards, by about
    (modes - 1) / (2 images).

    Args:
        counts: Generated images of each mode, [modes].
        reference: Real images of each mode, [modes].
    """
    p = counts.double() / counts.sum()
    q = reference.double() / reference.sum()
    here = p > 0
    logs = (p[here] / q[here]).log()
    mean = (p[here] * logs).sum()
    return math.sqrt(float((p[here] * (logs - mean).square()).sum() / counts.sum()))


def different_shares(counts: Tensor, reference: Tensor) -> Tensor:
    """Which modes have a share that differs from the real one's at the 0.05 level, bool [modes].

    The two-proportion z-test with pooled variance: Richardson & Weiss 2018, "On GANs and GMMs",
    section 3, where the number of such bins is the NDB. One bin in twenty differs by chance.

    Args:
        counts: Generated images of each mode, [modes].
        reference: Real images of each mode, [modes].
    """
    n, m = int(counts.sum()), int(reference.sum())
    p, q = counts.double() / n, reference.double() / m
    pooled = (counts + reference).double() / (n + m)
    error = (pooled * (1 - pooled) * (1 / n + 1 / m)).sqrt()
    return (p - q).abs() > SIGNIFICANCE * error


@dataclass(frozen=True, eq=False)
class Clusters:
    """Clusters of real images, in place of labels.

    Attributes:
        centres: Features, [modes, d] float32.
    """

    centres: Tensor

    @classmethod
    def of(cls, features: Tensor, seed: int, modes: int | None = None) -> Clusters:
        """The k-means clusters of the features of real images.

        Args:
            features: [N, d].
            seed: Decides where the search for centres starts.
            modes: How many; by default one for every 20 images, at least 2 and at most 50.
        """
        from sklearn.cluster import KMeans  # slow to import

        if modes is None:
            modes = min(MOST_CLUSTERS, max(2, len(features) // _IMAGES_A_CLUSTER))
        means = KMeans(modes, n_init=3, random_state=seed % 2**32)
        means.fit(features.detach().cpu().double().numpy())
        # Where images are equal, some centres may be the nearest of none.
        clusters = cls(torch.from_numpy(means.cluster_centers_).float())
        return cls(clusters.centres[torch.unique(clusters.members(features)).cpu()])

    def members(self, features: Tensor) -> Tensor:
        """The cluster that each image belongs to, int64 [N], from features [N, d]."""
        return nearest(features, self.centres.to(features.device)).indices[:, 0]
