"""What a measure is, declared once beside its name: what it needs, and which way is better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class LeastImages:
    """How many images a measure takes at least; no score takes fewer than 2, or compares with 1.

    Attributes:
        generated: Generated images.
        real: Real images that they are compared with.
        training: Images that the generator learned from.
    """

    generated: int = 2
    real: int = 2
    training: int = 1


@dataclass(frozen=True)
class MeasureInfo:
    """What is known of a measure from its name.

    Attributes:
        about: One line for people.
        better: Which way is better.
        needs_moments: Whether it compares with the mean and covariance of the real features.
        needs_features: Whether it compares with the real features themselves.
        needs_labels: Whether it needs the labels of the real images.
        needs_training: Whether it compares with the images that the generator learned from.
        least: The images it takes at least.
    """

    about: str
    better: Literal["lower", "higher"]
    needs_moments: bool = False
    needs_features: bool = False
    needs_labels: bool = False
    needs_training: bool = False
    least: LeastImages = LeastImages()


MEASURES = {
    "fd": MeasureInfo("Fréchet distance", "lower", needs_moments=True),
    "fd_infinity": MeasureInfo(
        "Fréchet distance extrapolated to infinitely many generated images",
        "lower",
        needs_moments=True,
        least=LeastImages(generated=6),
    ),
    "kid": MeasureInfo("kernel distance (unbiased squared MMD)", "lower", needs_features=True),
    "precision": MeasureInfo(
        "share of the generated images among the real ones: fidelity",
        "higher",
        needs_features=True,
        least=LeastImages(generated=4, real=4),
    ),
    "recall": MeasureInfo(
        "share of the real images among the generated ones: variety",
        "higher",
        needs_features=True,
        least=LeastImages(generated=4, real=4),
    ),
    "density": MeasureInfo(
        "how densely real images surround the generated ones: about 1 for real ones",
        "higher",
        needs_features=True,
        least=LeastImages(real=6),
    ),
    "coverage": MeasureInfo(
        "share of the real images with a generated one nearby",
        "higher",
        needs_features=True,
        least=LeastImages(real=6),
    ),
    "memorisation": MeasureInfo(
        "share of the generated images that copy a training image",
        "lower",
        needs_training=True,
        least=LeastImages(training=2),
    ),
    "authenticity": MeasureInfo(
        "share of the generated images no nearer to a training image than another real one is",
        "higher",
        needs_training=True,
        least=LeastImages(training=2),
    ),
    "sliced_wasserstein": MeasureInfo(
        "sliced Wasserstein-2 distance, squared", "lower", needs_features=True
    ),
    "modes": MeasureInfo(
        "labels with at least one generated image, by its nearest real images",
        "higher",
        needs_features=True,
        needs_labels=True,
    ),
    "mode_divergence": MeasureInfo(
        "Kullback-Leibler divergence of the generated images' labels from the real ones', in nats",
        "lower",
        needs_features=True,
        needs_labels=True,
    ),
}
"""What is computed from features, whatever the embedder; `study.scoring.measures` computes it."""
