"""`study submit` against a real Ray head with a dashboard, tokens and a second node."""

from __future__ import annotations

import re
import signal
import subprocess
from pathlib import Path

import pytest
import yaml
from ray_nodes import BIN, RayNodes, clean_environment, free_port, wait_until
from specs import RATES, plain

from study.lanes.submit import ASK_STORAGE
from study.results.query import query
from study.results.storage import Storage

TASK = re.compile(r"pair trial \d on (lane-\d)")
RUNNING = "&filter_keys=state&filter_predicates=%3D&filter_values=RUNNING"


def file(folder: Path, **sections: object) -> str:
    """A study file on disk, its path."""
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(plain(**{"scale": {"gpus_per_worker": 0}, **sections})))
    return str(path)


def submit(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `study submit` to its end."""
    command = [BIN / "study", "submit", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)


def test_a_study_runs_as_a_job_with_lanes_on_both_nodes(
    two_nodes: RayNodes, tmp_path: Path
) -> None:
    path = file(
        tmp_path,
        name="pair",
        train={**RATES, "epochs": 12},
        score={"every": 6},
        search={"sampler": "random", "trials": 3},
    )
    log = tmp_path / "log"
    with log.open("wb") as output:
        client = subprocess.Popen(
            [BIN / "study", "submit", path, "--address", two_nodes.dashboard],
            env=two_nodes.environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )

    def both_at_once() -> bool:
        assert client.poll() is None, log.read_text()
        titles = [two_nodes.titles(node) for node in (0, 1)]
        workers = [[t for t in of_node if "RayTrainWorker" in t] for of_node in titles]
        tasks = {task["name"] for task in two_nodes.listed("tasks", RUNNING)}
        lanes = {match[1] for name in tasks if (match := TASK.fullmatch(name))}
        return [len(w) for w in workers] == [1, 1] and lanes == {"lane-0", "lane-1"}

    wait_until("each node has a worker, and each lane a trial in hand", both_at_once)
    actors = [a for a in two_nodes.listed("actors") if a["state"] == "ALIVE"]
    assert {"pair lane-0", "pair lane-1"} <= {actor["repr_name"] for actor in actors}
    assert any(actor["name"].startswith("pair mailbox") for actor in actors)
    jobs = two_nodes.get("/api/jobs/")
    assert "pair" in [job["metadata"].get("job_name") for job in jobs if job["metadata"]]

    assert client.wait(240) == 0, log.read_text()
    text = log.read_text()
    assert "job raysubmit_" in text
    assert f"on {two_nodes.dashboard}" in text
    assert "2 lanes of 1 worker" in text
    assert f"Ray dashboard: {two_nodes.dashboard}" in text
    assert len(re.findall(r"trial \d complete", text)) == 3
    assert "rank" in text
    place = Storage.from_uri(str(two_nodes.storage))
    rows = query(place, "select trial, state, lane from trials").to_pylist()
    assert sorted(row["trial"] for row in rows) == [0, 1, 2]
    assert {row["state"] for row in rows} == {"complete"}
    assert {row["lane"] for row in rows} == {"lane-0", "lane-1"}
    assert two_nodes.alive()


def test_ctrl_c_leaves_the_job_running(two_nodes: RayNodes, tmp_path: Path) -> None:
    path = file(tmp_path, name="watched", train={"epochs": 10_000})
    command = [BIN / "study", "submit", path, "--address", two_nodes.dashboard]
    with subprocess.Popen(
        command, env=two_nodes.environment, stdout=subprocess.PIPE, text=True
    ) as client:
        assert client.stdout is not None
        job = re.search(r"raysubmit_\w+", client.stdout.readline())
        assert job is not None
        client.stdout.readline()  # of the log: it is being followed
        client.send_signal(signal.SIGINT)
        text = client.stdout.read()
    assert client.returncode == 130
    assert "the job goes on" in text
    assert two_nodes.get(f"/api/jobs/{job[0]}")["status"] in ("PENDING", "RUNNING")
    stop = ["ray", "job", "stop", "--address", two_nodes.dashboard, job[0]]
    subprocess.run(
        [BIN / stop[0], *stop[1:]], env=two_nodes.environment, check=True, capture_output=True
    )
    wait_until(
        "the cluster is free again",
        lambda: not any("watched" in task["name"] for task in two_nodes.listed("tasks", RUNNING)),
    )


def test_a_study_that_can_never_be_placed_ends_its_job_in_one_line(
    two_nodes: RayNodes, tmp_path: Path
) -> None:
    path = file(tmp_path, name="wide", scale={"workers_per_trial": 3, "gpus_per_worker": 0})
    storage = tmp_path / "studies"
    ended = submit(
        two_nodes.environment, path, "--address", two_nodes.dashboard, "--storage", str(storage)
    )
    assert ended.returncode == 1
    (line,) = [line for line in ended.stdout.splitlines() if line.startswith("study: ")]
    assert "3 workers" in line
    assert "can never be placed" in line
    assert "Traceback" not in ended.stdout + ended.stderr
    assert not storage.exists()


@pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="needs Linux's /proc")
def test_nodes_that_do_not_share_the_storage_are_found_before_anything_starts(
    two_nodes: RayNodes, tmp_path: Path
) -> None:
    # Each process's own working folder: one name, and another folder on each node.
    path = file(tmp_path, name="apart")
    ended = submit(
        two_nodes.environment,
        path,
        "--address",
        two_nodes.dashboard,
        "--storage",
        "/proc/self/cwd/s",
    )
    assert ended.returncode == 1
    (line,) = [line for line in ended.stdout.splitlines() if line.startswith("study: ")]
    assert "is not the same folder on node" in line
    assert "use a shared folder or s3://" in line
    assert "started" not in ended.stdout


def test_a_detached_job_is_left_to_itself(two_nodes: RayNodes, tmp_path: Path) -> None:
    path = file(tmp_path, name="alone", scale={"workers_per_trial": 3, "gpus_per_worker": 0})
    ended = submit(two_nodes.environment, path, "--address", two_nodes.dashboard, "--detach")
    assert ended.returncode == 0, ended.stderr
    assert "ray job logs" in ended.stdout
    job = re.search(r"job (raysubmit_\w+)", ended.stdout)
    assert job is not None

    def over() -> bool:
        found = two_nodes.get(f"/api/jobs/{job[1]}")
        return found is not None and found["status"] == "FAILED"

    wait_until("the job has ended", over)
    assert two_nodes.get(f"/api/jobs/{job[1]}")["metadata"]["study"] == "alone"


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ({}, "set RAY_AUTH_MODE=token"),
        ({"RAY_AUTH_MODE": "token"}, "there is none"),
        ({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "x" * 32}, "refuses our token"),
        ({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": "/nowhere"}, "cannot be read"),
    ],
)
def test_without_the_right_token_nobody_is_let_in(
    two_nodes: RayNodes, tmp_path: Path, token: dict[str, str], said: str
) -> None:
    environment = {**clean_environment(), "HOME": str(tmp_path), **token}
    ended = submit(environment, file(tmp_path), "--address", two_nodes.dashboard)
    assert_one_line(ended, said)


def test_what_is_no_dashboard_is_said_to_be_none(two_nodes: RayNodes, tmp_path: Path) -> None:
    address = f"http://{two_nodes.address}"
    assert_one_line(
        submit(two_nodes.environment, file(tmp_path), "--address", address), "is no Ray dashboard"
    )


def test_nobody_at_the_address(tmp_path: Path) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    ended = submit(clean_environment(), file(tmp_path), "--address", address)
    assert_one_line(ended, f"no Ray dashboard answers at {address}")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--address", "127.0.0.1:8265"], "must be the dashboard's, as http://HOST:8265"),
        (["--address", "http://127.0.0.1:1", "--storage", "studies"], "all nodes share"),
    ],
)
def test_mistakes_in_what_is_asked_for(tmp_path: Path, arguments: list[str], said: str) -> None:
    assert_one_line(submit(clean_environment(), file(tmp_path), *arguments), said)


def test_a_cluster_that_has_no_storage_says_so() -> None:
    ended = subprocess.run(
        f"echo {ASK_STORAGE}", shell=True, env={}, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert "name a storage with study submit --storage" in ended.stderr
    assert not ended.stdout


def assert_one_line(ended: subprocess.CompletedProcess[str], said: str) -> None:
    assert ended.returncode == 2, ended.stderr
    assert not ended.stdout
    (line,) = ended.stderr.splitlines()
    assert line.startswith("study: ")
    assert said in line
