"""What features must be before anything is computed from two sets of them."""

from __future__ import annotations

from torch import Tensor

from study.spec.errors import UserError


def check_features(a: Tensor, b: Tensor, least: int = 1) -> None:
    """Check two sets of features, [N, d] and [M, d].

    Args:
        a: One set.
        b: The other.
        least: How many images each must have.

    Raises:
        UserError: If there are fewer, a feature is not finite, or d differs.
    """
    for features in (a, b):
        if features.ndim != 2 or len(features) < least:
            raise UserError(
                f"The features are of shape {list(features.shape)}, but must be [N >= {least}, d]"
            )
        if not features.isfinite().all():
            raise UserError("The features hold NaN or infinity, but must be finite")
    if a.shape[1] != b.shape[1]:
        raise UserError(
            f"The features have {a.shape[1]} and {b.shape[1]} dimensions, "
            "but must have the same number"
        )
