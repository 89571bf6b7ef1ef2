"""The conductor as Ray Tune sees it: a searcher that asks, a scheduler that judges.

Tune turns whatever they raise into an error of a trial, or into its own with a traceback for a
message. So they raise nothing: what goes wrong is kept in a `Halt`, which stops Tune's loop.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ray.tune import Stopper
from ray.tune.callback import Callback
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from study.driver.conductor import Conductor


class Halt(Stopper):  # type: ignore[misc]  # ray has no types
    """Why a run ends before its trials have: Tune asks it after each event. Threads share it.

    Args:
        on_halt: Called once, with the first error.
    """

    def __init__(self, on_halt: Callable[[Exception], None] = lambda error: None) -> None:
        self.error: Exception | None = None
        self._on_halt = on_halt
        self._lock = threading.Lock()

    def halt(self, error: Exception) -> None:
        """End the run; the first error is what it ends with."""
        with self._lock:
            first = self.error is None
            self.error = self.error or error
        if first:
            self._on_halt(error)

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Whether one trial is to stop: the scheduler says so."""
        return False

    def stop_all(self) -> bool:
        """Whether all are to stop."""
        return self.error is not None

    def __getstate__(self) -> dict[str, Any]:
        """As in `ConductorSearcher`."""
        return {}


class ConductorSearcher(Searcher):  # type: ignore[misc]  # ray has no types
    """Proposes trials. Results reach the conductor through the scheduler's face."""

    def __init__(self, conductor: Conductor, halt: Halt) -> None:
        super().__init__()
        self.conductor = conductor
        self.halt = halt
        self.numbers: dict[str, int] = {}

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """The next trial's assignment, None for 'not now', FINISHED for 'no more'."""
        if self.halt.error is not None:
            return str(self.FINISHED)
        try:
            assignment = self.conductor.next_trial()
        except Exception as error:
            self.halt.halt(error)
            return str(self.FINISHED)
        if assignment is None:
            return str(self.FINISHED) if self.conductor.finished else None
        self.numbers[trial_id] = assignment.number
        return {"assignment": assignment}

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """The trial's lane is free; its end reached the conductor in another way."""
        self.conductor.release(self.numbers.pop(trial_id))

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the search is rebuilt from the ledger, never from a pickle."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing was saved."""

    def __getstate__(self) -> dict[str, Any]:
        """Tune pickles its searcher with each snapshot; ours has nothing to say there."""
        return {}


class ConductorScheduler(FIFOScheduler):  # type: ignore[misc]  # ray has no types
    """Stops a trial when the conductor says so: pruned, done, failed or interrupted."""

    def __init__(self, conductor: Conductor, halt: Halt) -> None:
        super().__init__()
        self.conductor = conductor
        self.halt = halt

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Hand the report over; nothing is trained before the answer."""
        if self.halt.error is not None:
            return str(TrialScheduler.STOP)
        try:
            go_on = self.conductor.report(result["report"])
        except Exception as error:
            self.halt.halt(error)
            go_on = False
        return str(TrialScheduler.CONTINUE if go_on else TrialScheduler.STOP)

    def __getstate__(self) -> dict[str, Any]:
        """As in `ConductorSearcher`."""
        return {}


class TrialErrors(Callback):  # type: ignore[misc]  # ray has no types
    """Reports trials that Tune has given up to the conductor.

    Args:
        conductor: Is told.
        halt: Ends the run.
        fault: What else has failed, so that it is no fault of the trial's; None if nothing has.
    """

    def __init__(
        self, conductor: Conductor, halt: Halt, fault: Callable[[], Exception | None]
    ) -> None:
        self.conductor = conductor
        self.halt = halt
        self.fault = fault

    def on_trial_error(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """A trial has lost more lanes than it survives."""
        if (fault := self.fault()) is not None:
            self.halt.halt(fault)
        if self.halt.error is not None:
            return  # it stays open
        # Tune has written the traceback to a file; its last line is the error itself.
        file = trial.error_file
        text = Path(file).read_text(encoding="utf-8", errors="replace") if file else ""
        lines = text.split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "no reason given")
        try:
            self.conductor.lose(trial.config["assignment"].number, f"lane lost: {last}"[:500])
        except Exception as error:
            self.halt.halt(error)

    def __getstate__(self) -> dict[str, Any]:
        """As in `ConductorSearcher`."""
        return {}
