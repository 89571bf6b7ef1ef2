"""Racing: which finalist is trained next, while the budget lasts.

Two trainings show how much seeds differ. After that a training goes to where the order is still
open, and none to a finalist whose place is clear.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from study.results.intervals import standings

FIRST_ROUND = 2
"""Trainings that every finalist gets before any are compared: one has no spread."""

Run = Sequence[float] | None
"""The scores of a training, one a sampling seed; empty if it failed, None while it runs."""


def next_finalist(runs: Mapping[int, Sequence[Run]], training_seeds: int) -> int | None:
    """The finalist to train next; None if there is none, or if that depends on running ones.

    Finalists that intervals do not tell apart are in one group. The next training goes to the first
    group of more than one, and there to the finalist with the fewest.

    Args:
        runs: The trainings of each finalist, in the order in which they were started; the
            finalists by their place in the search.
        training_seeds: The budget, in trainings for each finalist on average.
    """
    if sum(map(len, runs.values())) >= training_seeds * len(runs):
        return None
    first_round = min(FIRST_ROUND, training_seeds)
    fewest = min(runs, key=lambda finalist: len(runs[finalist]))  # of equals, the better one
    if len(runs[fewest]) < first_round:
        return fewest
    if any(run is None for trainings in runs.values() for run in trainings[:first_round]):
        return None
    ended = {finalist: [run for run in trainings if run] for finalist, trainings in runs.items()}
    ended = {finalist: scores for finalist, scores in ended.items() if scores}
    groups: dict[int, list[int]] = {}
    for standing in standings(ended) if ended else ():
        groups.setdefault(standing.group, []).append(standing.candidate)
    for _, group in sorted(groups.items()):
        if len(group) > 1:
            return min(group, key=lambda finalist: len(runs[finalist]))
    return None
