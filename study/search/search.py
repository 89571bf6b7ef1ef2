"""One Optuna study behind both search and pruning."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import optuna
from optuna.trial import TrialState

from study.search.dimensions import suggest
from study.search.proposers import SAMPLERS
from study.search.pruners import like_with_like, make_pruner
from study.search.seeds import trial_seed
from study.search.tried import FreshSampler, TriedPoints
from study.spec import Picks, Space, StudyFile
from study.spec.holes import Label
from study.spec.search import SEARCH_SAMPLERS

optuna.logging.set_verbosity(optuna.logging.WARNING)


@dataclass(frozen=True)
class Suggestion:
    """A trial to run: its number in the study, its seed, and what fills the holes."""

    number: int
    seed: int
    picks: Picks


@dataclass(frozen=True)
class PastTrial:
    """A trial of an earlier run, read back from the ledger.

    Attributes:
        picks: What filled the holes; None of one whose row was lost, which is begun again.
        state: `complete`, `pruned`, `failed`, or `running` for one that is to go on.
        values: The objectives' values, in the study's order; empty if it failed before a report.
        reports: Score by epoch.
        started: When it was proposed; None if that is not known.
        ended: When the search was told of its end; None if that is not known.
    """

    picks: Picks | None
    state: str
    values: tuple[float, ...]
    reports: Mapping[int, float]
    started: datetime | None = None
    ended: datetime | None = None


class Search:
    """The whole search of one study: it suggests trials, and says which to prune.

    Nothing of it is ever pickled: a new one is made of the `past` trials that the ledger holds.

    Args:
        study_file: The space, the sampler, the pruner and the starting points.
        past: Trials that happened before, in the order of their numbers.
    """

    def __init__(self, study_file: StudyFile, past: Sequence[PastTrial] = ()) -> None:
        self._space = study_file.space
        self._settings = study_file.study.search
        self._score = study_file.study.score
        self._tried = TriedPoints(self._space)
        self._sampler = FreshSampler(
            SAMPLERS[self._settings.sampler],
            self._space,
            self._tried,
            self._settings.seed,
            remembers=SEARCH_SAMPLERS[self._settings.sampler].remembers,
        )
        self._study = optuna.create_study(
            study_name=study_file.study.name,
            directions=["minimize"] * len(self._settings.objectives),
            sampler=self._sampler,
            pruner=like_with_like(
                make_pruner(self._settings.pruner, study_file.most_epochs), self._score
            ),
        )
        self._running: dict[int, optuna.Trial] = {}
        points: list[Picks] = [*study_file.starting_points]
        self._planned = self._settings.trials
        if SEARCH_SAMPLERS[self._settings.sampler].enumerates:
            points = [*itertools.islice(_grid_from(self._space, points), self._planned)]
            self._planned = len(points)
        self._lost: list[Suggestion] = []
        self._replay(past, points)
        self._asked = len(past) - len(self._lost)
        for point in points[len(past) :]:
            self._study.enqueue_trial(dict(point))

    @property
    def planned(self) -> int:
        """How many trials the study runs in all; a grid may be smaller than `search.trials`."""
        return self._planned

    @property
    def asked(self) -> int:
        """How many trials were handed out, those of earlier runs too."""
        return self._asked

    @property
    def stopped(self) -> str:
        """Why it ends before all planned trials were handed out; empty if it does not."""
        return self._tried.none_left if self._asked < self._planned else ""

    def ask(self) -> Suggestion | None:
        """The next trial, or None when all have been handed out, or no point is left to try.

        A point is repeated (with another seed) only when all others were tried, and never one that
        has failed.
        """
        if self._asked >= self._planned or self.stopped:
            return None
        self._asked += 1
        return self._lost.pop(0) if self._lost else self._ask()

    def report(self, number: int, epoch: int, value: float, *, last: bool = False) -> bool:
        """Note a running trial's score after an epoch; answers whether it should be pruned.

        `last` says that the trial is over. Such a score may be of more images than others have at
        that epoch; then pruning must not see it.
        """
        if len(self._settings.objectives) > 1:
            return False  # Optuna cannot prune by several objectives, and the study file says so
        if last and not self._score.is_full(epoch):
            return False
        trial = self._running[number]
        trial.report(value, step=epoch)
        return trial.should_prune()

    def complete(self, number: int, values: Sequence[float]) -> None:
        """A trial ran to its end with these objectives."""
        self._study.tell(self._running.pop(number), list(values))

    def prune(self, number: int) -> None:
        """A trial was stopped early. Optuna takes its last report as its value."""
        self._study.tell(self._running.pop(number), state=TrialState.PRUNED)

    def fail(self, number: int) -> None:
        """A trial ended without a score: it tells the sampler nothing, and no other repeats it."""
        trial = self._running.pop(number)
        self._tried.fail(trial.params)
        self._study.tell(trial, state=TrialState.FAIL)

    @property
    def trials(self) -> list[optuna.trial.FrozenTrial]:
        """Every trial as Optuna knows it."""
        return self._study.get_trials(deepcopy=False)

    def _ask(self) -> Suggestion:
        trial = self._study.ask()
        filled = self._space.fill(lambda dimension: suggest(trial, dimension))
        self._tried.add(filled.picks)
        self._running[trial.number] = trial
        return Suggestion(trial.number, trial_seed(self._settings.seed, trial.number), filled.picks)

    def _replay(self, past: Sequence[PastTrial], points: Sequence[Picks]) -> None:
        """Ask for the trials of an earlier run again, and tell what they told, in its order."""
        for number, is_end in _in_order(past):
            trial = past[number]
            if is_end:
                self._tell_past(number, trial)
            elif trial.picks is None:
                if number < len(points):
                    self._study.enqueue_trial(dict(points[number]))
                self._lost.append(self._ask())
            else:
                picks = self._space.refill(trial.picks).picks
                start = points[number] if number < len(points) else None
                self._sampler.recall(picks, start, in_hand=trial.state == "running")
                self._ask()

    def _tell_past(self, number: int, past: PastTrial) -> None:
        """What a trial of an earlier run has reported, and how it ended if it has."""
        trial = self._running[number]
        reports = {epoch: v for epoch, v in past.reports.items() if math.isfinite(v)}
        if past.state == "complete" and reports and not self._score.is_full(max(reports)):
            del reports[max(reports)]  # as when it was reported
        for epoch, value in sorted(reports.items()):
            trial.report(value, step=epoch)
            if self._settings.pruner.keeps_rungs:
                stopped = past.state == "pruned" and epoch == max(reports)
                self._pass_rungs(trial, once=stopped)
        match past.state:
            case "running":
                pass
            case "complete":
                self.complete(number, past.values)
            case "pruned":
                self.prune(number)
            case _:
                self.fail(number)

    def _pass_rungs(self, trial: optuna.Trial, *, once: bool) -> None:
        """Have successive halving note which rungs a trial has reached, whatever it thinks of it.

        It keeps that with the trial and not with its reports, so a trial that came back without
        would begin again at the first rung, with a late score. A call notes a rung, and more only
        if it would let the trial go on; a trial that did go on has passed all that it has reached.
        """
        while True:
            noted = len(self.trials[trial.number].system_attrs)
            trial.should_prune()
            if once or len(self.trials[trial.number].system_attrs) == noted:
                return


def _in_order(past: Sequence[PastTrial]) -> list[tuple[int, bool]]:
    """Beginnings and ends of an earlier run's trials in their order: the number, and which it is.

    One that is to go on comes to its end, as far as it has reported, after all others.
    """
    order: list[tuple[datetime, int, int, bool]] = []
    latest = datetime.min.replace(tzinfo=UTC)
    for number, trial in enumerate(past):
        latest = max(latest, trial.started or latest)  # they were proposed one after another
        order.append((latest, 1, number, False))
        if trial.picks is None:
            continue
        if trial.state == "running":
            order.append((datetime.max.replace(tzinfo=UTC), 2, number, True))
        elif trial.ended is None or trial.ended <= latest:
            order.append((latest, 1, number, True))
        else:
            order.append((trial.ended, 0, number, True))
    return [(number, is_end) for _, _, number, is_end in sorted(order)]


def _grid_from(space: Space, starting_points: Sequence[Picks]) -> Iterator[Picks]:
    """Every point of a grid once, those that agree with a starting point first."""
    early: set[tuple[tuple[str, Label], ...]] = set()
    for start in starting_points:
        for filled in space.grid():
            key = tuple(filled.picks.items())
            if start.items() <= filled.picks.items() and key not in early:
                early.add(key)
                yield filled.picks
                break  # a start that leaves something open stands for one point
    for filled in space.grid():
        if tuple(filled.picks.items()) not in early:
            yield filled.picks
