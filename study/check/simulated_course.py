"""One course that a study could take: how good and how long its trials are, by measured costs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from random import Random
from typing import overload

from study.check.costs import Costs
from study.driver.events import Event, TrialEnded
from study.driver.finals import Candidate
from study.driver.messages import Assignment
from study.results.ledger import Ledger
from study.results.tables import Row
from study.simulation.clock import START, SimulatedClock
from study.simulation.learning_curves import Curve, Point
from study.spec import Picks
from study.spec.score import Rung

Every = int | tuple[Rung, ...]
"""As `score.every`."""


class Course:
    """One course of a study: the luck of its trials, and which are the best."""

    def __init__(self, costs: Costs, clock: SimulatedClock, seed: int, every: Every) -> None:
        self.searched = 0.0  # seconds, when the search's last trial ended
        self._costs = costs
        self._clock = clock
        self._seed = seed
        self._every = every  # as the study has it
        self._candidates: dict[int, Candidate] = {}
        self._values: dict[int, float] = {}

    def curve(self, assignment: Assignment, picks: Picks) -> Curve:
        """A trial's learning curve."""
        if not assignment.sampling_seeds:
            number = assignment.number
            self._candidates[number] = Candidate(number, assignment.spec, dict(picks))
        luck = Random(f"{self._seed} {assignment.seed}")
        return Curve(_Points(self._costs, assignment, luck, self._scores_each(assignment)))

    def _scores_each(self, assignment: Assignment) -> float:
        """By how much a simulated score costs more, as it stands for several of the study's."""
        spec = assignment.spec
        if assignment.sampling_seeds or spec.score.every == self._every:
            return 1.0
        score = spec.score.model_copy(update={"every": self._every})
        _, real = self._costs.trial_seconds(spec.model_copy(update={"score": score}))
        _, simulated = self._costs.trial_seconds(spec)
        return real / simulated

    def hear(self, event: Event) -> None:
        """Note how trials of the search end."""
        if isinstance(event, TrialEnded) and event.number in self._candidates:
            self.searched = self._clock.seconds()
            if event.state == "complete" and event.value is not None:
                self._values[event.number] = event.value

    def best(self, top: int) -> list[Candidate]:
        """The best of the search."""
        order = sorted(self._values, key=lambda number: self._values[number])
        return [self._candidates[number] for number in order[:top]]


class _Points(Sequence[Point]):
    """The points of a trial, made when they are asked for: there may be a hundred thousand."""

    def __init__(
        self, costs: Costs, assignment: Assignment, luck: Random, scores_each: float
    ) -> None:
        self._costs = costs
        self._scores_each = scores_each
        self._spec = assignment.spec
        self._epoch = costs.epoch_seconds(assignment.spec)
        self._worth = luck.lognormvariate(0.0, 1.0)
        self._luck = luck

    def __len__(self) -> int:
        return self._spec.train.epochs

    @overload
    def __getitem__(self, index: int) -> Point: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Point]: ...
    def __getitem__(self, index: int | slice) -> Point | Sequence[Point]:
        if isinstance(index, slice):
            return [self[one] for one in range(*index.indices(len(self)))]
        epoch, last = index + 1, index + 1 == len(self)
        seconds, value = 0.0, None
        if last or self._spec.score.scores_at(epoch):
            score = self._spec.score.at(epoch, last=last)
            seconds = self._scores_each * self._costs.score_seconds(self._spec, score)
            value = self._worth * (1 + 3 / epoch) * self._luck.lognormvariate(0.0, 0.05)
        return Point(
            images_seen=epoch,
            seconds=epoch * self._epoch,
            value=value,
            score_seconds=seconds,
            spread=None if value is None else 0.05 * value,
        )


class Stopwatch(SimulatedClock):
    """Time whose time of day stands still: a study may take longer than the calendar has."""

    def now(self) -> datetime:
        """The time of day at which the simulation began."""
        return START


class Nowhere(Ledger):
    """A ledger that keeps nothing."""

    @property
    def durable(self) -> int:
        """No row has to be waited for."""
        return 0

    def append(self, *rows: Row) -> int:
        """Forget the rows."""
        return 0

    def flush(self) -> None:
        """There is nothing to write."""
