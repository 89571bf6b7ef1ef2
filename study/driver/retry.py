"""How often what may die is started again before it is given up."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RetryPolicy:
    """How often a trial goes on after a death, from its last checkpoint.

    A preemption (the machine was taken away, and its node said so) is no death and never counts.

    Attributes:
        worker_deaths: Deaths of a trial's workers, on whichever lane, that it survives; with one
            more it fails. Its lane goes on with the next trial.
        lane_losses: Lanes that a trial may lose. With one more it fails.
    """

    worker_deaths: int = 3
    lane_losses: int = 2

    def gives_up(self, deaths: int) -> bool:
        """Whether a trial fails whose workers have died so often."""
        return deaths > self.worker_deaths
