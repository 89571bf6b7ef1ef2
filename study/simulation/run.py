"""Running a study in simulated time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from study.driver.conductor import Conductor
from study.driver.events import Event, Listener, TrialEnded, TrialReported, TrialStarted
from study.driver.finals import Candidate, Race, read_candidates
from study.driver.resume import read_earlier_run
from study.driver.retry import RetryPolicy
from study.results.arrow_values import values
from study.results.query import query
from study.results.storage import Storage
from study.search import Search
from study.simulation.buffered_storage import BufferedStorage
from study.simulation.clock import START, SimulatedClock
from study.simulation.faults import Fault, StorageOutage
from study.simulation.lanes import SimulatedLanes, Timing
from study.simulation.learning_curves import Curves
from study.simulation.ledger import SimulatedLedger
from study.spec import StudyFile, read_study_text
from study.spec.yaml_file import dump_yaml, parse_yaml


@dataclass(frozen=True)
class Best:
    """A score that was the best of the search when it came.

    Attributes:
        seconds: When, in simulated seconds since the start.
        images: Training images that all reports had counted by then.
        value: The score.
        trial: Its trial.
    """

    seconds: float
    images: int
    value: float
    trial: int


@dataclass(frozen=True)
class SimulationResult:
    """How a simulation ended.

    Attributes:
        seconds: Simulated, from the start to the end.
        busy: Of these, what each lane spent on trials, what faults undid included.
        states: Trials of this run by their state; `running` are left for a later run.
        images: Training images of all reports; what faults undid is not among them.
        best: The best of the search over time, each better than the one before.
        killed: Whether the driver was killed.
    """

    seconds: float
    busy: tuple[float, ...]
    states: Mapping[str, int]
    images: int
    best: tuple[Best, ...]
    killed: bool


def simulate(
    study_file: StudyFile,
    storage: Storage,
    curves: Curves,
    *,
    lanes: int,
    seed: int | None = None,
    faults: Sequence[Fault] = (),
    timing: Timing = Timing(),  # noqa: B008 (frozen)
    retry: RetryPolicy = RetryPolicy(),  # noqa: B008 (frozen)
    flush_seconds: float | None = 3600.0,
    resume: bool = False,
    listeners: Sequence[Listener] = (),
) -> SimulationResult:
    """Run a study in simulated time: the rows in its ledger are those of a real one.

    Everything follows from the arguments: the same ones give the same rows.

    Args:
        study_file: The study.
        storage: Where its folder is made.
        curves: Gives each trial's learning curve.
        lanes: How many trials are run at a time.
        seed: Takes the place of the study's `search.seed`.
        faults: What goes wrong, and when.
        timing: What takes time beside trials.
        retry: What a trial survives.
        flush_seconds: Simulated time between two writes of the ledger, so that a day of thousands
            of trials takes few files; None writes as a real study does.
        resume: Go on with the study of that name where an earlier simulation left it, instead.
        listeners: Called with each event.

    Raises:
        UserError: The name is taken, there is nothing to go on with, or a trial has no curve.
    """
    if seed is not None:
        study_file = _with_seed(study_file, seed)
    name = study_file.study.name
    if not resume:
        storage.claim(name, study_file.text)
        earlier, clock = None, SimulatedClock()
    else:
        storage.require(name)
        earlier = read_earlier_run(storage, name)
        study_file = earlier.study_file
        clock = SimulatedClock(_last_written(storage, name))
    outages = [fault for fault in faults if isinstance(fault, StorageOutage)]
    storage = BufferedStorage.over(storage, outages, clock)
    ledger = SimulatedLedger(storage, name, clock, flush_seconds)
    search = Search(study_file, () if earlier is None else earlier.trials)
    settings = study_file.study.finalists

    def candidates() -> list[Candidate]:
        assert settings is not None
        ledger.write()
        top = settings.top
        return ledger.patience.keep("finalists", lambda: read_candidates(storage, name, top))

    finals = None if settings is None else Race(
        settings, search.planned, candidates, () if earlier is None else earlier.finals
    )  # fmt: skip
    conductor = Conductor(
        study_file,
        search,
        ledger,
        lanes,
        listeners=listeners,
        unfinished=() if earlier is None else earlier.unfinished,
        finals=finals,
        clock=clock,
        best=None if earlier is None else earlier.best,
    )
    simulated = SimulatedLanes(
        conductor,
        ledger,
        curves,
        lanes,
        storage=storage,
        clock=clock,
        faults=faults,
        timing=timing,
        retry=retry,
    )
    record = _Record(clock, simulated)
    conductor.listen(record)
    simulated.run()
    storage.write_out(simulated.open_trials)
    if not simulated.killed:
        ledger.write()
    return SimulationResult(
        seconds=clock.seconds(),
        busy=simulated.busy,
        states=Counter(record.states.values()),
        images=simulated.images,
        best=tuple(record.best),
        killed=simulated.killed,
    )


class _Record:
    """Notes what the result says of each event."""

    def __init__(self, clock: SimulatedClock, lanes: SimulatedLanes) -> None:
        self.states: dict[int, str] = {}
        self.best: list[Best] = []
        self._clock = clock
        self._lanes = lanes

    def __call__(self, event: Event) -> None:
        match event:
            case TrialStarted():
                self.states[event.number] = "running"
            case TrialReported(report, best=True) if report.score is not None:
                seconds, images = self._clock.seconds(), self._lanes.images
                self.best.append(Best(seconds, images, report.score.value, report.number))
            case TrialEnded():
                self.states[event.number] = event.state


def _with_seed(study_file: StudyFile, seed: int) -> StudyFile:
    tree = parse_yaml(study_file.text, "study").tree
    return read_study_text(dump_yaml({**tree, "search": {**tree["search"], "seed": seed}}), "study")


def _last_written(storage: Storage, name: str) -> datetime:
    """When the earlier run wrote its last row: of two rows of one trial the newest counts."""
    tables = " union all ".join(
        f"select written from {table}" for table in ("trials", "reports", "scores", "artifacts")
    )
    (written,) = values(query(storage, f"select max(written) from ({tables})", [name])[0])
    return START if written is None else written + timedelta(seconds=1)
