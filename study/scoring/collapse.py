"""Whether generated images have collapsed: all nearly alike, or none where real ones are.

A distance to real images ranks a generator that makes one grey picture as surely as any other, and
the standard error of its score is small, as its images do not vary. What "collapsed" means stands
here and nowhere else; it is taken from the features of a score, at next to no cost.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

LEAST_VARIATION = 0.01
"""Images vary too little below this share of the real images' variance in feature space. That is a
tenth of their standard deviation: what is left of the real images' spread is then within a tenth of
it around one image. The variance is the total one, the trace of the covariance, which is also what
the Fréchet distance compares beside the means (Heusel et al. 2017, equation 6)."""

LEAST_IMAGES = 100
"""A recall of 0 counts from so many images on, generated and real ones alike: a generator that
covers one real image in twenty covers none of 100 in 0.6 % of cases."""


@dataclass(frozen=True)
class Variety:
    """How much generated images vary.

    Attributes:
        variation: Total variance of their features as a share of the real images', >= 0; None where
            the real images do not vary either.
        collapsed: Whether they have collapsed; None where that is not known.
    """

    variation: float | None
    collapsed: bool | None


def variety(
    generated: Tensor, real_variance: float, *, real_images: int, recall: float | None = None
) -> Variety:
    """How much generated images vary, and whether they have collapsed.

    They have if their variation is below `LEAST_VARIATION`, or if their recall (Kynkäänniemi et al.
    2019) is 0 over at least `LEAST_IMAGES` images of both kinds.

    Args:
        generated: Their features, [N, d], N >= 2.
        real_variance: Total variance of the real images' features.
        real_images: How many real images there are.
        recall: Share of the real images among the generated ones; None where it is not measured.
    """
    enough = min(len(generated), real_images) >= LEAST_IMAGES
    uncovered = recall == 0.0 and enough
    if not real_variance > 0.0:
        return Variety(None, True if uncovered else None)
    variation = total_variance(generated) / real_variance
    return Variety(variation, variation < LEAST_VARIATION or uncovered)


def total_variance(features: Tensor) -> float:
    """The trace of the covariance of features [N, d], unbiased (over N - 1)."""
    return float(features.var(dim=0).double().sum())
