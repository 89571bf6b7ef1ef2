"""Points that were tried: none is proposed again while there are others, and none that has failed.

What is proposed is a function of the study's seed, the trial's number and what the search was told
before: a study that goes on proposes what it would have proposed without the break.

Samplers repeat points of a small space, one that fails (and so is never told to them) as gladly as
the best one. A trial survives what is not its point's fault (see `study.driver.retry`), so a failed
one would most likely fail again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import FrozenTrial, TrialState

from study.search.dimensions import distribution
from study.search.seeds import point_seed
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
        make_sampler: Makes what proposes points, of a seed.
        space: What a point is.
        tried: The points that were tried, kept by the search.
        seed: The study's; each trial draws with one that follows from it and the trial's number.
        remembers: Whether the sampler lives from trial to trial, as what it proposes follows from
            what it proposed before; if not, there is one for each trial.
    """

    def __init__(
        self,
        make_sampler: Callable[[int], BaseSampler],
        space: Space,
        tried: TriedPoints,
        seed: int,
        *,
        remembers: bool = False,
    ) -> None:
        self._make_sampler = make_sampler
        self._sampler = make_sampler(seed)
        self._space = space
        self._tried = tried
        self._seed = seed
        self._remembers = remembers
        self._random = RandomSampler(seed=seed)
        self._drawn: dict[int, Picks] = {}
        self._recorded: Picks | None = None
        self._start: Mapping[str, Label] | None = None
        self._in_hand = False

    def recall(
        self, picks: Picks, start: Mapping[str, Label] | None, *, in_hand: bool = False
    ) -> None:
        """The next trial is one of an earlier run: its point is known.

        Args:
            picks: The point.
            start: Those of its values that a starting point of the study gave, and no sampler; None
                if it was none.
            in_hand: Whether it has not ended: samplers keep notes with such a trial.
        """
        self._recorded, self._start, self._in_hand = picks, start, in_hand

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """As the sampler does."""
        return self._sampler.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Draw a whole point, and keep it until its values are asked for one by one."""
        recorded, self._recorded = self._recorded, None
        if recorded is not None:
            if self._remembers or self._in_hand:
                self._draw_again(study, trial, search_space, recorded)
            self._drawn[trial.number] = recorded
        elif "fixed_params" in trial.system_attrs:  # a starting point
            return self._sampler.sample_relative(study, trial, search_space)
        elif (drawn := self._draw_fresh(study, trial, search_space)) is not None:
            self._drawn[trial.number] = drawn
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
        """Make the trial's sampler."""
        if not self._remembers:
            self._sampler = self._make_sampler(point_seed(self._seed, trial.number))
        self._random = RandomSampler(seed=point_seed(self._seed, trial.number))
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

    def _draw_again(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        search_space: dict[str, BaseDistribution],
        recorded: Picks,
    ) -> None:
        """Have the sampler draw what it drew in an earlier run, for what it notes of that."""
        if self._start is None:
            self._draw_fresh(study, trial, search_space)
            return
        relative = self._sampler.sample_relative(study, trial, search_space)
        known = {**self._start, **relative}

        def draw(dimension: Dimension) -> Label:
            name, values = dimension.name, distribution(dimension)
            if name not in known and not values.single():
                self._sampler.sample_independent(study, trial, name, values)
            return recorded[name]

        self._space.fill(draw)

    def _draw_fresh(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> Picks | None:
        """A point that may be proposed; None if there is none."""
        drawn = self._draw(study, trial, search_space)
        return next((picks for picks in drawn if self._tried.takes(picks)), None)

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
