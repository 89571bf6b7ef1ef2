"""Ray's private functions, called here and nowhere else.

Ray is pinned below its next minor release because of them.
"""

from __future__ import annotations

import os
import socket
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import grpc  # type: ignore[import-untyped]
import ray
from ray._private import services
from ray._private.authentication.authentication_token_setup import (
    AuthenticationMode,
    AuthenticationTokenLoader,
    get_authentication_mode,
    maybe_enable_token_auth_if_token_available,
)
from ray._private.grpc_utils import init_grpc_channel
from ray._private.node import Node
from ray._private.ray_constants import PROCESS_TYPE_GCS_SERVER, PROCESS_TYPE_RAYLET
from ray.core.generated import gcs_service_pb2, gcs_service_pb2_grpc
from ray.exceptions import AuthenticationError
from ray.job_config import JobConfig
from ray.train.v2._internal.exceptions import (
    UserExceptionWithTraceback,
    WorkerHealthCheckFailedError,
)

from study.own_packages import HOME, hides_us
from study.spec import UserError

NAMESPACE = "fidtune"

ANSWER_SECONDS = 8.0
"""How long a cluster may take to answer at all."""

CONNECT_SECONDS = 2.0
"""How long a process of Ray may take to accept a connection."""

TOKEN_PLACES = "RAY_AUTH_TOKEN, a file named by RAY_AUTH_TOKEN_PATH, or ~/.ray/auth_token"
"""Where Ray looks for a token, in this order."""


def addresses_here(any_ray: bool) -> list[str]:
    """HOST:PORT of the Ray clusters of this machine.

    Args:
        any_ray: Also those that were started for one program, and not to be joined.
    """
    # As Ray does for a cluster on this machine, and for no other: show it our token, if any.
    maybe_enable_token_auth_if_token_available(warn_if_disabled=False)
    addresses = [services.find_bootstrap_address(None)]
    if any_ray:
        addresses += sorted(services.find_gcs_addresses())
    return [str(address) for address in addresses if address is not None]


def base_exception(error: Exception) -> BaseException:
    """What a Ray Train worker really ended with: its own exception, or the loss of its process."""
    if isinstance(error, UserExceptionWithTraceback):
        return error._base_exc  # type: ignore[no-any-return]
    if isinstance(error, WorkerHealthCheckFailedError):
        return error.health_check_failure  # type: ignore[no-any-return]
    return error


def stop_half_started(error: BaseException) -> None:
    """End the processes that are left of the Ray whose start raised an error.

    They would slow down the next start. Ray forgets what it was starting: it is found among the
    frames of the traceback.
    """
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_name == "start_api_server":
            process = getattr(frame.f_locals.get("process_info"), "process", None)
            if process is not None:
                process.kill()
                process.wait()
        if isinstance(node := frame.f_locals.get("self"), Node):
            node.kill_all_processes(check_alive=False, allow_graceful=False, wait=True)


class OwnJob(JobConfig):  # type: ignore[misc]
    """A job whose processes find our packages before those of the folder that we stand in.

    Ray has its processes look there first, and a person's own package `study` would be taken for
    ours.
    """

    def _serialize(self) -> bytes:
        # These two Ray puts first in the paths of its processes.
        folders = {os.getcwd(), os.path.dirname(os.path.realpath(sys.argv[0]))}
        if any(map(hides_us, folders)):
            self._py_driver_sys_path.append(str(HOME))  # the last one is looked into first
        return super()._serialize()  # type: ignore[no-any-return]


def own_job(name: str) -> OwnJob:
    """The job of this process in a cluster.

    Args:
        name: What the cluster's dashboard calls it; empty leaves it without a name.
    """
    job = OwnJob(ray_namespace=NAMESPACE)
    if name:
        job.set_metadata("job_name", name)
    return job


def dashboard_of_this_process() -> str | None:
    """The dashboard of the cluster that this process is connected to, without a scheme."""
    url = ray._private.worker.global_worker.node.address_info.get("webui_url")
    return None if url is None else str(url)


def started_here() -> bool:
    """Whether this process has started the Ray that it is connected to, and ends it too."""
    node = ray._private.worker._global_node
    return node is not None and bool(node.is_head())


def lost_part() -> str | None:
    """What has ended, or takes no connections, of the Ray that this process is connected to.

    None if nothing has. Ray itself waits for up to a minute, and then ends this process. A Ray that
    was started here is known by its processes; of another one its sockets are tried.
    """
    node = ray._private.worker.global_worker.node
    if node is None:
        return None
    raylet, gcs = "the raylet of this machine", f"the GCS at {node.gcs_address}"
    if started_here():
        names = {PROCESS_TYPE_RAYLET: raylet, PROCESS_TYPE_GCS_SERVER: gcs}
        own = ray._private.worker._global_node.all_processes
        ended = [name for kind, name in names.items() if _have_ended(own.get(kind, []))]
        return ended[0] if ended else None
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(node.raylet_socket_name)
        except OSError:
            return raylet
    host, _, port = str(node.gcs_address).rpartition(":")
    try:
        socket.create_connection((host, int(port)), CONNECT_SECONDS).close()
    except OSError:
        return gcs
    return None


def leave_ray() -> None:
    """Kill what is left of a Ray that was started here, without asking it."""
    if started_here():
        ray._private.worker._global_node.kill_all_processes(
            check_alive=False, allow_graceful=False, wait=False
        )


def _have_ended(processes: Sequence[Any]) -> bool:
    return any(info.process.poll() is not None for info in processes)


def why_silent(address: str) -> str | None:
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


def refusal(address: str) -> UserError:
    """The error for a cluster that wants a token, and not the one that we have."""
    try:
        has_token = AuthenticationTokenLoader.instance().has_token(ignore_auth_mode=True)
    except AuthenticationError:  # the file is named, but cannot be used
        path = os.environ.get("RAY_AUTH_TOKEN_PATH")
        return UserError(f"RAY_AUTH_TOKEN_PATH={path}: the token file cannot be read, or is empty")
    if not has_token:
        return UserError(
            f"{address} asks for a token, and there is none: set RAY_AUTH_MODE=token, and "
            f"{TOKEN_PLACES}"
        )
    if get_authentication_mode() != AuthenticationMode.TOKEN:
        return UserError(f"{address} asks for a token: set RAY_AUTH_MODE=token to show ours")
    return UserError(f"{address} refuses our token: it is another cluster's (see {TOKEN_PLACES})")


_UNSAID = ("worker processes have been started", "Raylet is terminated")
"""In what Ray prints and we do not: it is meant to be, or said in a line of ours."""


def drop_pool_warnings() -> None:
    """Keep Ray's count of its worker processes off the terminal, and the log of a raylet that died.

    Ray warns of 'too many' processes from four a core on, and prints it on the driver's stdout
    with no setting to stop it. On two cores two lanes are that many, and meant to be: all but the
    workers themselves only wait. Everything else that Ray has to say is printed as before.
    """
    worker = ray._private.worker
    if getattr(worker.print_to_stdstream, "drops_pool_warnings", False):
        return
    original = worker.print_to_stdstream

    def print_others(data: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        lines = [line for line in data["lines"] if not any(one in line for one in _UNSAID)]
        if lines:
            original({**data, "lines": lines}, *args, **kwargs)

    print_others.drops_pool_warnings = True  # type: ignore[attr-defined]
    worker.print_to_stdstream = print_others
