"""Studies on a real Ray: lanes, deaths, interrupts, resuming."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import ray
import torch
import yaml
from recording import Recorder
from specs import RATES, plain, study_file

import study
from study.driver.events import Event, TrialReported
from study.driver.messages import Assignment
from study.driver.retry import RetryPolicy
from study.lanes.run import resume_study, run_study
from study.results.query import query
from study.results.reader import read_rows
from study.results.storage import Storage
from study.results.tables import TrialRow
from study.spec import Study, UserError
from study.spec.errors import MachineFault
from study.trained.load import load_trial
from study.worker.checkpoints import read_checkpoint
from study.worker.team import Team
from study.worker.trial import TrialRun
from study.worker.workbench import Workbench

pytestmark = pytest.mark.usefixtures("ray_session")

ONE_LANE = {"lanes": 1}


def wait_until_free() -> None:
    """Everything a study held comes back: CPUs and placement groups (ray issue 54305)."""
    deadline = time.monotonic() + 30
    while ray.available_resources().get("CPU") != ray.cluster_resources()["CPU"]:
        assert time.monotonic() < deadline, ray.available_resources()
        time.sleep(0.1)


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """As many threads as a lane's worker has here, for the same bits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def process(title: str) -> psutil.Process:
    """The process of this test's Ray whose title begins so; there must be just one."""
    found = []
    for child in psutil.Process().children(recursive=True):
        try:
            if " ".join(child.cmdline()).startswith(title):
                found.append(child)
        except psutil.Error:
            continue
    assert len(found) == 1, (title, found)
    return found[0]


def test_a_study_goes_the_whole_way_on_warm_lanes(tmp_path: Path) -> None:
    storage = Storage.from_uri(str(tmp_path))
    file = study_file(
        train={**RATES, "epochs": 4},
        search={"trials": 8, "pruner": {"kind": "asha", "reduction_factor": 2}},
    )
    display = Recorder()
    result = run_study(file, storage, display=display)
    results = study.open("small", str(tmp_path))
    trials = results.trials
    assert list(trials["trial"]) == list(range(8))
    assert set(trials["state"]) == {"complete", "pruned"}
    assert len({report.lane for report in display.reports}) == 2
    assert display.seen_lanes == {"lane-0", "lane-1"}  # eight trials, two lanes
    # No training after a stop decision: what each trial trained is what it reported.
    images = trials.set_index("trial")["images_seen"]
    per_epoch = images.min()
    for number, epoch in trials.set_index("trial")["epoch"].items():
        assert images[number] == epoch * per_epoch
        checkpoint = trials.set_index("trial")["checkpoint"][number]
        assert read_checkpoint(storage, checkpoint, "cpu")["training"]["epoch"] == epoch
        assert list(results.query(f"select epoch from reports where trial = {number}")["epoch"])
    assert len(results.reports) == trials["epoch"].sum()
    assert result.board.leader is not None
    assert result.board.leader.trial == results.best(1)[0].trial
    assert result.picture == "small/best.png"
    assert (tmp_path / "small" / "best.png").stat().st_size > 500
    assert (trials["spec_hash"].str.len() == 64).all()
    assert trials["code_digest"].nunique() == trials["data_digest"].nunique() == 1
    assert trials["seed"].nunique() == 8
    wait_until_free()

    # A trial can be rerun from its own row, without Ray, to the same bits.
    row = trials.iloc[0]

    alone = TrialRun(
        Assignment("again", 0, int(row["seed"]), Study.model_validate_json(row["spec"])),
        Workbench(storage, torch.device("cpu")),
        Team(),
    )
    with one_thread():
        report = alone.advance(lambda: False, lambda step: None)
    first = results.query("select value from reports where trial = 0 and epoch = 1")["value"][0]
    assert report.score is not None
    assert report.score.value == first

    # The name is taken now.
    before = sorted(path.name for path in tmp_path.rglob("*"))
    with pytest.raises(UserError, match=r"already in .* --name"):
        run_study(file, storage, display=Recorder())
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


def test_two_workers_score_as_one_and_both_studies_share_a_storage(tmp_path: Path) -> None:
    storage = Storage.from_uri(str(tmp_path))
    one, two = Recorder(), Recorder()
    run_study(study_file(name="one", scale=ONE_LANE), storage, display=one)
    run_study(study_file(name="two", scale={"workers_per_trial": 2}), storage, display=two)
    values = query(storage, "select study, value from trials order by study").to_pydict()
    assert values["study"] == ["one", "two"]
    assert values["value"][1] == pytest.approx(values["value"][0], rel=0.02)
    for alone, shared in zip(one.reports, two.reports, strict=True):
        assert shared.images_seen == alone.images_seen
        assert shared.epochs[0].loss == pytest.approx(alone.epochs[0].loss, rel=1e-3)
    wait_until_free()


def test_a_killed_worker_and_a_killed_lane_lose_no_trial(tmp_path: Path) -> None:
    storage = Storage.from_uri(str(tmp_path))
    killed: list[str] = []

    def kill(event: Event) -> None:
        if not isinstance(event, TrialReported) or event.report.epoch != 2:
            return
        # In the first trial the Ray Train worker, in the second the lane itself.
        title = {0: "ray::RayTrainWorker", 1: "ray::Lane"}.get(event.report.number)
        if title is not None and title not in killed:
            process(title).send_signal(signal.SIGKILL)
            killed.append(title)

    display = Recorder(kill)
    file = study_file(train={**RATES, "epochs": 4}, search={"trials": 3}, scale=ONE_LANE)
    run_study(file, storage, display=display)
    assert len(killed) == 2
    assert {end.state for end in display.ends.values()} == {"complete"}
    for number in range(3):
        epochs = [report.epoch for report in display.reports if report.number == number]
        assert epochs == [1, 2, 3, 4]  # nothing twice, nothing left out
    wait_until_free()

    # The deaths left no trace in the numbers: each trial alone, in this process, comes to the same.
    bench = Workbench(Storage.from_uri(str(tmp_path / "alone")), torch.device("cpu"))
    sql = "select epoch, value, loss from reports where trial = {} order by epoch"
    for row in read_rows(storage, TrialRow, "small"):
        trial = TrialRun(Assignment("small", row.trial, row.seed, row.study), bench, Team())
        with one_thread():
            reports = [trial.advance(lambda: False, lambda step: None) for _ in range(4)]
        assert query(storage, sql.format(row.trial)).to_pydict() == {
            "epoch": [report.epoch for report in reports],
            "value": [report.score.value for report in reports if report.score],
            "loss": [report.epochs[0].loss for report in reports],
        }


def test_a_killed_mailbox_ends_the_run_and_no_trial(tmp_path: Path) -> None:
    storage = Storage.from_uri(str(tmp_path))

    def kill(event: Event) -> None:
        report = event.report if isinstance(event, TrialReported) else None
        if report and (report.number, report.epoch) == (0, 2):
            # Its process is called after what it does just now.
            (name,) = [one for one in ray.util.list_named_actors() if "small mailbox" in one]
            ray.kill(ray.get_actor(name))

    display = Recorder(kill)
    file = study_file(train={**RATES, "epochs": 4}, search={"trials": 2}, scale=ONE_LANE)
    with pytest.raises(MachineFault, match=r"lost the study's mailbox .*`study resume small`"):
        run_study(file, storage, display=display)
    assert display.ends == {}
    shown = [(report.number, report.epoch) for report in display.reports]
    rows = query(storage, "select trial, epoch from reports order by trial, epoch").to_pylist()
    assert [(row["trial"], row["epoch"]) for row in rows] == shown
    wait_until_free()

    resumed = Recorder()
    resume_study("small", storage, display=resumed)
    assert {end.state for end in resumed.ends.values()} == {"complete"}
    assert [report.epoch for report in resumed.reports if report.number == 0] == [3, 4]
    wait_until_free()


def test_a_trial_whose_workers_keep_dying_fails_and_its_lane_goes_on(tmp_path: Path) -> None:
    storage = Storage.from_uri(str(tmp_path))
    killed = 0

    def kill(event: Event) -> None:
        nonlocal killed
        report = event.report if isinstance(event, TrialReported) else None
        if report and (report.number, report.outcome) == (0, "running"):
            process("ray::RayTrainWorker").send_signal(signal.SIGKILL)
            killed += 1

    display = Recorder(kill)
    file = study_file(train={**RATES, "epochs": 9}, search={"trials": 2}, scale=ONE_LANE)
    run_study(file, storage, display=display)
    assert killed == RetryPolicy().worker_deaths + 1
    assert (display.ends[0].state, display.ends[0].reason) == ("failed", "its workers died 4 times")
    assert display.ends[0].epoch == 4  # what had been reported is kept
    assert display.ends[1].state == "complete"
    assert {report.lane for report in display.reports} == {"lane-0"}
    wait_until_free()


def test_ctrl_c_stops_at_the_next_batch_and_resume_goes_on_to_the_same_end(tmp_path: Path) -> None:
    storage = Storage.from_uri(str(tmp_path))
    file = study_file(train={**RATES, "epochs": 30}, search={"trials": 3}, scale=ONE_LANE)

    def press(event: Event) -> None:
        report = event.report if isinstance(event, TrialReported) else None
        if report and (report.number, report.epoch, report.outcome) == (1, 2, "running"):
            os.kill(os.getpid(), signal.SIGINT)

    display = Recorder(press)
    result = run_study(file, storage, display=display)
    assert result.interrupted
    assert display.ends[0].state == "complete"
    assert (display.ends[1].state, display.ends[1].reason) == ("running", "interrupted")
    assert 2 <= display.ends[1].epoch < 30
    assert 2 not in display.ends
    row = query(storage, "select * from trials where trial = 1").to_pylist()[0]
    assert (row["state"], row["ended"]) == ("running", None)
    assert storage.exists(row["checkpoint"])
    wait_until_free()

    resumed = Recorder()
    assert not resume_study("small", storage, display=resumed).interrupted
    assert set(resumed.ends) == {1, 2}  # what was complete is kept
    first = next(report for report in resumed.reports if report.number == 1)
    assert first.epoch > display.ends[1].epoch or display.ends[1].epoch == 2
    states = query(storage, "select trial, state from trials order by trial").to_pydict()
    assert states["state"] == ["complete"] * 3
    counts = query(storage, "select trial, count(*) as n from reports group by trial order by 1")
    assert counts.to_pydict()["n"] == [30, 30, 30]
    wait_until_free()


def test_a_diverged_trial_and_a_broken_one_fail_alone(tmp_path: Path) -> None:
    storage = Storage.from_uri(str(tmp_path))
    file = study_file(
        train={
            "optimizer": "sgd",
            "clip_norm": None,
            "epochs": 2,
            "learning_rate": {"choice": [10.0, 0.01]},
        },
        search={"trials": 2, "sampler": "grid"},
        scale=ONE_LANE,
    )
    display = Recorder()
    run_study(file, storage, display=display)
    assert (display.ends[0].state, display.ends[0].reason) == ("failed", "diverged")
    assert display.ends[1].state == "complete"
    assert {report.lane for report in display.reports} == {"lane-0"}  # the lane went on
    wait_until_free()


def test_more_workers_than_the_cluster_can_place_start_nothing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"scale: 3 workers .* can never be placed"):
        run_study(study_file(scale={"workers_per_trial": 3}), Storage.from_uri(str(tmp_path / "s")))
    assert not (tmp_path / "s").exists()


def test_the_python_interface_runs_a_study_scored_by_fid(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    sections = {"data": {"count": 60}, "train": {"epochs": 1}, "score": {"metric": "fid"}}
    path.write_text(yaml.safe_dump(plain(**sections)), encoding="utf-8")
    results = study.Study.from_file(path, ["score.samples=16"], name="named").run(
        storage=str(tmp_path / "s")
    )
    assert results.name == "named"
    assert list(results.trials["state"]) == ["complete"]
    (score,) = results.scores.to_dict("records")
    assert (score["metric"], score["samples"]) == ("fid", 16)
    assert set(results.artifacts["kind"]) == {"checkpoint", "samples"}

    # The lane's FID is that of its images to those held out, measured apart from any study.
    storage = Storage.from_uri(str(tmp_path / "s"))
    trial = load_trial(storage, "named", 0)
    images = trial.generate(16, score["seed"]).cpu()
    apart = study.score_images(
        images, trial.images.held_out.cpu(), metrics=["fid"], cache_folder=tmp_path / "cache"
    )
    assert score["value"] == pytest.approx(apart["fid"], rel=1e-3)
    assert score["value"] > 1


def test_finalists_are_trained_again_and_a_resumed_final_goes_on(tmp_path: Path) -> None:
    storage = Storage.from_uri(str(tmp_path))
    finalists = {"top": 2, "training_seeds": 2, "sampling_seeds": 2, "samples": 96, "steps": 8}
    rungs = [{"until": 1, "samples": 32, "metric": "sliced_wasserstein"}, {"epochs": 1}]
    file = study_file(
        train={**RATES, "epochs": 3},
        search={"trials": 4},
        score={"every": rungs, "also": ["kid", "precision"]},
        finalists=finalists,
    )

    def stop_in_the_finals(event: Event) -> None:
        report = event.report if isinstance(event, TrialReported) else None
        if report and (report.number, report.epoch, report.outcome) == (4, 1, "running"):
            os.kill(os.getpid(), signal.SIGINT)

    first = run_study(file, storage, display=Recorder(stop_in_the_finals))
    assert first.interrupted
    display = Recorder()
    result = resume_study("small", storage, display=display)
    assert not result.interrupted
    results = study.open("small", str(tmp_path))
    trials = results.trials.set_index("trial")
    assert list(trials["stage"]) == ["search"] * 4 + ["final"] * 4
    assert set(trials["state"]) == {"complete"}
    finals = trials[trials["stage"] == "final"]
    best_two = [one.trial for one in results.best(2)]
    assert sorted(finals["repeats"]) == sorted(best_two * 2)
    assert finals["seed"].nunique() == 4
    for _, row in finals.iterrows():  # the same configuration, another seed
        repeated = trials.loc[int(row["repeats"])]
        assert row["config.train.learning_rate"] == repeated["config.train.learning_rate"]
        assert row["seed"] != repeated["seed"]
    scores = results.query("select * from scores where metric = 'fd_pixels' and stage = 'final'")
    assert scores.groupby("trial")["seed"].nunique().tolist() == [2] * 4
    assert scores["seed"].nunique() == 8
    assert set(scores["samples"]) == {96}
    assert set(scores["steps"]) == {8}
    assert scores["spread"].notna().all()
    early = results.query("select distinct metric, samples from scores where epoch = 1 order by 1")
    assert early.values.tolist() == [["sliced_wasserstein", 32]]
    assert set(results.scores["metric"]) == {
        "fd_pixels", "kid_pixels", "precision", "sliced_wasserstein",
    }  # fmt: skip
    leader = result.board.leader
    assert leader is not None
    assert leader.trial in best_two
    assert trials.loc[leader.run]["repeats"] == leader.trial
    # Lanes rest between the search and the finals: no more of them are started than there are.
    assert {report.lane for report in display.reports} <= {"lane-0", "lane-1"}
    wait_until_free()
