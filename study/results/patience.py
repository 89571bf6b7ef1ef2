"""Doing again what the storage refuses, until it can be used again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from study.results.clock import SYSTEM_CLOCK, Clock
from study.results.outage import StorageUnavailable
from study.results.pace import duration

T = TypeVar("T")

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 15.0
"""Seconds before the second try, and at most before any other; each is twice the one before."""

LAST_SECONDS = 5.0
"""How long an outage may have lasted, from its first error, for one that is to end soon."""


class Patience:
    """Waits for a storage that cannot be used, and says so once.

    Threads share it, so that one outage is one: it begins with the first thing that fails, and is
    over when all that has failed has been done.

    Args:
        limit: Seconds of an outage after which whoever waits gives up; None is never.
        clock: Says how long it lasts.
        say: Shown a line when an outage begins, and one when it is over.
    """

    def __init__(
        self,
        limit: float | None = None,
        clock: Clock = SYSTEM_CLOCK,
        say: Callable[[str], None] | None = None,
    ) -> None:
        self.say = say
        self._limit = limit
        self._clock = clock
        self._lock = threading.Lock()
        self._hurried = threading.Event()
        self._failing: dict[str, StorageUnavailable] = {}
        self._since: tuple[float, datetime] | None = None

    @property
    def problem(self) -> StorageUnavailable | None:
        """What has failed first of what still fails; None if nothing does."""
        with self._lock:
            return next(iter(self._failing.values()), None)

    def keep(self, what: str, action: Callable[[], T]) -> T:
        """Do something again and again until it is done.

        Args:
            what: Its name: it is done with when something of this name succeeds.
            action: Does it; what it has done in part by an error, it does no harm to do again.

        Raises:
            StorageUnavailable: The outage lasts longer than its limit.
        """
        pause = FIRST_PAUSE
        while True:
            try:
                return self.once(what, action)
            except StorageUnavailable:
                if self._gives_up():
                    raise
            if self._hurried.is_set():
                self._clock.sleep(FIRST_PAUSE)
            else:
                self._clock.sleep(pause, self._hurried)
            pause = min(2 * pause, LONGEST_PAUSE)

    def once(self, what: str, action: Callable[[], T]) -> T:
        """Do something, or note that it failed.

        Raises:
            StorageUnavailable: It failed.
        """
        try:
            result = action()
        except StorageUnavailable as error:
            self._note(what, error)
            raise
        self._note(what, None)
        return result

    def hurry(self) -> None:
        """From now on give up soon: the study is to stop."""
        self._hurried.set()

    def _gives_up(self) -> bool:
        limits = [self._limit, LAST_SECONDS if self._hurried.is_set() else None]
        limit = min((one for one in limits if one is not None), default=None)
        with self._lock:
            since = self._since
        return limit is not None and since is not None and self._clock.seconds() - since[0] >= limit

    def _note(self, what: str, error: StorageUnavailable | None) -> None:
        with self._lock:
            if error is None:
                self._failing.pop(what, None)
            else:
                self._failing.setdefault(what, error)
            if self._failing and self._since is None:
                self._since = self._clock.seconds(), self._clock.now()
                line = (
                    f"{error} (since {self._since[1].astimezone():%H:%M:%S}): "
                    "the study waits, and goes on by itself"
                )
            elif self._since is not None and not self._failing:
                lasted = duration(self._clock.seconds() - self._since[0])
                self._since = None
                line = f"the storage is there again, after {lasted}: the study goes on"
            else:
                return
        if self.say is not None:
            self.say(line)
