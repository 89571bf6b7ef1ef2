"""Running a study: cluster, lanes, search and ledger put together."""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
import threading
import uuid
from dataclasses import dataclass
from pathlib import Path

import ray
from ray import tune

from study.check.preflight import preflight
from study.driver.conductor import Conductor
from study.driver.display import Display, SkippedPictures, make_display
from study.driver.events import Event, TrialEnded
from study.driver.files import samples_name
from study.driver.finals import Race, read_candidates
from study.driver.placement import Placement, place
from study.driver.resume import Past, read_past
from study.lanes.cluster import Cluster, connect
from study.lanes.interrupt import on_interrupt
from study.lanes.lane import Lane, LaneSettings
from study.lanes.mailbox import Mailbox
from study.lanes.shared_storage import check_shared
from study.lanes.tune_faces import ConductorScheduler, ConductorSearcher, TrialErrors
from study.results.leaderboard import Leader, Leaderboard, read_leaderboard
from study.results.ledger import Ledger
from study.results.storage import Storage, join
from study.search import Search
from study.spec import Study, StudyFile

LANE_RETRIES = 2
"""How often a trial is begun again in another lane after its lane was lost."""

POLL_SECONDS = 1.0
"""How often the display asks what the lanes are doing."""


TRAINABLE_BYTES = 2**20
"""Memory that Tune's placement group books for a lane's trainable."""


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
    past = read_past(storage, name)
    return _run(past.study_file, storage, address, display, past)


def _run(
    study_file: StudyFile,
    storage: Storage,
    address: str | None,
    display: Display | None,
    past: Past | None,
) -> RunResult:
    spec = study_file.study
    _quiet_tune()
    with connect(address) as cluster:
        search = Search(study_file, () if past is None else past.trials)
        most = search.planned if spec.finalists is None else spec.finalists.runs
        placement = place(spec.scale, cluster.available, max(search.planned, most))
        check_shared(storage, placement)
        if past is None:
            storage.claim(spec.name, study_file.text)
        planned = search.planned + (0 if spec.finalists is None else spec.finalists.runs)
        display = display or make_display(planned, spec.score.metric_name)
        try:
            display.message(_welcome(study_file, storage, cluster, placement, search.planned))
            if past is not None:
                display.message(str(past))
            with Ledger(storage, spec.name) as ledger:
                conductor = Conductor(
                    study_file,
                    search,
                    ledger,
                    placement.lanes,
                    code_digest(),
                    [display.event, SkippedPictures(display, spec.data.dataset)],
                    () if past is None else past.unfinished,
                    _finals(spec, storage, search.planned, past),
                )
                _run_trials(conductor, study_file, storage, placement, display)
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


def _finals(spec: Study, storage: Storage, planned: int, past: Past | None) -> Race | None:
    settings = spec.finalists
    if settings is None:
        return None
    return Race(
        settings,
        planned,
        lambda: read_candidates(storage, spec.name, settings.top),
        () if past is None else past.finals,
    )


def _run_trials(
    conductor: Conductor,
    study_file: StudyFile,
    storage: Storage,
    placement: Placement,
    display: Display,
) -> None:
    name = study_file.study.name
    mailbox = (
        ray.remote(Mailbox)
        .options(name=f"{name} mailbox {uuid.uuid4().hex[:8]}", num_cpus=0, max_concurrency=10_000)
        .remote()
    )
    settings = LaneSettings(
        study=name,
        mailbox=mailbox,
        storage=storage.uri,
        workers=placement.workers,
        cpus=placement.cpus,
        gpus=placement.gpus,
        folder=os.getcwd(),
    )
    # The worker group asks Ray for its own CPU and GPU; the trainable in front of it holds none.
    # Tune wants something to be asked for, so it is a little of the node's memory.
    trainable = tune.with_resources(
        tune.with_parameters(Lane, settings=settings), {"memory": TRAINABLE_BYTES}
    )

    # Lanes are started side by side; by itself Tune would start one, wait for it, start the next.
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(placement.lanes)

    def tell_resting(event: Event) -> None:
        if isinstance(event, TrialEnded):
            mailbox.ended.options(enable_task_events=False).remote(conductor.ended)

    conductor.listen(tell_resting)

    def interrupt() -> None:
        conductor.interrupted = True
        display.message("stopping: trials stop at their next batch (Ctrl-C again to stop at once)")
        ray.get(mailbox.interrupt.remote())

    with (
        tempfile.TemporaryDirectory(prefix="fidtune-tune-") as folder,
        _Poll(mailbox, display),
        on_interrupt(interrupt),
    ):
        tune.Tuner(
            trainable,
            tune_config=tune.TuneConfig(
                search_alg=ConductorSearcher(conductor),
                scheduler=ConductorScheduler(conductor),
                num_samples=-1,
                reuse_actors=True,
                trial_name_creator=lambda trial: f"{name}-{trial.config['assignment'].label}",
                trial_dirname_creator=lambda trial: trial.config["assignment"].label,
            ),
            run_config=tune.RunConfig(
                name=name,
                storage_path=folder,  # Tune's own files: all that matters is in the ledger
                verbose=0,
                failure_config=tune.FailureConfig(max_failures=LANE_RETRIES),
                # Tune's own last checkpoint would hold up each trial's end, for an empty folder.
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
                callbacks=[TrialErrors(conductor)],
            ),
        ).fit()
    ray.kill(mailbox)


class _Poll:
    """Keeps the display told of what the lanes are doing, on a thread."""

    def __init__(self, mailbox: ray.actor.ActorHandle, display: Display) -> None:
        self.mailbox = mailbox
        self.display = display
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._run, name="progress", daemon=True)

    def __enter__(self) -> None:
        self.thread.start()

    def __exit__(self, *exception: object) -> None:
        self.over.set()
        self.thread.join()

    def _run(self) -> None:
        while not self.over.wait(POLL_SECONDS):
            # Not among the tasks of the Ray dashboard: there would be little else to see.
            snapshot = self.mailbox.snapshot.options(enable_task_events=False)
            self.display.lanes(ray.get(snapshot.remote()))


def code_digest() -> str:
    """sha256 over the source of `models` and `study`, in hex: what ran, even between releases."""
    digest = hashlib.sha256()
    root = Path(__file__).parents[2]
    for package in ("models", "study"):
        for file in sorted((root / package).rglob("*.py")):
            digest.update(str(file.relative_to(root)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def _quiet_tune() -> None:
    """Switch off what the ledger and our display replace."""
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # a lost lane is a trial's reason
    os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
    os.environ.setdefault("TUNE_GLOBAL_CHECKPOINT_S", "1000000")
    os.environ.setdefault("TUNE_DISABLE_SIGINT_HANDLER", "1")
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")


def _welcome(
    study_file: StudyFile, storage: Storage, cluster: Cluster, placement: Placement, trials: int
) -> str:
    spec = study_file.study
    wanted = spec.scale.lanes
    less = f" ({wanted} do not fit)" if wanted and wanted > placement.lanes < trials else ""
    lines = [
        f"study {spec.name}: {trials} trials, results in {storage.locate(spec.name)}",
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
