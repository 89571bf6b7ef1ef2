"""Joining a Ray cluster that somebody else started, and leaving it as it was."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ray_nodes import BIN, RayNodes, clean_environment, free_port
from specs import RATES, plain

from study.lanes.cluster import growth
from study.results.query import query
from study.results.storage import Storage

STAY = """
import json, sys, time
import ray
from ray.util import placement_group_table
from study.lanes.cluster import connect
from study.lanes.run import run_study
from study.results.storage import Storage
from study.spec import read_study_file
from pathlib import Path

address, file, storage = sys.argv[1:]

def held():
    now, all_ = ray.available_resources(), ray.cluster_resources()
    # Of the object store a few kilobytes may be in use by Ray itself.
    low = [name for name in all_ if name != "object_store_memory" and now.get(name) != all_[name]]
    groups = [g["name"] for g in placement_group_table().values() if g["state"] != "REMOVED"]
    return low + groups

with connect(address):
    before = held()
    run_study(read_study_file(Path(file)), Storage.from_uri(storage), address)
    deadline = time.monotonic() + 30
    while held() and time.monotonic() < deadline:
        time.sleep(0.1)
    print(json.dumps({"before": before, "after": held()}))
"""

FIND = """
from study.lanes.cluster import _find
print(_find(None), _find("local"), _find("auto") is not None)
"""


def python(code: str, environment: dict[str, str], *arguments: str) -> str:
    """What a Python program prints in the end."""
    ended = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()[-1]


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `study run` to its end."""
    command = [BIN / "study", "run", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)


def file(folder: Path, **sections: object) -> str:
    """A study file on disk, its path."""
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(plain(**{"scale": {"gpus_per_worker": 0}, **sections})))
    return str(path)


def test_a_study_gives_back_all_that_it_held_and_leaves_the_cluster_running(
    two_nodes: RayNodes, tmp_path: Path
) -> None:
    path = file(
        tmp_path,
        train={**RATES, "epochs": 4},
        search={
            "sampler": "random",
            "pruner": {"kind": "asha", "reduction_factor": 2},
            "trials": 4,
        },
    )
    answer = python(STAY, two_nodes.environment, two_nodes.address, path, str(tmp_path / "s"))
    assert json.loads(answer) == {"before": [], "after": []}
    states = query(Storage.from_uri(str(tmp_path / "s")), "select state from trials")
    assert {row["state"] for row in states.to_pylist()} == {"complete", "pruned"}
    assert two_nodes.alive()


def test_study_run_joins_with_the_token(two_nodes: RayNodes, tmp_path: Path) -> None:
    scale = {"workers_per_trial": 3, "gpus_per_worker": 0}
    path = file(tmp_path, name="joining", scale=scale)
    storage = tmp_path / "s"
    ended = run(
        two_nodes.environment, path, "--address", two_nodes.address, "--storage", str(storage)
    )
    assert_one_line(ended, "there is room for 2")
    assert not storage.exists()
    # Its job was called by the study's name, in the dashboard too.
    jobs = two_nodes.get("/api/jobs/")
    assert "joining" in [job["metadata"].get("job_name") for job in jobs if job["metadata"]]


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ({"RAY_AUTH_MODE": "disabled"}, "set RAY_AUTH_MODE=token"),
        ({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "x" * 32}, "refuses our token"),
    ],
)
def test_without_the_right_token_nobody_joins(
    two_nodes: RayNodes, tmp_path: Path, token: dict[str, str], said: str
) -> None:
    environment = {**clean_environment(), "HOME": str(tmp_path), **token}
    ended = run(environment, file(tmp_path), "--address", two_nodes.address)
    assert_one_line(ended, said)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://127.0.0.1:8265", "study submit"),
        ("localhost", "must be HOST:PORT"),
        ("127.0.0.1:{free}", "no Ray cluster answers at 127.0.0.1:"),
    ],
)
def test_nobody_to_join(tmp_path: Path, address: str, said: str) -> None:
    environment = {**clean_environment(), "RAY_AUTH_MODE": "disabled"}
    storage = tmp_path / "s"
    address = address.format(free=free_port())
    ended = run(environment, file(tmp_path), "--address", address, "--storage", str(storage))
    assert_one_line(ended, said)
    assert not storage.exists()


def test_a_ray_that_was_not_started_to_be_joined_is_not(
    two_nodes: RayNodes, tmp_path: Path
) -> None:
    # Of a cluster that has died, `ray start` leaves the address behind.
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "ray_current_cluster").write_text(f"127.0.0.1:{free_port()}")
    environment = {**two_nodes.environment, "RAY_TMPDIR": str(tmp_path), "HOME": str(tmp_path)}
    assert python(FIND, environment).split() == ["None", "None", "True"]


def test_a_cluster_may_grow_by_each_kind_of_node_up_to_its_limit() -> None:
    kinds = {
        "head": {"resources": {"CPU": 4}, "max_workers": 0},
        "small": {"resources": {"CPU": 8, "GPU": 1}, "max_workers": 2},
        "large": {"resources": {"CPU": 32, "GPU": 4}},
    }
    config = {"max_workers": 3, "available_node_types": kinds}
    small, large = {"CPU": 8.0, "GPU": 1.0}, {"CPU": 32.0, "GPU": 4.0}
    assert growth(config) == [small, small, large]


def assert_one_line(ended: subprocess.CompletedProcess[str], said: str) -> None:
    assert ended.returncode == 2, ended.stderr
    assert not ended.stdout
    (line,) = ended.stderr.splitlines()
    assert line.startswith("study: ")
    assert said in line
