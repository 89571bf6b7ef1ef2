"""The Ray cluster that a study runs on: joined, or started here."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import ray

from study.execution.placement import Resources
from study.spec import UserError

OBJECT_STORE_BYTES = 256 * 2**20
"""Of a Ray that we start: lanes pass messages, and images never go through the object store."""

NAMESPACE = "fidtune"


@dataclass(frozen=True)
class Cluster:
    """A connected Ray cluster.

    Attributes:
        dashboard: URL of its dashboard, empty if it has none.
        available: CPU and GPU of each node; of a cluster that grows, what it could grow to.
    """

    dashboard: str
    available: tuple[Resources, ...]


@contextlib.contextmanager
def connect(address: str | None) -> Iterator[Cluster]:
    """Join the Ray cluster at an address, or this machine's, or start one.

    A process that is connected already stays connected, and keeps its connection.

    Args:
        address: `HOST:PORT`, or `auto`. None joins what `RAY_ADDRESS` names or what runs on this
            machine, and otherwise starts a Ray of our own, which is stopped at the end.

    Raises:
        UserError: There is no cluster at the address, or it refuses us.
    """
    if address is not None and "://" in address:
        raise UserError(
            f"--address {address}: `study run` takes HOST:PORT or auto (`study submit` takes the "
            "dashboard's http://HOST:8265)"
        )
    if ray.is_initialized():
        yield _cluster(ray._private.worker.global_worker.node.address_info.get("webui_url"))
        return
    _drop_pool_warnings()
    context = _join_or_start(address)
    try:
        yield _cluster(context.dashboard_url)
    finally:
        ray.shutdown()


def _join_or_start(address: str | None) -> Any:
    quiet = {"log_to_driver": False, "logging_level": logging.CRITICAL, "namespace": NAMESPACE}
    try:
        return ray.init(address=address or "auto", **quiet)
    except (ConnectionError, ValueError, RuntimeError) as error:
        named = address or os.environ.get("RAY_ADDRESS")
        if named is not None:
            reason = " ".join(str(error).split())[:200]
            raise UserError(f"no Ray cluster answers at {named}: {reason}") from None
    # A Ray of our own listens on the loopback, and its dashboard is for a browser on this machine,
    # which has no token to show. Clusters set RAY_AUTH_MODE=token (see cluster.yaml).
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    return ray.init(
        address="local",
        include_dashboard=True,
        dashboard_host="127.0.0.1",
        object_store_memory=OBJECT_STORE_BYTES,
        **quiet,
    )


def _cluster(dashboard: str | None) -> Cluster:
    nodes = tuple(
        {name: float(node["Resources"].get(name, 0.0)) for name in ("CPU", "GPU")}
        for node in ray.nodes()
        if node["Alive"]
    )
    url = f"http://{dashboard}" if dashboard and "://" not in dashboard else dashboard or ""
    limit = ray._private.state.state.get_max_resources_from_cluster_config()
    if not limit:
        return Cluster(url, nodes)
    grown = {
        name: max(float(limit.get(name, 0)), sum(node[name] for node in nodes))
        for name in ("CPU", "GPU")
    }
    return Cluster(url, (grown,))


def _drop_pool_warnings() -> None:
    """Keep Ray's count of its worker processes off the terminal.

    Ray warns of 'too many' processes from four a core on, and prints it on the driver's stdout
    with no setting to stop it. On two cores two lanes are that many, and meant to be: all but the
    workers themselves only wait. Everything else that Ray has to say is printed as before.
    """
    worker = ray._private.worker
    if getattr(worker.print_to_stdstream, "drops_pool_warnings", False):
        return
    original = worker.print_to_stdstream

    def print_others(data: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        lines = [line for line in data["lines"] if "worker processes have been started" not in line]
        if lines:
            original({**data, "lines": lines}, *args, **kwargs)

    print_others.drops_pool_warnings = True  # type: ignore[attr-defined]
    worker.print_to_stdstream = print_others
