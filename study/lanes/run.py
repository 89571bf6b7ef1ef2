"""Running a study: cluster, lanes, search and ledger put together."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from study.check.preflight import preflight
from study.driver.conductor import Conductor
from study.driver.display import Display, SkippedPictures, make_display
from study.driver.files import samples_name
from study.driver.finals import Race, read_candidates
from study.driver.placement import Placement, place
from study.driver.resume import EarlierRun, read_earlier_run
from study.driver.retry import RetryPolicy
from study.lanes.cluster import Cluster, check_shared, connect
from study.lanes.tuner import run_trials
from study.results.leaderboard import Leader, Leaderboard, read_leaderboard
from study.results.ledger import Ledger
from study.results.storage import Storage, join
from study.search import Search
from study.spec import Study, StudyFile


@dataclass(frozen=True)
class RunResult:
    """How a run ended."""

    storage: Storage
    interrupted: bool
    board: Leaderboard  # read once, when the run was over
    picture: str | None  # name in the storage of the best trial's sample grid

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
            storage. Nothing has been started or written then.
    """
    storage.check_writable()
    if storage.exists(join(study_file.study.name, "study.yaml")):
        storage.claim(study_file.study.name, study_file.text)  # says that the name is taken
    preflight(study_file, storage)
    return _run(study_file, storage, address, display, None)


def resume_study(
    name: str, storage: Storage, address: str | None = None, display: Display | None = None
) -> RunResult:
    """Go on with a study that was interrupted: what has ended is kept, the rest is run.

    Trials that had begun go on from their last checkpoints.

    Raises:
        UserError: There is no such study, or the cluster can never place a lane.
    """
    storage.require(name)
    storage.check_writable()
    earlier = read_earlier_run(storage, name)
    return _run(earlier.study_file, storage, address, display, earlier)


def _run(
    study_file: StudyFile,
    storage: Storage,
    address: str | None,
    display: Display | None,
    earlier: EarlierRun | None,
) -> RunResult:
    spec = study_file.study
    with connect(address) as cluster:
        search = Search(study_file, () if earlier is None else earlier.trials)
        most = search.planned if spec.finalists is None else spec.finalists.runs
        placement = place(spec.scale, cluster.available, max(search.planned, most))
        check_shared(storage, placement)
        if earlier is None:
            storage.claim(spec.name, study_file.text)
        planned = search.planned + (0 if spec.finalists is None else spec.finalists.runs)
        display = display or make_display(planned, spec.score.metric_name)
        try:
            display.message(_welcome(study_file, storage, cluster, placement, search.planned))
            if earlier is not None:
                display.message(str(earlier))
            with Ledger(storage, spec.name) as ledger:
                conductor = Conductor(
                    study_file,
                    search,
                    ledger,
                    placement.lanes,
                    code_digest(),
                    [display.event, SkippedPictures(display, spec.data.dataset)],
                    () if earlier is None else earlier.unfinished,
                    _finals(spec, storage, search.planned, earlier),
                )
                run_trials(spec.name, conductor, storage, placement, display, RetryPolicy())
        finally:
            display.close()
    return read_result(storage, spec.name, conductor.interrupted)


def read_result(storage: Storage, study: str, interrupted: bool) -> RunResult:
    """How a run that is over ended; the best trial's samples are put where they are easily seen.

    Raises:
        UserError: The scores cannot be compared.
    """
    board = read_leaderboard(storage, study)
    leader = board.leader
    picture = None if leader is None else _keep_picture(storage, study, leader)
    return RunResult(storage, interrupted, board, picture)


def _finals(spec: Study, storage: Storage, planned: int, earlier: EarlierRun | None) -> Race | None:
    settings = spec.finalists
    if settings is None:
        return None
    return Race(
        settings,
        planned,
        lambda: read_candidates(storage, spec.name, settings.top),
        () if earlier is None else earlier.finals,
    )


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


def _keep_picture(storage: Storage, name: str, leader: Leader) -> str:
    """Copy the best trial's last sample grid to where it is easily found."""
    picture = samples_name(name, leader.run, leader.epoch or 0)
    kept = join(name, "best.png")
    storage.write_atomic(kept, storage.read(picture))
    return kept
