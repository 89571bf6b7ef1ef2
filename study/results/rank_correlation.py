"""Whether two scores of the same trials put them in the same order."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

FEWEST = 3
"""With fewer trials, their order says nothing."""


@dataclass(frozen=True)
class Agreement:
    """The rank correlation of two scores.

    Attributes:
        kendall: Kendall's tau-b.
        spearman: Spearman's rho.
        count: Number of trials that have both scores.
    """

    kendall: float
    spearman: float
    count: int

    def __str__(self) -> str:
        """Both coefficients and the count, in words."""
        return (
            f"Kendall's tau {self.kendall:.2f}, Spearman's rho {self.spearman:.2f} "
            f"over {self.count} trials"
        )


def agreement(pairs: Iterable[tuple[float | None, float | None]]) -> Agreement | None:
    """How well two scores agree on the order of trials.

    Args:
        pairs: Both scores of each trial; a trial that lacks one is left out.

    Returns:
        The correlations, from -1 (opposite orders) to 1 (the same order); None for fewer than
        three trials, or if all have the same score.
    """
    known = [(a, b) for a, b in pairs if a is not None and b is not None]
    if len(known) < FEWEST or any(len(set(side)) == 1 for side in zip(*known, strict=True)):
        return None
    from scipy import stats  # slow to import, and seldom needed

    one, other = zip(*known, strict=True)
    kendall = float(stats.kendalltau(one, other).statistic)
    spearman = float(stats.spearmanr(one, other).statistic)
    return None if math.isnan(kendall + spearman) else Agreement(kendall, spearman, len(known))
