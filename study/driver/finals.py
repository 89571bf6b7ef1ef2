"""The finals: the best of the search trained again with fresh seeds. Knows no Ray."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from study.results.arrow_values import rows
from study.results.query import query
from study.results.storage import Storage
from study.results.verdict import verdict
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
class RaceRun:
    """A final run of the ledger's: its number, whom it trains again, and its scores.

    `scores` are empty if it failed, and None while it is to go on.
    """

    number: int
    repeats: int
    scores: tuple[float, ...] | None


class Race:
    """Who is trained again, and how often.

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
        past: Sequence[RaceRun] = (),
    ) -> None:
        self._settings = settings
        self._next_number = max([planned - 1, *(run.number for run in past)]) + 1
        self._read = candidates
        self._candidates: dict[int, Candidate] | None = None
        self._runs: dict[int, RaceRun] = {run.number: run for run in past}

    def next(self) -> tuple[int, Candidate] | None:
        """The next final run's number and whom it trains; None if there is none now.

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
        self._runs[number] = RaceRun(number, chosen, None)
        return number, self._candidates[chosen]

    def end(self, number: int, scores: Sequence[float]) -> None:
        """A final run is over, with these scores; none if it failed."""
        self._runs[number] = RaceRun(number, self._runs[number].repeats, tuple(scores))


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
    found = verdict(storage, study)
    ranked = found.ranking.ranked if found.front is None else found.front.members
    numbers = [one.trial for one in ranked if one.state == "complete"][:top]
    listed = ", ".join(map(str, numbers)) or "null"
    found = query(
        storage, f"select trial, spec, picks from trials where trial in ({listed})", [study]
    )
    by_number: dict[int, dict[str, Any]] = {row["trial"]: row for row in rows(found)}
    return [
        Candidate(
            number=number,
            spec=Study.model_validate(json.loads(by_number[number]["spec"])),
            picks=json.loads(by_number[number]["picks"]),
        )
        for number in numbers
    ]
