"""What the lanes of a study, and their workers, need to know when they start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class LaneSettings:
    """What is the same for every lane of a study."""

    study: str
    mailbox: Any  # actor handle of the study's `Mailbox`
    storage: str
    workers: int
    cpus: float
    gpus: float
    folder: str  # where the study was started; networks named by import path may be there

    @property
    def resources(self) -> dict[str, float]:
        """What one worker asks of Ray."""
        return {"CPU": self.cpus, **({"GPU": self.gpus} if self.gpus else {})}
