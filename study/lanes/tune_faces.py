"""The conductor as Ray Tune sees it: a searcher that asks, a scheduler that judges."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ray.tune.callback import Callback
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from study.driver.conductor import Conductor


class ConductorSearcher(Searcher):  # type: ignore[misc]  # ray has no types
    """Proposes trials. Results reach the conductor through the scheduler's face."""

    def __init__(self, conductor: Conductor) -> None:
        super().__init__()
        self.conductor = conductor
        self.numbers: dict[str, int] = {}

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """The next trial's assignment, None for 'not now', FINISHED for 'no more'."""
        assignment = self.conductor.next_trial()
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

    def __init__(self, conductor: Conductor) -> None:
        super().__init__()
        self.conductor = conductor

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Hand the report over; nothing is trained before the answer."""
        go_on = self.conductor.report(result["report"])
        return str(TrialScheduler.CONTINUE if go_on else TrialScheduler.STOP)

    def __getstate__(self) -> dict[str, Any]:
        """As in `ConductorSearcher`."""
        return {}


class TrialErrors(Callback):  # type: ignore[misc]  # ray has no types
    """Reports trials that Tune has given up to the conductor."""

    def __init__(self, conductor: Conductor) -> None:
        self.conductor = conductor

    def on_trial_error(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """A trial has lost more lanes than it survives."""
        # Tune has written the traceback to a file; its last line is the error itself.
        file = trial.error_file
        text = Path(file).read_text(encoding="utf-8", errors="replace") if file else ""
        lines = text.split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "no reason given")
        self.conductor.lose(trial.config["assignment"].number, f"lane lost: {last}"[:500])

    def __getstate__(self) -> dict[str, Any]:
        """As in `ConductorSearcher`."""
        return {}
