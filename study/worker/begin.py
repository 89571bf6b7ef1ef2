"""A trial taken in hand: one that trains, or one that scores the weights of another."""

from __future__ import annotations

from study.driver.messages import Assignment
from study.worker.team import Team
from study.worker.trial import TrialRun
from study.worker.weights_trial import WeightsRun
from study.worker.workbench import Workbench


def begin(assignment: Assignment, bench: Workbench, team: Team) -> TrialRun | WeightsRun:
    """Build what an assignment asks for.

    Args:
        assignment: The trial.
        bench: The worker's warm state.
        team: The workers that share the trial.

    Raises:
        UserError: The model cannot be built, or the weights to be scored are gone.
    """
    kind = TrialRun if assignment.spec.weights is None else WeightsRun
    return kind(assignment, bench, team)
