"""How often what may die before a trial is given up."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RetryPolicy:
    """What a trial survives.

    Attributes:
        worker_deaths: Deaths of a trial's workers that are tolerated before the trial fails;
            preemptions do not count.
        lane_losses: Lanes that a trial may lose before it is given up.
    """

    worker_deaths: int = 3
    lane_losses: int = 2
