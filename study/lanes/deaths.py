"""Reports workers that died to the mailbox. Runs in Ray Train's controller."""

from __future__ import annotations

from typing import Any

from ray.exceptions import RayActorError
from ray.train import UserCallback

from study.lanes.ray_private import base_exception
from study.results.outage import StorageUnavailable


class TrialFailedError(RuntimeError):
    """A trial has failed and was reported: its workers end, which is no death."""


class DeathReporter(UserCallback):  # type: ignore[misc]  # ray has no types
    """Ray Train's callback of a lane's worker group.

    Args:
        mailbox: Actor handle of the study's `Mailbox`.
        lane: The lane's name.
    """

    def __init__(self, mailbox: Any, lane: str) -> None:
        self.mailbox = mailbox
        self.lane = lane

    def after_exception(self, run_context: Any, worker_exceptions: dict[int, Exception]) -> None:
        """Workers ended with errors; the group is about to be started again."""
        errors = [*worker_exceptions.values()]
        # Where one rank is preempted, or ends on purpose, the others end with it.
        if any(is_preemption(error) or is_no_death(error) for error in errors):
            return
        # The controller's event loop must not wait. The group's next start takes seconds.
        self.mailbox.died.remote(self.lane, in_a_line(str(errors[0]), 300))


def is_preemption(error: Exception) -> bool:
    """Whether a worker was lost with a node that had announced its end."""
    cause = base_exception(error)
    return isinstance(cause, RayActorError) and bool(cause.preempted)


def is_no_death(error: Exception) -> bool:
    """Whether a worker ended since its trial had failed, or its storage was away."""
    return isinstance(base_exception(error), TrialFailedError | StorageUnavailable)


def in_a_line(text: str, most: int) -> str:
    """A text in one line of so many characters.

    The end is kept where it is too long: Ray's errors are tracebacks, which end with the cause.
    """
    line = " ".join(text.split())
    return line if len(line) <= most else f"... {line[len(line) - most + 4 :]}"
