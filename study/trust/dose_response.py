"""How a score responds to rising levels of a corruption, and which differences are not chance.

At each level there are several scores, of sets of N images each. Their standard deviation is what
one score of N images may be off by, and so decides what a difference of two scores is worth.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
"""The confidence at which a difference of two scores is not chance; two-sided."""

Kind = Literal["rises", "rises_with_ties", "falls", "blind"]


@dataclass(frozen=True)
class LevelScores:
    """The scores of several sets of N images, corrupted at one level.

    Attributes:
        level: The level of the corruption.
        values: One score a set, at least 2.
        widening: What their deviation is multiplied by: above 1 where the sets overlap.
    """

    level: float
    values: tuple[float, ...]
    widening: float = 1.0

    @cached_property
    def mean(self) -> float:
        """The mean score."""
        return statistics.fmean(self.values)

    @cached_property
    def spread(self) -> float:
        """The standard deviation of the score of one set of N images."""
        return statistics.stdev(self.values) * self.widening


@dataclass(frozen=True)
class Response:
    """The scores of one metric at rising levels of one corruption.

    Attributes:
        corruption: Its name.
        scores: In order of level; the first one clean.
    """

    corruption: str
    scores: tuple[LevelScores, ...]

    @cached_property
    def detected(self) -> tuple[bool, ...]:
        """Of each level, whether it scores worse than clean images by more than chance."""
        return tuple(_compare(self.scores[0], each) > 0 for each in self.scores)

    @cached_property
    def detection_limit(self) -> float | None:
        """The smallest level that is detected; None if none is.

        Between two levels of which only the upper is detected, it is where the straight line
        between their scores crosses the threshold. If the lowest level tried is detected, it is
        that level, and an upper bound: see `limit_is_bound`.
        """
        if True not in self.detected:
            return None
        upper = self.detected.index(True)
        if upper == 1:
            return self.scores[1].level
        below, above = self.scores[upper - 1], self.scores[upper]
        clean = self.scores[0]
        short = threshold(clean, below) - (below.mean - clean.mean)  # >= 0
        over = (above.mean - clean.mean) - threshold(clean, above)  # > 0
        return below.level + (above.level - below.level) * short / (short + over)

    @property
    def limit_is_bound(self) -> bool:
        """Whether the lowest level tried is detected, so that the limit may be smaller still."""
        return self.detected[1]

    @cached_property
    def fall(self) -> tuple[float, float] | None:
        """The two levels, the lower first, between which the score falls most beyond chance.

        Any two levels are compared, so that a slow fall is seen too. None if there is none.
        """
        falls = {
            (low.level, high.level): low.mean - high.mean
            for index, low in enumerate(self.scores)
            for high in self.scores[index + 1 :]
            if _compare(low, high) < 0
        }
        return max(falls, key=lambda pair: falls[pair]) if falls else None

    @cached_property
    def ties(self) -> tuple[tuple[float, float], ...]:
        """The ranges (low, high) of levels whose scores differ by chance alone, from below."""
        ranges, start = [], 0
        while start < len(self.scores) - 1:
            end = start
            while end + 1 < len(self.scores) and all(
                _compare(each, self.scores[end + 1]) == 0 for each in self.scores[start : end + 1]
            ):
                end += 1
            if end > start:
                ranges.append((self.scores[start].level, self.scores[end].level))
            start = max(end, start + 1)
        return tuple(ranges)

    @cached_property
    def kind(self) -> Kind:
        """Whether the score falls somewhere, never leaves the clean one, or rises (with ties)."""
        if self.fall is not None:
            return "falls"
        if True not in self.detected:
            return "blind"
        return "rises_with_ties" if self.ties else "rises"

    def verdict(self, level_text: Callable[[float], str]) -> str:
        """The response in a few words.

        Args:
            level_text: Writes a level.
        """
        if self.fall is not None:
            return f"falls from {level_text(self.fall[0])} to {level_text(self.fall[1])}"
        if self.kind == "blind":
            return "cannot tell"
        if self.kind == "rises":
            return "rises at every step"
        ranges = ", ".join(f"{level_text(low)} to {level_text(high)}" for low, high in self.ties)
        return f"rises; not told apart: {ranges}"

    @cached_property
    def rank_correlation(self) -> float | None:
        """Spearman's, of all scores with their levels; None if all scores are equal."""
        levels = [each.level for each in self.scores for _ in each.values]
        values = [value for each in self.scores for value in each.values]
        if len(set(values)) == 1:
            return None
        return float(np.corrcoef(stats.rankdata(levels), stats.rankdata(values))[0, 1])


def smallest_difference(clean: LevelScores) -> float:
    """The difference that two scores of N images must exceed before chance is ruled out.

    t * sqrt(2) * s: two independent sets of equally good images differ by more than this in 5 % of
    cases. s is the deviation of R scores, and t the quantile of Student's distribution of
    R - 1 degrees of freedom, 1.96 if R is large.
    """
    return threshold(clean, None)


def threshold(a: LevelScores, b: LevelScores | None) -> float:
    """The difference of a score of each of two levels that chance alone exceeds in 5 % of cases.

    By Welch's t: t * sqrt(s_a^2 + s_b^2), degrees of freedom after Satterthwaite 1946 ("An
    Approximate Distribution of Estimates of Variance Components").

    Args:
        a: Scores of the first level.
        b: Scores of the second; None for another set of the first level.
    """
    if b is None:
        variance, freedom = 2 * a.spread**2, len(a.values) - 1.0
    else:
        parts = ((a.spread**2, len(a.values) - 1), (b.spread**2, len(b.values) - 1))
        variance = sum(part for part, _ in parts)
        weight = sum(part**2 / free for part, free in parts)
        freedom = variance**2 / weight if weight > 0 else 1.0
    return float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom)) * math.sqrt(variance)


def _compare(a: LevelScores, b: LevelScores) -> int:
    """1 if the score rises from a to b by more than chance, -1 if it falls so, else 0."""
    difference = b.mean - a.mean
    return 0 if abs(difference) <= threshold(a, b) else int(math.copysign(1, difference))
