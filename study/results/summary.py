"""Where a study stands: whether it runs, trials by state, the best so far, time left, failures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from study.results.clock import SYSTEM_CLOCK, Clock
from study.results.lease_record import (
    Heartbeat,
    LeaseRecord,
    is_alive,
    read_heartbeat,
    read_lease,
)
from study.results.pace import seconds_left
from study.results.ranking import RankedTrial, rank_trials
from study.results.reader import read_study
from study.results.storage import STUDY_FILE, Storage, join
from study.results.tables import END_STATES, ScoreRow, TrialRow
from study.spec.errors import UserError
from study.spec.yaml_file import parse_yaml

Activity = Literal["running", "silent", "interrupted", "ended"]
"""What a study's driver does: it runs, it gave no sign of life for a while, it stopped before all
trials had ended, or after that."""


@dataclass(frozen=True)
class Failure:
    """A trial that failed."""

    trial: int
    reason: str


@dataclass(frozen=True)
class StudySummary:
    """Where a study stands.

    Attributes:
        name: Its name.
        activity: Whether it runs.
        since: The last sign of life of a driver, or else of the tables; None if there is none.
        planned: How many trials the search has in all; None if that cannot be said.
        states: Trials of the search by state; `running` are those in hand, or left to go on.
        final_runs: Trials that train one of the search again, in any state.
        best: The search's best so far, trials in hand included; None while nothing is ranked, or
            if its scores cannot be compared.
        started: When the first trial began.
        written: When the newest row of the trials was.
        train_seconds: Of training, in all trials.
        score_seconds: Of scoring, in all trials.
        seconds_left: Until the search has ended, by its pace so far; None if it does not run, or
            no trial has ended yet.
        failures: Trials of the search that failed, by number.
    """

    name: str
    activity: Activity
    since: datetime | None
    planned: int | None
    states: Mapping[str, int]
    final_runs: int
    best: RankedTrial | None
    started: datetime | None
    written: datetime | None
    train_seconds: float
    score_seconds: float
    seconds_left: float | None
    failures: tuple[Failure, ...]

    @property
    def ended(self) -> int:
        """Trials of the search that are over."""
        return sum(self.states.get(state, 0) for state in END_STATES)

    @property
    def is_best_open(self) -> bool:
        """Whether the best trial so far has not ended."""
        return self.best is not None and self.best.state == "running"

    def to_dict(self) -> dict[str, Any]:
        """As plain values for JSON: times are texts of ISO 8601, the unknown is None."""
        best = self.best
        return {
            "study": self.name,
            "activity": self.activity,
            "since": _iso(self.since),
            "planned": self.planned,
            "ended": self.ended,
            "states": dict(self.states),
            "final_runs": self.final_runs,
            "best": None
            if best is None
            else {
                "trial": best.trial,
                "metric": best.measured and best.measured.metric,
                "value": best.value,
                "spread": best.spread,
                "epoch": best.epoch,
                "state": best.state,
            },
            "started": _iso(self.started),
            "written": _iso(self.written),
            "train_seconds": self.train_seconds,
            "score_seconds": self.score_seconds,
            "seconds_left": self.seconds_left,
            "failures": [asdict(failure) for failure in self.failures],
        }


def study_summary(storage: Storage, clock: Clock = SYSTEM_CLOCK) -> list[StudySummary]:
    """Where every study in a storage stands, the oldest first, those without trials last."""
    summaries = [summarise_study(storage, name, clock) for name in storage.studies()]
    return sorted(summaries, key=lambda s: (s.started is None, s.started, s.name))


def summarise_study(storage: Storage, study: str, clock: Clock = SYSTEM_CLOCK) -> StudySummary:
    """Where a study stands.

    Raises:
        UserError: There is no such study.
    """
    rows = read_study(storage, study)
    trials = rows.trials
    search = [trial for trial in trials if trial.stage == "search"]
    states: Counter[str] = Counter(trial.state for trial in search)
    lease = read_lease(storage, study)
    beat = None if lease is None else read_heartbeat(storage, study, lease.number)
    alive = None if lease is None else is_alive(storage, study, lease, clock)
    planned = beat.planned if beat is not None and beat.planned else _planned(storage, study)
    stamps = [trial.stamp.written for trial in trials if trial.stamp is not None]
    written = max(stamps, default=None)
    activity = _activity(lease, alive, trials, planned, states)
    return StudySummary(
        name=study,
        activity=activity,
        since=_last_sign(lease, beat, written),
        planned=planned,
        states=dict(states),
        final_runs=sum(trial.stage == "final" for trial in trials),
        best=_best(trials, rows.scores),
        started=min((trial.started for trial in trials), default=None),
        written=written,
        train_seconds=sum(trial.train_seconds or 0.0 for trial in trials),
        score_seconds=sum(trial.score_seconds or 0.0 for trial in trials),
        seconds_left=_left(lease, search, planned, clock) if activity == "running" else None,
        failures=tuple(
            Failure(trial.trial, trial.reason) for trial in search if trial.state == "failed"
        ),
    )


def _activity(
    lease: LeaseRecord | None,
    alive: bool | None,
    trials: Sequence[TrialRow],
    planned: int | None,
    states: Mapping[str, int],
) -> Activity:
    if alive:
        return "running"
    is_open = any(trial.state == "running" for trial in trials) or (
        planned is not None and sum(states.values()) < planned
    )
    if lease is not None and alive is None and is_open:
        return "silent"
    return "interrupted" if is_open else "ended"


def _last_sign(
    lease: LeaseRecord | None, beat: Heartbeat | None, written: datetime | None
) -> datetime | None:
    signs = [] if written is None else [written]
    if lease is not None:
        signs.append(lease.taken)
    if beat is not None:
        signs.append(beat.written)
    return max(signs, default=None)


def _planned(storage: Storage, study: str) -> int | None:
    """What the study file says; a grid may turn out to be smaller."""
    try:
        tree = parse_yaml(storage.read(join(study, STUDY_FILE)).decode(), study).tree
        return int(tree["search"]["trials"])
    except (UserError, OSError, KeyError, TypeError, ValueError):
        return None


def _best(trials: Sequence[TrialRow], scores: Sequence[ScoreRow]) -> RankedTrial | None:
    try:
        ranked, _ = rank_trials(trials, scores, running=True)
    except UserError:  # no best trial is better than a wrong one; `study best` says why
        return None
    return ranked[0] if ranked else None


def _left(
    lease: LeaseRecord | None, search: Sequence[TrialRow], planned: int | None, clock: Clock
) -> float | None:
    """By the trials that have ended since the driver took the study."""
    if lease is None or planned is None:
        return None
    now = clock.now()
    ended = [trial for trial in search if trial.ended is not None]
    lately = [trial for trial in ended if trial.ended is not None and trial.ended >= lease.taken]
    running = [trial for trial in search if trial.state == "running"]
    begun = [max(trial.started, lease.taken) for trial in (*lately, *running)]
    elapsed = (now - min(begun, default=now)).total_seconds()
    return seconds_left(elapsed, len(lately), len(running), planned - len(ended) + len(lately))


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
