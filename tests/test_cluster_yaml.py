"""`cluster.yaml` is what Ray's cluster launcher takes, and what this project needs of it."""

from __future__ import annotations

import copy
import re
import shlex
import tomllib
from typing import Any

import jsonschema
import pytest
import yaml
from paths import ROOT
from ray.autoscaler._private.util import prepare_config, validate_config

from study.lanes.cluster import growth

HOME = "/home/ray/fidtune"


@pytest.fixture(scope="module")
def config() -> dict[str, Any]:
    loaded = yaml.safe_load((ROOT / "cluster.yaml").read_text())
    assert isinstance(loaded, dict)
    return loaded


@pytest.fixture(scope="module")
def filled(config: dict[str, Any]) -> dict[str, Any]:
    """As the launcher sees it, with Ray's defaults for the provider."""
    prepared = prepare_config(copy.deepcopy(config))
    assert isinstance(prepared, dict)
    return prepared


def test_rays_own_schema_takes_it(filled: dict[str, Any]) -> None:
    validate_config(filled)


@pytest.mark.parametrize(
    ("key", "value"), [("max_workers", "four"), ("idle_minutes", 10), ("docker", {"img": "x"})]
)
def test_the_schema_would_notice(filled: dict[str, Any], key: str, value: object) -> None:
    with pytest.raises(jsonschema.ValidationError):
        validate_config({**filled, key: value})


def test_gpu_nodes_come_and_go(filled: dict[str, Any]) -> None:
    head, gpu = filled["available_node_types"]["head"], filled["available_node_types"]["gpu"]
    assert (gpu["min_workers"], gpu["max_workers"]) == (0, filled["max_workers"])
    assert gpu["resources"]["GPU"] >= 1
    assert head["resources"]["CPU"] == 0
    assert 0 < filled["idle_timeout_minutes"] <= 30


def test_what_is_mounted_exists_here(config: dict[str, Any]) -> None:
    for local in config["file_mounts"].values():
        if not local.startswith("~"):
            assert (ROOT / local).exists(), local


def test_the_project_is_installed_from_its_pinned_constraints(config: dict[str, Any]) -> None:
    mounted = {path.removeprefix(f"{HOME}/") for path in config["file_mounts"]}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert {"pyproject.toml", "constraints.txt", "study", "models"} <= mounted
    assert project["project"]["readme"] in mounted
    (install,) = [line for line in config["setup_commands"] if "pip install" in line]
    words = shlex.split(install)
    assert words[words.index("--constraint") + 1] == "constraints.txt"
    assert words[-1] == ".[inception]"  # `metric: fid` needs its weights on every node
    assert "inception" in project["project"]["optional-dependencies"]


def test_the_image_has_the_pinned_ray_and_a_python_that_we_support(config: dict[str, Any]) -> None:
    found = re.fullmatch(r"rayproject/ray:([\d.]+)-py3(\d+)-gpu", config["docker"]["image"])
    assert found is not None
    assert f"ray=={found[1]}" in (ROOT / "constraints.txt").read_text().splitlines()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert int(found[2]) >= int(project["project"]["requires-python"].removeprefix(">=3."))


def test_every_node_asks_for_the_token(config: dict[str, Any]) -> None:
    docker = config["docker"]
    assert "--env RAY_AUTH_MODE=token" in docker["run_options"]
    assert not {"head_run_options", "worker_run_options"} & set(docker)
    assert config["file_mounts"]["/home/ray/.ray/auth_token"] == "~/.ray/auth_token"
    everything = (ROOT / "cluster.yaml").read_text()
    assert "RAY_AUTH_TOKEN=" not in everything
    assert not re.search(r"AUTH_MODE=(?!token)", everything)


def test_the_dashboard_listens_on_the_loopback_alone(config: dict[str, Any]) -> None:
    (start,) = [line for line in config["head_start_ray_commands"] if "ray start" in line]
    words = shlex.split(start)
    assert "--dashboard-host=127.0.0.1" in words
    assert "--autoscaling-config=~/ray_bootstrap_config.yaml" in words


def test_jobs_know_where_studies_are_kept(config: dict[str, Any]) -> None:
    (option,) = [line for line in config["docker"]["run_options"] if "STUDY_STORAGE" in line]
    assert option.startswith("--env STUDY_STORAGE=s3://")


def test_lanes_are_counted_by_what_the_cluster_can_grow_to(filled: dict[str, Any]) -> None:
    gpu = filled["available_node_types"]["gpu"]
    assert growth(filled) == [gpu["resources"]] * gpu["max_workers"]
