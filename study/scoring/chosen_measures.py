"""What is measured of any images against any others: what is asked for, or what is useful."""

from __future__ import annotations

from collections.abc import Sequence

from study.data.streams import ImageStream
from study.scoring.scorer import check_measures
from study.spec.embedder_info import EMBEDDERS
from study.spec.errors import UserError
from study.spec.measure_info import MEASURES
from study.spec.names import metric_name

DEFAULT_MEASURES = ("fd", "kid", "precision", "recall", "density", "coverage")
"""What is measured unless one says what; less of it where the images are too many or too few."""

_MOST_PAIRS = 2 * 10**8  # of images, whose distances are computed unless one says which measures


def chosen_measures(
    embedder: str,
    metrics: Sequence[str] | None,
    generated: ImageStream,
    real: ImageStream | None,
) -> tuple[str, ...]:
    """The measures that metrics name, or the useful ones by default.

    Args:
        embedder: Its name or import path.
        metrics: Names of metrics or measures, if any.
        generated: The images to be measured.
        real: Those of the reference; none if only their moments are there.

    Raises:
        UserError: If one is not known, is of another embedder, or needs what is missing: labels, or
            the features of the real images.
    """
    if metrics is None:
        if real is None:
            return DEFAULT_MEASURES[:1]
        many = max(len(generated), len(real)) ** 2 > _MOST_PAIRS
        few = min(len(generated), len(real)) <= 5  # their balls reach to a fifth neighbour
        if many or few:
            return DEFAULT_MEASURES[:2]
        of_labels = [name for name, info in MEASURES.items() if info.needs_labels]
        return (*DEFAULT_MEASURES, *(() if real.labels is None else of_labels))
    by_metric = {metric_name(name, embedder): name for name in MEASURES}
    chosen = [by_metric.get(name, name) for name in metrics]
    of_others = {
        metric_name(name, other): (name, other) for name in MEASURES for other in EMBEDDERS
    }
    for metric in chosen:
        if metric not in MEASURES and metric in of_others:
            name, other = of_others[metric]
            raise UserError(
                f"The metric {metric!r} is of the embedder {other!r}, but the embedder is "
                f"{embedder!r}; with it, {name} is {metric_name(name, embedder)}"
            )
    # Labels of what is not there at all are not what is missing.
    check_measures(chosen, labels=real is None or real.labels is not None)
    if real is None:
        _check_moments_suffice(chosen)
    return tuple(dict.fromkeys(chosen))


def _check_moments_suffice(chosen: Sequence[str]) -> None:
    enough = [
        name
        for name, info in MEASURES.items()
        if info.needs_moments and not (info.needs_features or info.needs_training)
    ]
    for name in chosen:
        if name not in enough:
            raise UserError(
                f"The measure `{name}` needs the real images, but the reference is their mean and "
                f"covariance alone, which are for {' and '.join(enough)}"
            )
