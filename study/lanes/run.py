"""Running a study: cluster, lanes, search and ledger put together."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from study.check.preflight import preflight
from study.driver.conductor import Conductor
from study.driver.display import Display, make_display
from study.driver.files import samples_name
from study.driver.finals import Race, read_candidates
from study.driver.lease import HeldLease, take_lease
from study.driver.placement import Placement, place
from study.driver.resume import EarlierRun, take_up
from study.driver.retry import RetryPolicy
from study.lanes.cluster import Cluster, check_shared, connect
from study.lanes.tuner import run_trials
from study.results.leaderboard import Leader, Leaderboard, read_leaderboard
from study.results.ledger import Ledger
from study.results.outage import StorageUnavailable
from study.results.patience import Patience
from study.results.storage import Storage, join
from study.search import Search
from study.spec import StudyFile

PICTURE_SECONDS = 20.0
"""How long the copy of the best trial's picture is tried to be written, at the very end."""


@dataclass(frozen=True)
class RunResult:
    """How a run ended."""

    storage: Storage
    interrupted: bool
    board: Leaderboard  # read once, when the run was over
    picture: str | None  # name in the storage of the best trial's sample grid
    was_over: bool = False  # it had ended before: nothing was run

    @property
    def study(self) -> str:
        """The study's name."""
        return self.board.rows.study


def run_study(
    study_file: StudyFile,
    storage: Storage,
    address: str | None = None,
    display: Display | None = None,
) -> RunResult:
    """Run a study to its end, or until Ctrl-C.

    Args:
        study_file: The study.
        storage: Where its folder is made.
        address: Ray cluster to join (see `cluster.connect`).
        display: Shows what happens; None chooses by where the output goes.

    Raises:
        UserError: The name is taken, the storage cannot be written, preflight finds a mistake,
            the cluster cannot be reached or can never place a lane, or its nodes do not share the
            storage. Nothing has been started or written then. Or another driver has taken the
            study over while it ran.
        MachineFault: Ray has failed; what was recorded is kept, and can be resumed.
        StorageUnavailable: The storage could not be written when the run was to end.
    """
    name = study_file.study.name
    storage.check_writable()
    if storage.exists(join(name, "study.yaml")):
        storage.claim(name, study_file.text)  # says that the name is taken
    remarks = preflight(study_file, storage)
    search = Search(study_file)
    with connect(address, name) as cluster:
        placement = _place(study_file, search, cluster, storage)
        storage.claim(name, study_file.text)
        held = HeldLease(take_lease(storage, name))
        with held:
            run = _Run(study_file, storage, search, held, remarks=remarks)
            interrupted = run.on(cluster, placement, display)
    return read_result(storage, name, interrupted)


def resume_study(
    name: str,
    storage: Storage,
    address: str | None = None,
    display: Display | None = None,
    *,
    takeover: bool = False,
) -> RunResult:
    """Go on with a study that was interrupted: what has ended is kept, the rest is run.

    Trials that had begun go on from their last checkpoints. Of a study that has ended the result
    is read, and no Ray is started.

    Args:
        name: The study's.
        storage: Where it is.
        address: Ray cluster to join (see `cluster.connect`).
        display: Shows what happens; None chooses by where the output goes.
        takeover: Take the study over from a driver that still seems to be alive.

    Raises:
        UserError: There is no such study, another driver runs it, or the cluster can never place
            a lane.
    """
    storage.require(name)
    storage.check_writable()
    held = HeldLease(take_lease(storage, name, takeover=takeover))
    with held:
        earlier = take_up(storage, name)
        search = Search(earlier.study_file, earlier.trials)
        run = _Run(earlier.study_file, storage, search, held, earlier)
        if run.is_over:
            return read_result(storage, name, interrupted=False, was_over=True)
        with connect(address, name) as cluster:
            placement = _place(earlier.study_file, search, cluster, storage)
            interrupted = run.on(cluster, placement, display)
    return read_result(storage, name, interrupted)


@dataclass(frozen=True)
class _Run:
    """A study whose lease is held."""

    study_file: StudyFile
    storage: Storage
    search: Search
    held: HeldLease
    earlier: EarlierRun | None = None
    remarks: Sequence[str] = ()

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left to do."""
        assert self.earlier is not None
        begun_all = self.search.asked >= self.search.planned or self.search.stopped
        if self.earlier.unfinished or not begun_all:
            return False
        finals = self._finals()
        return finals is None or finals.next() is None

    def on(self, cluster: Cluster, placement: Placement, display: Display | None) -> bool:
        """Run it; whether it was interrupted."""
        spec, earlier = self.study_file.study, self.earlier
        lease, patience = self.held.lease, self.held.patience
        planned = lease.planned = self.search.planned
        lease.beat()
        display = display or make_display(
            planned + (0 if spec.finalists is None else spec.finalists.runs),
            spec.score.metric_name,
            None if earlier is None else earlier.states,
            None if earlier is None else earlier.values,
        )
        patience.say = display.message
        try:
            display.message(_welcome(self.study_file, self.storage, cluster, placement, planned))
            resumed = () if earlier is None else (*earlier.notes, earlier.summary(planned))
            for line in (*self.remarks, *resumed):
                display.message(line)
            with Ledger(self.storage, spec.name, driver=lease, patience=patience) as ledger:
                conductor = Conductor(
                    self.study_file,
                    self.search,
                    ledger,
                    placement.lanes,
                    code_digest(),
                    [display.event],
                    () if earlier is None else earlier.unfinished,
                    self._finals(),
                    best=None if earlier is None else earlier.best,
                )
                run_trials(
                    spec.name,
                    conductor,
                    self.storage,
                    placement,
                    display,
                    RetryPolicy(),
                    self.held,
                )
            if self.search.stopped:
                lease.planned = self.search.asked
        finally:
            display.close()
        return conductor.interrupted

    def _finals(self) -> Race | None:
        spec, settings = self.study_file.study, self.study_file.study.finalists
        if settings is None:
            return None
        read = partial(read_candidates, self.storage, spec.name, settings.top)
        return Race(
            settings,
            self.search.planned,
            lambda: self.held.patience.keep("finalists", read),
            () if self.earlier is None else self.earlier.finals,
        )


def _place(study_file: StudyFile, search: Search, cluster: Cluster, storage: Storage) -> Placement:
    """How many lanes fit, on nodes that share the storage.

    Raises:
        UserError: None ever fits, or the nodes do not share it.
    """
    spec = study_file.study
    most = search.planned if spec.finalists is None else spec.finalists.runs
    placement = place(spec.scale, cluster.available, max(search.planned, most))
    check_shared(storage, placement)
    return placement


def read_result(
    storage: Storage, study: str, interrupted: bool, *, was_over: bool = False
) -> RunResult:
    """How a run that is over ended; the best trial's samples are put where they are easily seen.

    Args:
        storage: Where the study is.
        study: Its name.
        interrupted: Whether it is to go on.
        was_over: Whether it had ended before, so that nothing was run.

    Raises:
        UserError: The scores cannot be compared.
    """
    board = read_leaderboard(storage, study)
    leader = board.leader
    picture = None if leader is None else _keep_picture(storage, study, leader)
    return RunResult(storage, interrupted, board, picture, was_over)


def code_digest() -> str:
    """sha256 over the source of `models` and `study`, in hex: what ran, even between releases."""
    digest = hashlib.sha256()
    root = Path(__file__).parents[2]
    for package in ("models", "study"):
        for file in sorted((root / package).rglob("*.py")):
            digest.update(str(file.relative_to(root)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def _welcome(
    study_file: StudyFile, storage: Storage, cluster: Cluster, placement: Placement, trials: int
) -> str:
    spec = study_file.study
    wanted = spec.scale.lanes
    less = f" ({wanted} do not fit)" if wanted and wanted > placement.lanes < trials else ""
    lines = [
        f"study {spec.name}: {trials} trials, results in {storage.locate(spec.name)}",
        *study_file.reach_notes(),
        f"{placement}{less}",
    ]
    if cluster.dashboard:
        lines.append(f"Ray dashboard: {cluster.dashboard}")
    return "\n".join(lines)


def _keep_picture(storage: Storage, name: str, leader: Leader) -> str | None:
    """Copy the best trial's last sample grid to where it is easily found; None if it cannot be."""
    picture = samples_name(name, leader.run, leader.epoch or 0)
    kept = join(name, "best.png")
    try:
        Patience(limit=PICTURE_SECONDS).keep(
            "a picture", lambda: storage.write_atomic(kept, storage.read(picture))
        )
    except StorageUnavailable:
        return None  # a copy: the study is none the worse for it
    return kept
