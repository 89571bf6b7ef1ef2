"""Which checkpoints of a trial are kept, and when the others are deleted."""

from __future__ import annotations

from dataclasses import dataclass

from study.driver.files import delete_files
from study.results.ledger import Ledger
from study.results.outage import StorageUnavailable


@dataclass(frozen=True)
class _Kept:
    name: str
    value: float | None  # of a score that may be compared with the others
    row: int  # number of the ledger's row that names it


class Retention:
    """Deletes checkpoints that nobody needs: the driver does it, since only it knows the ledger.

    A checkpoint counts once a row that names it is on disk: a study goes on from there. Of a trial
    that may go on that one is kept, the one before it in case it is damaged, what is newer, and the
    best; of one that has ended, the last and the best. What the storage does not delete now is
    deleted with what comes next.

    Args:
        ledger: Where rows name checkpoints.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._kept: dict[int, list[_Kept]] = {}
        self._dropped: list[str] = []  # what is still to be deleted

    def note(self, trial: int, name: str, value: float | None, row: int) -> None:
        """A trial has written a checkpoint.

        Args:
            trial: The trial's number.
            name: The checkpoint's, in the storage.
            value: Its score, if it has one that may be compared with the trial's others.
            row: Number of the row that names it (`Ledger.append`).
        """
        kept = [other for other in self._kept.get(trial, []) if other.name != name]
        self._kept[trial] = [*kept, _Kept(name, value, row)]
        durable = [i for i, one in enumerate(self._kept[trial]) if one.row <= self._ledger.durable]
        if durable:
            self._drop(trial, durable[-1] - 1)

    def end(self, trial: int, *, over: bool) -> None:
        """A trial leaves this run, and its last row is on disk.

        Args:
            trial: The trial's number.
            over: Whether it has ended, or may go on in a later run.
        """
        kept = self._kept.get(trial)
        if kept is not None:
            self._drop(trial, len(kept) - (1 if over else 2))
            del self._kept[trial]

    def _drop(self, trial: int, first: int) -> None:
        """Delete all before the `first`, but for the best of all."""
        every = self._kept[trial]
        scored = [one for one in every if one.value is not None]
        best = min(scored, key=lambda one: one.value or 0.0, default=None)
        dropped = [one for one in every[: max(0, first)] if one is not best]
        if not dropped:
            return
        self._kept[trial] = [one for one in every if one not in dropped]
        self._dropped += [one.name for one in dropped]
        # After the last row was written: whoever took the study over since may need them.
        try:
            self._ledger.check_driver()
            delete_files(self._ledger.storage, self._dropped)
        except StorageUnavailable:
            return  # nothing waits for it: they go with the next ones
        self._dropped = []
