"""Points that were tried: none is proposed again while there are others, and none that has failed.

Samplers repeat points of a small space, one that fails (and so is never told to them) as gladly as
the best one. A trial survives what is not its point's fault (see `study.driver.retry`), so a failed
one would most likely fail again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import FrozenTrial, TrialState

from study.search.dimensions import distribution
from study.spec import Dimension, Picks, Space
from study.spec.holes import Choice, Label

DRAWS = 10
"""How often the sampler is asked for another point; a Gaussian process takes a while each time."""

RANDOM_DRAWS = 100
"""How often a point is drawn at random after that."""

_Point = tuple[tuple[str, Label], ...]


def _point(picks: Mapping[str, Label]) -> _Point:
    # A value on a grid of steps differs in its last digits with how it was reckoned.
    rounded = {n: float(f"{v:.12g}") if isinstance(v, float) else v for n, v in picks.items()}
    return tuple(sorted(rounded.items()))


class TriedPoints:
    """The points of a space that were tried so far.

    Args:
        space: The space.
    """

    def __init__(self, space: Space) -> None:
        self._size = space.size
        self._tried: set[_Point] = set()
        self._failed: set[_Point] = set()

    def add(self, picks: Mapping[str, Label]) -> None:
        """A point was handed out."""
        self._tried.add(_point(picks))

    def fail(self, picks: Mapping[str, Label]) -> None:
        """A point's trial has failed."""
        self._failed.add(_point(picks))

    @property
    def none_left(self) -> str:
        """Why there is no point to try any more; empty if there is one."""
        if self._size is None or len(self._failed) < self._size:
            return ""
        if self._size == 1:
            return "the only point of the space has failed"
        return f"all {self._size:,} points of the space have failed"

    def takes(self, picks: Mapping[str, Label]) -> bool:
        """Whether a point may be proposed."""
        point = _point(picks)
        all_tried = self._size is not None and len(self._tried) >= self._size
        return point not in (self._failed if all_tried else self._tried)


class FreshSampler(BaseSampler):
    """A sampler that is asked again where it repeats a point.

    Each point is drawn whole before Optuna asks for its first value, in the order in which Optuna
    would: a point that no one has tried is the one that the sampler alone would have proposed.

    Args:
        sampler: Proposes points.
        space: What a point is.
        tried: The points that were tried, kept by the search.
        seed: Of what is drawn at random where the sampler goes on repeating itself.
    """

    def __init__(self, sampler: BaseSampler, space: Space, tried: TriedPoints, seed: int) -> None:
        self._sampler = sampler
        self._space = space
        self._tried = tried
        self._random = RandomSampler(seed=seed)
        self._drawn: dict[int, Picks] = {}

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """As the sampler does."""
        return self._sampler.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Draw a whole point, and keep it until its values are asked for one by one."""
        # A starting point, or a trial of an earlier run: it is what it is.
        if trial.params or "fixed_params" in trial.system_attrs:
            return self._sampler.sample_relative(study, trial, search_space)
        for picks in self._draw(study, trial, search_space):
            if self._tried.takes(picks):
                self._drawn[trial.number] = picks
                break
        return {}

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """A value of the point that was drawn."""
        drawn = self._drawn.get(trial.number)
        if drawn is not None:
            return drawn[param_name]
        return self._sampler.sample_independent(study, trial, param_name, param_distribution)

    def reseed_rng(self) -> None:
        """As the sampler does."""
        self._sampler.reseed_rng()

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """As the sampler does."""
        self._sampler.before_trial(study, trial)

    def after_trial(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        """As the sampler does."""
        self._drawn.pop(trial.number, None)
        self._sampler.after_trial(study, trial, state, values)

    def _draw(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> Iterator[Picks]:
        """Points: the sampler's, then random ones, then all there are."""
        for _ in range(DRAWS):
            relative = self._sampler.sample_relative(study, trial, search_space)
            yield self._point(study, trial, self._sampler, relative)
        for _ in range(RANDOM_DRAWS):
            yield self._point(study, trial, self._random, {})
        if self._space.size is not None:
            for filled in self._space.points():
                yield filled.picks

    def _point(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        sampler: BaseSampler,
        relative: Mapping[str, Any],
    ) -> Picks:
        """A point, each of its values drawn as by `optuna.Trial`."""

        def draw(dimension: Dimension) -> Label:
            name, values = dimension.name, distribution(dimension)
            if values.single():
                hole = dimension.hole
                return hole.labels[0] if isinstance(hole, Choice) else hole.low
            if name in relative:
                label: Label = relative[name]
            else:
                label = sampler.sample_independent(study, trial, name, values)
            return label

        return self._space.fill(draw).picks
