"""The Ray cluster that a study runs on: joined, or started here."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]
import ray
import yaml
from ray._private import services
from ray._private.authentication.authentication_token_setup import (
    maybe_enable_token_auth_if_token_available,
)
from ray._private.grpc_utils import init_grpc_channel
from ray.core.generated import gcs_service_pb2, gcs_service_pb2_grpc
from ray.exceptions import AuthenticationError

from study.driver.placement import Resources
from study.lanes.ray_private import refusal
from study.spec import UserError

OBJECT_STORE_BYTES = 256 * 2**20
"""Of a Ray that we start: lanes pass messages, and images never go through the object store."""

NAMESPACE = "fidtune"

LAUNCHER_FILE = Path("~/ray_bootstrap_config.yaml").expanduser()
"""What `ray up` starts the autoscaler on the head with."""

HEAD = "node:__internal_head__"
"""Ray's mark among a head's resources."""

ANSWER_SECONDS = 8.0
"""How long a cluster may take to answer at all."""


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
def connect(address: str | None) -> Iterator[Cluster]:
    """Join the Ray cluster at an address, or this machine's, or start one.

    A process that is connected already stays connected, and keeps its connection.

    Args:
        address: `HOST:PORT`; `auto` for any Ray on this machine; `local` for none. None joins what
            `RAY_ADDRESS` names or `ray start` started on this machine, and otherwise starts a Ray
            of our own, which is stopped at the end.

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
    found = _find(address)
    if found is not None:
        try:
            return ray.init(address=found, **quiet)
        except (ConnectionError, ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise UserError(f"no Ray cluster answers at {found}: {reason}") from None
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
        if problem := _knock(named):
            raise UserError(f"no Ray cluster answers at {named}: {problem}")
        return named
    # As Ray does for a cluster on this machine, and for no other: show it our token, if any.
    maybe_enable_token_auth_if_token_available(warn_if_disabled=False)
    found = [services.find_bootstrap_address(None)]
    if named == "auto":
        found += sorted(services.find_gcs_addresses())
    for here in found:  # the address of a Ray that has died may be left behind
        if here is not None and _knock(here) is None:
            return str(here)
    if named == "auto":
        raise UserError("--address auto: no Ray runs on this machine")
    return None


def _knock(address: str) -> str | None:
    """Why nobody answers at HOST:PORT, or None if a Ray cluster does.

    `ray.init` finds that out too, but takes up to three quarters of a minute, and does not say
    which it is.

    Raises:
        UserError: A cluster answers, but does not let us in.
    """
    try:
        with init_grpc_channel(address, [("grpc.enable_http_proxy", 0)]) as channel:
            stub = gcs_service_pb2_grpc.NodeInfoGcsServiceStub(channel)
            stub.GetClusterId(gcs_service_pb2.GetClusterIdRequest(), timeout=ANSWER_SECONDS)
    except AuthenticationError:
        raise refusal(address) from None
    except grpc.RpcError as error:
        if error.code() == grpc.StatusCode.UNAUTHENTICATED:
            raise refusal(address) from None
        return " ".join(f"{error.code().name.lower()}, {error.details()}".split())[:200]
    return None


def growth(config: dict[str, Any]) -> list[Resources]:
    """The nodes, beside its head, that a cluster of Ray's launcher may come to have.

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
