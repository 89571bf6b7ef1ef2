"""A display that records, and can act on what it is shown."""

from __future__ import annotations

from collections.abc import Callable

from study.driver.events import Event, TrialEnded, TrialReported
from study.driver.messages import Progress, Report


class Recorder:
    """Collects events; `act` is called with each one."""

    def __init__(self, act: Callable[[Event], None] | None = None) -> None:
        self.events: list[Event] = []
        self.seen_lanes: set[str] = set()
        self.messages: list[str] = []
        self.act = act

    def event(self, event: Event) -> None:
        self.events.append(event)
        if self.act is not None:
            self.act(event)

    def lanes(self, lanes: list[Progress]) -> None:
        self.seen_lanes |= {lane.lane for lane in lanes}

    def message(self, text: str) -> None:
        self.messages.append(text)

    def close(self) -> None:
        pass

    @property
    def reports(self) -> list[Report]:
        return [event.report for event in self.events if isinstance(event, TrialReported)]

    @property
    def ends(self) -> dict[int, TrialEnded]:
        return {event.number: event for event in self.events if isinstance(event, TrialEnded)}
