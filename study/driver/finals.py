"""The finals: the best of the search trained again with fresh seeds. Knows no Ray."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from study.results.leaderboard import read_leaderboard
from study.results.storage import Storage
from study.search import next_finalist, trial_seed
from study.spec import Picks, Study
from study.spec.finalists import Finalists


@dataclass(frozen=True)
class Candidate:
    """A trial of the search that takes part in the finals."""

    number: int
    spec: Study  # as the search ran it
    picks: Picks


@dataclass(frozen=True)
class FinalRunState:
    """How far a final run is: what the race must know to choose the next one.

    The leaderboard's `study.results.finalists.FinalRun` is one that has ended with scores.

    Attributes:
        number: Its own in the study.
        repeats: The search trial that it trains again.
        scores: One for each sampling seed; empty if it failed, None while it is to go on.
    """

    number: int
    repeats: int
    scores: tuple[float, ...] | None


class Race:
    """Which trials are trained again, and how often.

    Args:
        settings: The `finalists:` section.
        planned: How many trials the search has; final runs are numbered after them.
        candidates: Gives the search's best once it is over, best first.
        past: Final runs of an earlier run of the study.
    """

    def __init__(
        self,
        settings: Finalists,
        planned: int,
        candidates: Callable[[], Sequence[Candidate]],
        past: Sequence[FinalRunState] = (),
    ) -> None:
        self._settings = settings
        self._next_number = max([planned - 1, *(run.number for run in past)]) + 1
        self._read = candidates
        self._candidates: dict[int, Candidate] | None = None
        self._runs: dict[int, FinalRunState] = {run.number: run for run in past}

    def next(self) -> tuple[int, Candidate] | None:
        """The next final run's number and which trial it trains; None if there is none now.

        To be asked only when the search is over.
        """
        if self._candidates is None:
            self._candidates = {one.number: one for one in self._read()}
        if not self._candidates:
            return None
        runs: dict[int, list[tuple[float, ...] | None]] = {one: [] for one in self._candidates}
        for _, run in sorted(self._runs.items()):
            runs[run.repeats].append(run.scores)
        chosen = next_finalist(runs, self._settings.training_seeds)
        if chosen is None:
            return None
        number, self._next_number = self._next_number, self._next_number + 1
        self._runs[number] = FinalRunState(number, chosen, None)
        return number, self._candidates[chosen]

    def end(self, number: int, scores: Sequence[float]) -> None:
        """A final run is over, with these scores; none if it failed."""
        self._runs[number] = FinalRunState(number, self._runs[number].repeats, tuple(scores))


def sampling_seeds(settings: Finalists, seed: int) -> tuple[int, ...]:
    """The seeds of the images that a final run is scored by; each training has its own.

    Args:
        settings: The `finalists:` section.
        seed: The run's.
    """
    return tuple(trial_seed(seed, index) for index in range(settings.sampling_seeds))


def read_candidates(storage: Storage, study: str, top: int) -> list[Candidate]:
    """The best complete trials of a study's search; of several objectives, the front's.

    Raises:
        UserError: The scores cannot be compared.
    """
    board = read_leaderboard(storage, study)
    ranked = board.ranked if board.front is None else board.front.members
    numbers = [one.trial for one in ranked if one.state == "complete"][:top]
    trials = {trial.trial: trial for trial in board.rows.trials}
    return [
        Candidate(number=number, spec=trials[number].study, picks=dict(trials[number].picks))
        for number in numbers
    ]
