"""How long a study takes, by simulating it: its search, its pruner, its finals, on lanes.

Trials take what `Costs` says. How good they turn out is chance, as nothing else is known before:
each simulation draws other trials and other luck, and together they give a range.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from study.check.costs import Costs
from study.check.simulated_course import Course, Nowhere, Stopwatch
from study.driver.conductor import Conductor
from study.driver.finals import Race
from study.results.storage import Storage
from study.search import Search
from study.simulation.buffered_storage import BufferedStorage
from study.simulation.lanes import SimulatedLanes, Timing
from study.spec import Study, StudyFile, UserError
from study.spec.holes import Label
from study.spec.search import SEARCH_SAMPLERS, NonePruner
from study.spec.space import Space
from study.spec.study_file import Corner
from study.spec.yaml_file import parse_yaml

# In units of what the start of one measuring process takes of a processor (`Costs.process_seconds`,
# 3.6 s on the two cores where these were measured; a process of a lane imports much the same).
RAY = 3.3
"""From the command until Ray is up."""
LANE = 5.5
"""Until a lane is ready, alone on its machine."""
LANE_OF_A_CORE = 10.5
"""What a lane's start keeps a core busy for: side by side, lanes wait for one another."""
FIRST_TRIAL = 1.0
"""From a lane's being ready until its first batch."""

END_SECONDS = 4.0
"""From the last trial's end to that of the command."""
BETWEEN_SECONDS = 0.1
"""From a trial's end until the next one trains in that lane."""

SIMULATIONS = 15
LEAST_SIMULATIONS = 2
SIMULATING_SECONDS = 5.0
"""After so long the least number of simulations is enough."""
MOST_TRIALS = 60
"""Trials of a simulation; a larger search is reckoned from so many."""
MOST_EPOCHS = 30_000
"""Epochs of all trials of a simulation, likewise."""
MOST_REPORTS = 100
"""Scores of a simulated trial: where there are more, each stands for some."""
NOISE = 1.15
"""By so much, either way, a machine's speed differs from what it was when it was measured."""


@dataclass(frozen=True)
class Forecast:
    """How long a study takes.

    Attributes:
        low: Seconds, the lower end of what is likely.
        high: The upper end.
        starting: Of these, until the first trial trains.
    """

    low: float
    high: float
    starting: float


def starting_seconds(lanes: int, cores: float, process_seconds: float) -> float:
    """Seconds until lanes that start side by side on one machine train.

    Args:
        lanes: How many lanes.
        cores: How many cores share their start.
        process_seconds: What the start of a process that imports torch takes of a core.
    """
    lane = max(LANE, LANE_OF_A_CORE * lanes / max(1.0, cores))
    return (RAY + lane + FIRST_TRIAL) * process_seconds


def forecast(
    study_file: StudyFile, costs: Costs, lanes: int, *, starting: float, pruned: bool = True
) -> Forecast:
    """Simulate a study some times over.

    Args:
        study_file: The study.
        costs: What trials cost.
        lanes: How many run at a time.
        starting: Seconds until the first trial trains.
        pruned: Whether its pruner may stop trials.
    """
    drawn = at_random(study_file, pruned=pruned)
    courses: list[float] = []
    clock = time.monotonic()
    for seed in range(SIMULATIONS):
        courses.append(_simulate(drawn, costs, lanes, seed))
        if len(courses) >= LEAST_SIMULATIONS and time.monotonic() - clock > SIMULATING_SECONDS:
            break
    low, high = (starting + seconds + END_SECONDS for seconds in _likely(courses))
    return Forecast(low / NOISE, high * NOISE, starting)


def at_random(study_file: StudyFile, *, pruned: bool = True) -> StudyFile:
    """The study with a search that draws as at its start, when nothing is known yet.

    A study that scores trained weights becomes one that trains them for an epoch of no seconds.

    Args:
        study_file: The study.
        pruned: Whether its pruner stays.
    """
    study = study_file.study
    changes: dict[str, object] = {}
    if not SEARCH_SAMPLERS[study.search.sampler].enumerates:
        changes["sampler"] = "random"
    if not pruned:
        changes["pruner"] = NonePruner(kind="none")
    space = study_file.space
    if study.weights is not None:
        tree = parse_yaml(study_file.text, "study").tree
        space = Space({**tree, "weights": None, "train": {**tree["train"], "epochs": 1}})
    return dataclasses.replace(_with_search(study_file, **changes), space=space)


def draw(study_file: StudyFile, count: int) -> list[Study]:
    """So many trials as the study would draw them, if it were run often enough for that.

    Those that make no valid study are left out. A grid is drawn once, and may be smaller.
    """
    drawn = at_random(study_file)
    once = SEARCH_SAMPLERS[study_file.study.search.sampler].enumerates
    trials: list[Study] = []
    asked, seed = 0, 0
    while asked < count and not (once and seed):
        search = Search(_with_search(drawn, seed=seed))
        seed += 1
        while asked < count and (suggestion := search.ask()) is not None:
            asked += 1
            try:
                trials.append(study_file.spec(suggestion.picks))
            except UserError:
                continue
    return trials


def _with_search(study_file: StudyFile, **changes: object) -> StudyFile:
    """The study with another `search:` section."""
    first, *rest = study_file.corners
    search = first.study.search.model_copy(update=changes)
    study = first.study.model_copy(update={"search": search})
    return dataclasses.replace(study_file, corners=(Corner(first.picks, study), *rest))


class _SeldomScored(StudyFile):
    """A study whose trials are scored every so many epochs as its first one is."""

    def spec(self, picks: Mapping[str, Label]) -> Study:
        """See `StudyFile.spec`."""
        spec = super().spec(picks)
        score = spec.score.model_copy(update={"every": self.study.score.every})
        return spec.model_copy(update={"score": score})


def _seldom_scored(study_file: StudyFile) -> StudyFile:
    """The study with few scores a trial: what keeps them takes time by their number squared."""
    epochs, score = study_file.most_epochs, study_file.study.score
    if sum(count for _, count in score.counted(epochs)) <= MOST_REPORTS:
        return study_file
    first, *rest = study_file.corners
    seldom = score.model_copy(update={"every": math.ceil(epochs / MOST_REPORTS)})
    corner = Corner(first.picks, first.study.model_copy(update={"score": seldom}))
    return _SeldomScored(
        study_file.space, (corner, *rest), study_file.starting_points, study_file.text
    )


def _simulate(study_file: StudyFile, costs: Costs, lanes: int, seed: int) -> float:
    """Simulated seconds of one course of the study, from when the lanes are up."""
    planned = Search(study_file).planned
    most = max(2 * lanes, min(MOST_TRIALS, MOST_EPOCHS // study_file.most_epochs), 1)
    trials = min(planned, max(most, len(study_file.starting_points)))
    every = study_file.study.score.every
    study_file = _seldom_scored(_with_search(study_file, trials=trials, seed=seed))
    study = study_file.study
    search, clock = Search(study_file), Stopwatch()
    course = Course(costs, clock, seed, every)
    finals = None
    if study.finalists is not None:
        top = study.finalists.top
        finals = Race(study.finalists, search.planned, lambda: course.best(top))
    # No trial is left to be written there.
    storage = BufferedStorage.over(Storage.from_uri(tempfile.gettempdir()))
    ledger = Nowhere(storage, study.name, clock=clock)
    conductor = Conductor(
        study_file,
        search,
        ledger,
        lanes,
        listeners=[course.hear],
        finals=finals,
        clock=clock,
    )
    SimulatedLanes(
        conductor,
        ledger,
        course.curve,
        lanes,
        storage=storage,
        clock=clock,
        timing=Timing(start=0.0, between=BETWEEN_SECONDS),
    ).run()
    searching = course.searched
    # Whatever is left out is like what was simulated.
    return clock.seconds() + searching * (planned / trials - 1)


def _likely(seconds: Sequence[float]) -> tuple[float, float]:
    """What half of the simulations took, the lucky and the unlucky quarter left out."""
    low, _, high = statistics.quantiles(seconds, n=4, method="inclusive")
    return low, high
