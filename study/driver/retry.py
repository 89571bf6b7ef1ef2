"""How many deaths a trial survives."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RetryPolicy:
    """After a death a trial goes on from its last checkpoint, up to a number of times.

    A preemption (the node announced that it is taken away) is no death and never counts.

    Attributes:
        worker_deaths: Deaths of a trial's workers, on whichever lane, that it survives; with one
            more it fails. Its lane goes on with the next trial.
        lane_losses: Lanes that a trial may lose. With one more it fails.
    """

    worker_deaths: int = 3
    lane_losses: int = 2

    def gives_up(self, deaths: int) -> bool:
        """Whether a trial fails after this many deaths of its workers."""
        return deaths > self.worker_deaths
