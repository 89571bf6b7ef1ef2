"""The Ray cluster that a study runs on: joined, or started here."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
import yaml
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from study.driver.placement import Placement, Resources
from study.lanes.local_ray import QUIET, start_ray
from study.lanes.ray_private import (
    addresses_here,
    dashboard_of_this_process,
    drop_pool_warnings,
    own_job,
    why_silent,
)
from study.results.storage import Storage
from study.spec import UserError

LAUNCHER_FILE = Path("~/ray_bootstrap_config.yaml").expanduser()
"""What `ray up` starts the autoscaler on the head with."""

HEAD = "node:__internal_head__"
"""Ray's mark among a head's resources."""

LOOK_SECONDS = 60.0
"""How long the nodes may take to look for the storage. Most of it is Ray starting a process."""


@dataclass(frozen=True)
class Cluster:
    """A connected Ray cluster.

    Attributes:
        dashboard: URL of its dashboard, empty if it has none.
        available: CPU and GPU of each node, and of each that `ray up`'s autoscaler could add.
    """

    dashboard: str
    available: tuple[Resources, ...]


@contextlib.contextmanager
def connect(address: str | None, name: str = "") -> Iterator[Cluster]:
    """Join the Ray cluster at an address, or this machine's, or start one.

    A process that is connected already stays connected, and keeps its connection.

    Args:
        address: `HOST:PORT`; `auto` for any Ray on this machine; `local` for none. None joins what
            `RAY_ADDRESS` names or `ray start` started on this machine, and otherwise starts a Ray
            of our own, which is stopped at the end.
        name: What the cluster's dashboard calls our job.

    Raises:
        UserError: There is no cluster at the address, or it refuses us.
    """
    if address is not None and "://" in address:
        raise UserError(
            f"--address {address}: `study run` takes HOST:PORT or auto (`study submit` takes the "
            "dashboard's http://HOST:8265)"
        )
    if ray.is_initialized():
        yield _cluster(dashboard_of_this_process())
        return
    drop_pool_warnings()
    context = _join_or_start(address, name)
    try:
        yield _cluster(context.dashboard_url)
    finally:
        ray.shutdown()


def _join_or_start(address: str | None, name: str) -> Any:
    joined = _find(address)
    if joined is not None:
        try:
            return ray.init(address=joined, job_config=own_job(name), **QUIET)
        except (ConnectionError, ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise UserError(f"no Ray cluster answers at {joined}: {reason}") from None
    return start_ray(name=name)


def _find(address: str | None) -> str | None:
    """HOST:PORT of the cluster to join, which has answered; None to start one.

    Ray's own `auto` also takes any Ray process that it finds on the machine: the one, for example,
    that another study started for itself, and will stop as soon as it ends. Without an address we
    join only what was started to be joined, by `ray start`.
    """
    named = address or os.environ.get("RAY_ADDRESS") or None
    if named == "local":
        return None
    if named is not None and "://" in named:
        raise UserError(f"RAY_ADDRESS is {named}, but `study run` joins HOST:PORT or auto")
    if named not in (None, "auto"):
        if not named.rpartition(":")[2].isdigit():
            raise UserError(f"no Ray cluster is at {named}: must be HOST:PORT, or auto")
        if problem := why_silent(named):
            raise UserError(f"no Ray cluster answers at {named}: {problem}")
        return named
    for here in addresses_here(any_ray=named == "auto"):
        if why_silent(here) is None:  # the address of a Ray that has died may be left behind
            return here
    if named == "auto":
        raise UserError("--address auto: no Ray runs on this machine")
    return None


def growth(config: dict[str, Any]) -> list[Resources]:
    """The nodes, beside its head, that the autoscaler of a cluster of Ray's launcher may add.

    Args:
        config: Of the launcher, with its defaults (what `ray up` leaves on the head).
    """
    nodes: list[Resources] = [
        {name: float(kind["resources"].get(name, 0)) for name in ("CPU", "GPU")}
        for kind in config["available_node_types"].values()
        for _ in range(kind.get("max_workers", config["max_workers"]))
    ]
    return nodes[: config["max_workers"]]


def _cluster(dashboard: str | None) -> Cluster:
    alive = [node for node in ray.nodes() if node["Alive"]]
    nodes: list[Resources] = [
        {name: float(node["Resources"].get(name, 0.0)) for name in ("CPU", "GPU")} for node in alive
    ]
    # Ray does not tell a driver what its autoscaler could add, but jobs run on the head, and there
    # the launcher's own file does.
    here = ray.get_runtime_context().get_node_id()
    (resources,) = [node["Resources"] for node in alive if node["NodeID"] == here]
    if HEAD in resources and LAUNCHER_FILE.is_file():
        possible = growth(yaml.safe_load(LAUNCHER_FILE.read_text(encoding="utf-8")))
        for node in nodes:  # those that are there already
            if node in possible:
                possible.remove(node)
        nodes += possible
    url = f"http://{dashboard}" if dashboard and "://" not in dashboard else dashboard or ""
    return Cluster(url, tuple(nodes))


def check_shared(storage: Storage, placement: Placement) -> None:
    """Check that every node that may hold a worker sees the folder that studies go to.

    A node that joins later looks for itself, when its first worker starts (see `worker_loop.work`).

    Raises:
        UserError: A node does not.
    """
    nodes = [node for node in ray.nodes() if node["Alive"] and _fits(node, placement)]
    if not storage.is_local or len(nodes) < 2:
        return
    # The storage itself need not exist yet: its nearest ancestor does.
    folder = next(
        path for path in (Path(storage.root), *Path(storage.root).parents) if path.exists()
    )
    probe = folder / f".probe-{uuid.uuid4().hex}"
    probe.touch()
    try:
        looks = {_look(str(probe), node["NodeID"]): node for node in nodes}
        done, _ = ray.wait(list(looks), num_returns=len(looks), timeout=LOOK_SECONDS)
        blind = [looks[look]["NodeManagerHostname"] for look in done if not ray.get(look)]
    finally:
        probe.unlink()
    if blind:
        raise UserError(
            f"the storage {storage.uri} is not the same folder on node {blind[0]}: "
            "use a shared folder or s3://"
        )


def _look(path: str, node: str) -> ray.ObjectRef:
    strategy = NodeAffinitySchedulingStrategy(node, soft=False)
    options = {"num_cpus": 0, "name": "look for the storage", "scheduling_strategy": strategy}
    return ray.remote(os.path.exists).options(**options).remote(path)


def _fits(node: dict[str, dict[str, float]], placement: Placement) -> bool:
    has = node["Resources"]
    return has.get("CPU", 0) >= placement.cpus and has.get("GPU", 0) >= placement.gpus
