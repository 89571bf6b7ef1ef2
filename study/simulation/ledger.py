"""The ledger of a simulation: few files, although trials end by the thousand."""

from __future__ import annotations

from study.results.ledger import Ledger
from study.results.patience import Patience
from study.results.storage import Storage
from study.simulation.clock import SimulatedClock


class SimulatedLedger(Ledger):
    """A ledger that writes at most once in some simulated time, even where a trial ends.

    What the simulation itself reads, it writes before with `write`.

    Args:
        storage: Where the study is.
        study: Its name.
        clock: The simulation's.
        seconds: Simulated time between two writes; None writes as the ledger of a real study does.
    """

    def __init__(
        self, storage: Storage, study: str, clock: SimulatedClock, seconds: float | None
    ) -> None:
        super().__init__(storage, study, clock=clock, patience=Patience(clock=clock))
        self._simulated = clock
        self._seconds = seconds
        self._next_write = 0.0

    @property
    def due(self) -> float | None:
        """When rows that wait are to be written, in simulated seconds; None if none wait."""
        due = super().due
        return due if due is None or self._seconds is None else max(due, self._next_write)

    def flush(self) -> None:
        """Write what is in the buffer, if it is time to."""
        if self._seconds is None or self._simulated.seconds() >= self._next_write:
            self.write()

    def write(self) -> None:
        """Write what is in the buffer."""
        super().flush()
        self._next_write = self._simulated.seconds() + (self._seconds or 0.0)
