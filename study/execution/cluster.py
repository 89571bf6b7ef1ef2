"""The Ray cluster that a study runs on: started here, or joined; and how many lanes fit it."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass

import ray

from study.spec import UserError
from study.spec.study import Scale

OBJECT_STORE_BYTES = 256 * 2**20
"""Of a Ray that we start: lanes pass messages, and images never go through the object store."""


@dataclass(frozen=True)
class Cluster:
    """A connected Ray cluster.

    Attributes:
        dashboard: URL of its dashboard, empty if it has none.
        started: Whether this process started it (and will stop it).
        nodes: CPU and GPU of each node that is up.
        limit: CPU and GPU that autoscaling could reach in all, None without autoscaling.
    """

    dashboard: str
    started: bool
    nodes: tuple[dict[str, float], ...]
    limit: dict[str, float] | None = None


@dataclass(frozen=True)
class Placement:
    """How a study's lanes go onto a cluster."""

    lanes: int
    workers: int
    cpus: float
    gpus: float


@contextlib.contextmanager
def connect(address: str | None) -> Iterator[Cluster]:
    """Join the Ray cluster at an address, or the one of this machine, or start one.

    Args:
        address: `HOST:PORT`, `ray://HOST:PORT` or `auto`. None joins what `RAY_ADDRESS` names or
            what runs on this machine, and otherwise starts a Ray of our own on this machine, which
            is stopped at the end.

    Raises:
        UserError: There is no cluster at the address, or it refuses us.
    """
    if address is not None and address.startswith(("http://", "https://")):
        raise UserError(
            f"--address {address}: that is a dashboard; `study run` takes HOST:PORT or auto, and "
            "`study submit` takes a dashboard"
        )
    already = ray.is_initialized()
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR, "namespace": "fidtune"}
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    started = False
    if already:
        context = ray.get_runtime_context()
        dashboard = ray._private.worker.global_worker.node.address_info.get("webui_url") or ""
    else:
        try:
            context = ray.init(address=address or "auto", ignore_reinit_error=False, **quiet)
        except (ConnectionError, ValueError, RuntimeError) as error:
            if address is not None or "RAY_ADDRESS" in os.environ:
                where = address or os.environ["RAY_ADDRESS"]
                reason = " ".join(str(error).split())[:200]
                raise UserError(f"no Ray cluster answers at {where}: {reason}") from None
            # A Ray of our own listens on the loopback only, and its dashboard is for a browser on
            # this machine: no token. Clusters set RAY_AUTH_MODE=token (see cluster.yaml).
            os.environ.setdefault("RAY_AUTH_MODE", "disabled")
            context = ray.init(
                address="local",
                include_dashboard=True,
                dashboard_host="127.0.0.1",
                object_store_memory=OBJECT_STORE_BYTES,
                **quiet,
            )
            started = True
        dashboard = context.dashboard_url or ""
    if dashboard and not dashboard.startswith("http"):
        dashboard = f"http://{dashboard}"
    try:
        nodes = tuple(
            {name: float(node["Resources"].get(name, 0.0)) for name in ("CPU", "GPU")}
            for node in ray.nodes()
            if node["Alive"]
        )
        yield Cluster(dashboard, started, nodes, _autoscaling_limit())
    finally:
        if not already:
            ray.shutdown()


def place(scale: Scale, cluster: Cluster, trials: int) -> Placement:
    """How many lanes fit the cluster, by its scarcest resource.

    Raises:
        UserError: One lane's workers could never all be placed.
    """
    available = [cluster.limit] if cluster.limit is not None else [*cluster.nodes]
    gpus = scale.gpus_per_worker
    if gpus is None:
        gpus = 1.0 if any(node.get("GPU", 0) >= 1 for node in available) else 0.0
    cpus = scale.cpus_per_worker
    room = sum(_workers_in(node, cpus, gpus) for node in available)
    fit = room // scale.workers_per_trial
    if fit < 1:
        needs = f"{cpus:g} CPU" + (f" and {gpus:g} GPU" if gpus else "")
        has = ", ".join(
            f"{sum(node.get(name, 0) for node in available):g} {name}" for name in ("CPU", "GPU")
        )
        raise UserError(
            f"scale: a trial needs {scale.workers_per_trial} workers of {needs} each, but the cluster "
            f"can never place more than {room} (it has {has})"
        )
    return Placement(
        lanes=max(1, min(fit, scale.lanes or fit, trials)),
        workers=scale.workers_per_trial,
        cpus=cpus,
        gpus=gpus,
    )


def local_cluster() -> Cluster:
    """This machine as a cluster of one node, without asking Ray."""
    cpus = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    gpus = float(sum(name[6:].isdigit() for name in os.listdir("/dev") if name.startswith("nvidia")))
    return Cluster("", False, ({"CPU": cpus, "GPU": gpus},))


def _workers_in(node: dict[str, float], cpus: float, gpus: float) -> int:
    # Fractions of a resource: 4 workers of 0.25 GPU fit one GPU, in spite of rounding.
    by_cpu = int(node.get("CPU", 0) / cpus + 1e-9)
    return min(by_cpu, int(node.get("GPU", 0) / gpus + 1e-9)) if gpus else by_cpu


def _autoscaling_limit() -> dict[str, float] | None:
    """What the cluster could grow to, if it has an autoscaler that says so."""
    limit = ray._private.state.state.get_max_resources_from_cluster_config()
    if not limit:
        return None
    total = ray.cluster_resources()
    return {name: max(float(limit.get(name, 0)), total.get(name, 0.0)) for name in ("CPU", "GPU")}
