"""One study whose drivers are killed, or thought dead, at any of their operations on the storage.

A `Plan` says what happens to each driver in turn; everything follows from its seed. Where a driver
is only suspended, the next one takes the study over, and the first then goes on: what it was about
to write or to delete comes late. The `History` holds what listeners were told, for `invariants`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Literal

from study.driver.conductor import Conductor
from study.driver.events import Event
from study.driver.files import delete_files
from study.driver.lease import Lease, LeaseLost, take_lease
from study.driver.resume import read_earlier_run
from study.results.lease_record import newest_number, read_accepted
from study.search import Search
from study.simulation.clock import START, SimulatedClock
from study.simulation.faults import Fault, LaneLoss, Preemption, WorkerDeath
from study.simulation.invariants import Heard, History, Resumption, torn_trials
from study.simulation.lanes import SimulatedLanes, Timing
from study.simulation.learning_curves import Curves
from study.simulation.memory_storage import MemoryStorage, PickledLedger, read_pickled_rows
from study.spec import StudyFile, UserError

PAUSE = timedelta(seconds=40)
"""Between two drivers."""
TIMING = Timing(start=5.0, between=0.2, restart=3.0)


@dataclass(frozen=True)
class Stop:
    """Where a driver stops.

    Attributes:
        operation: At which of its operations on the storage, from 1.
        applied: Whether that operation still happens.
        kind: Whether the driver is killed, or suspended until the next one has run.
    """

    operation: int
    applied: bool
    kind: Literal["killed", "suspended"]


@dataclass(frozen=True)
class Plan:
    """What goes wrong in one study.

    Attributes:
        stops: Of each driver but the last, where it stops.
        faults: What befalls the lanes of each driver.
        reads: After which operations, counted over all drivers, a reader looks.
    """

    stops: tuple[Stop, ...] = ()
    faults: tuple[tuple[Fault, ...], ...] = ()
    reads: frozenset[int] = frozenset()

    @classmethod
    def draw(cls, seed: int, *, lanes: int, operations: int, seconds: float) -> Plan:
        """A plan of its seed's.

        Args:
            seed: The seed.
            lanes: How many lanes the study has.
            operations: A driver stops at one of so many operations.
            seconds: Faults come within this time.
        """
        random = Random(seed)
        stops = tuple(
            Stop(
                operation=random.randint(1, operations),
                applied=random.random() < 0.5,
                kind="killed" if random.random() < 0.5 else "suspended",
            )
            for _ in range(random.choice((1, 1, 2, 2, 3)))
        )
        faults = tuple(
            tuple(
                random.choice((WorkerDeath, Preemption, LaneLoss))(
                    random.uniform(0, seconds), random.randrange(lanes)
                )
                for _ in range(random.choice((0, 0, 1, 2)))
            )
            for _ in range(len(stops) + 1)
        )
        reads = frozenset(random.sample(range(1, operations * 2), 2))
        return cls(stops, faults, reads)


class Killed(BaseException):
    """The driver's process ends: nothing may catch it."""


@dataclass
class _Driver:
    stop: Stop | None
    clock: SimulatedClock
    number: int = 0  # of its lease
    operations: int = 0


class Interleaving:
    """Runs one study by one plan.

    Args:
        study_file: The study.
        curves: Gives each trial's learning curve.
        plan: What goes wrong.
        lanes: How many trials each driver runs at a time.

    Attributes:
        storage: Where the study is.
        history: What happened.
        operations: How many operations on the storage there were.
    """

    def __init__(self, study_file: StudyFile, curves: Curves, plan: Plan, lanes: int) -> None:
        self.storage = MemoryStorage(
            "memory", None, "memory", before=self._before, after=self._after
        )
        self.history = History()
        self._file = study_file
        self._name = study_file.study.name
        self._curves = curves
        self._plan = plan
        self._lanes = lanes
        self._now = START
        self._begun = 0
        self._ended = False
        self.operations = 0
        self._running: list[_Driver] = []  # the last one; those before it are suspended

    def run(self) -> None:
        """Run the study to its end.

        Raises:
            RuntimeError: One driver more than the plan has stops did not end it.
        """
        self.storage.claim(self._name, self._file.text)
        while not self._ended:
            if self._begun > len(self._plan.stops):
                raise RuntimeError("the last driver has not ended the study")
            self._drive()

    def _drive(self) -> None:
        """Run the next driver, until it ends the study or is stopped."""
        index = self._begun
        self._begun += 1
        stops = self._plan.stops
        clock = SimulatedClock(self._now + PAUSE)
        driver = _Driver(stops[index] if index < len(stops) else None, clock)
        self._running.append(driver)
        try:
            lease = self._take_lease(clock)
            if lease is not None:
                driver.number = lease.number
                self._run_trials(lease, index, clock)
                self._ended = True
        except (Killed, LeaseLost):
            pass
        finally:
            self._running.pop()
            self._now = max(self._now, clock.now())

    def _take_lease(self, clock: SimulatedClock) -> Lease | None:
        """The next driver's lease, unless another one was quicker while this one was suspended."""
        try:
            return take_lease(self.storage, self._name, takeover=True, clock=clock)
        except UserError:
            return None

    def _run_trials(self, lease: Lease, index: int, clock: SimulatedClock) -> None:
        earlier = read_earlier_run(self.storage, self._name, self._file, read_pickled_rows)
        if index:
            self.history.resumptions.append(Resumption(lease.number, earlier))
        delete_files(self.storage, earlier.orphans)
        ledger = PickledLedger(self.storage, self._name, clock=clock, driver=lease)

        def hear(event: Event) -> None:
            counts = newest_number(self.storage, self._name) == lease.number
            self.history.heard.append(Heard(lease.number, clock.now(), event, counts))

        conductor = Conductor(
            self._file,
            Search(self._file, earlier.trials),
            ledger,
            self._lanes,
            listeners=[hear],
            unfinished=earlier.unfinished,
            clock=clock,
            best=earlier.best,
        )
        faults = self._plan.faults[index] if index < len(self._plan.faults) else ()
        SimulatedLanes(
            conductor,
            ledger,
            self._curves,
            self._lanes,
            storage=self.storage,
            clock=clock,
            faults=faults,
            timing=TIMING,
        ).run()
        ledger.flush()

    def _before(self, operation: str, name: str) -> None:
        if not self._running:
            return  # the study is being claimed
        driver = self._running[-1]
        driver.operations += 1
        if driver.stop is not None and driver.operations == driver.stop.operation:
            self._stop(driver, driver.stop, applied=False)

    def _after(self, operation: str, name: str) -> None:
        if not self._running:
            return
        self.operations += 1
        if self.operations in self._plan.reads:
            self.history.torn += torn_trials(self.storage, self._name)
        driver = self._running[-1]
        if driver.number and driver.number < read_accepted(self.storage, self._name).since:
            self.history.late.append(name)
        if driver.stop is not None and driver.operations == driver.stop.operation:
            self._stop(driver, driver.stop, applied=True)

    def _stop(self, driver: _Driver, stop: Stop, *, applied: bool) -> None:
        if stop.applied != applied:
            return
        self._now = max(self._now, driver.clock.now())
        self.history.stopped[driver.number] = driver.clock.now()
        if stop.kind == "killed":
            raise Killed
        self._drive()  # meanwhile
        driver.clock.suspend(self._now + PAUSE)
