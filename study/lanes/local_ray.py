"""Starting a Ray of our own on this machine, and saying in one line why it does not start."""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ray

from study.lanes.ray_private import own_job, stop_half_started
from study.spec import UserError

OBJECT_STORE_BYTES = 256 * 2**20
"""Of a Ray that we start: lanes pass messages, and images never go through the object store."""

DASHBOARD_PORT = 8265
"""Where a dashboard is looked for; the next free one is taken where several Rays run."""

API_SERVER = "RAY_API_SERVER_ADDRESS"
"""Ray's variable for the dashboard that its own processes ask."""

QUIET = {"log_to_driver": False, "logging_level": logging.CRITICAL}

LONGEST_SOCKET = 107
"""Bytes in the path of a Unix socket on Linux (`sun_path` in unix(7), less its end)."""

SOCKET_TAIL = "/ray/session_2026-01-01_00-00-00_000000_0000000/sockets/dash_MetricsHead"
"""What Ray adds to its folder for its longest socket; process numbers have up to 7 digits."""

TEMPORARY_TAIL = "/pymp-abcdefgh/listener-abcdefgh"
"""What Python's multiprocessing, which Ray's dashboard uses, adds to the temporary folder."""

STARTS = 2
"""How often a Ray is started that is only slow."""

ADVICE = {
    "imed out": "this machine may be busy: try again, or run `ray start --head` first",
    "No space left": "free some space, or set RAY_TMPDIR to a short folder on another disk",
    "shared memory": "give /dev/shm more memory (docker run --shm-size=1g)",
    "/dev/shm": "give /dev/shm more memory (docker run --shm-size=1g)",
    "Permission denied": "set RAY_TMPDIR to a short folder that you can write",
    "Read-only": "set RAY_TMPDIR to a short folder that you can write",
    "Address already in use": "another program has taken a port since: try again",
    "port": "another program may have taken a port: try again",
}
"""What to do, by what Ray's error says; the first that fits."""


def start_ray(cpus: int | None = None, name: str = "") -> Any:
    """Start a Ray of our own on this machine, and connect to it; answers Ray's context.

    It listens on the loopback, and its dashboard is for a browser on this machine, which has no
    token to show. Clusters set RAY_AUTH_MODE=token (see cluster.yaml).

    Args:
        cpus: How many it has; by default those of this machine.
        name: What its dashboard calls our job.

    Raises:
        UserError: It does not start; the line says why, and what to do.
    """
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    folder = ray_folder()
    for attempt in range(1, STARTS + 1):
        began = time.monotonic()
        try:
            return _start(cpus, folder, name)
        except UserError:
            raise
        except Exception as error:  # Ray raises whatever happened to it, also bare `Exception`
            stop_half_started(error)
            ray.shutdown()
            if attempt < STARTS and is_slow(error):
                continue
            raise UserError(explain_start(error, time.monotonic() - began)) from error
    raise AssertionError


def ray_folder() -> str | None:
    """Where Ray is to keep its sockets and logs; None where it would by itself.

    A folder that batch systems give is often too long for a socket's path. Then it is a new one in
    /tmp, which goes when this process does.

    Raises:
        UserError: The folder that the environment names cannot be used.
    """
    variable = "RAY_TMPDIR" if "RAY_TMPDIR" in os.environ else "TMPDIR"
    named = os.environ.get(variable)
    if named is None:
        return None
    temporary = os.environ.get("TMPDIR", "")
    try:
        Path(named).mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=named).close()
    except OSError as error:
        raise UserError(
            f"{variable} is {named}, where Ray cannot keep its files: {error.strerror or error}; "
            "set RAY_TMPDIR to a short folder that you can write"
        ) from None
    if not is_too_long(named, SOCKET_TAIL) and not is_too_long(temporary, TEMPORARY_TAIL):
        return None
    short = tempfile.mkdtemp(prefix="fidtune-", dir="/tmp")
    atexit.register(shutil.rmtree, short, ignore_errors=True)
    return short


def is_too_long(folder: str, tail: str) -> bool:
    """Whether the path of a socket in a folder would have too many bytes."""
    return (
        len(os.fsencode(os.path.abspath(folder) if folder else "") + tail.encode()) > LONGEST_SOCKET
    )


def is_slow(error: Exception) -> bool:
    """Whether a Ray that did not start may do so at a second try."""
    return any(sign in str(error) for sign in ("timed out", "Timed out waiting for"))


def explain_start(error: Exception, seconds: float) -> str:
    """One line on why Ray did not start, and what to do.

    Args:
        error: What Ray raised.
        seconds: How long it had tried.
    """
    text = " ".join(str(error).split()) or type(error).__name__
    advice = next((advice for sign, advice in ADVICE.items() if sign in text), "")
    cause = text.partition(". ")[0][:200]
    return f"Ray does not start here (after {seconds:.0f} s): {cause}" + (advice and f"; {advice}")


def _start(cpus: int | None, folder: str | None, name: str) -> Any:
    before = {variable: os.environ.get(variable) for variable in (API_SERVER, "TMPDIR")}
    if folder is not None:  # Ray's processes make sockets of their own there
        os.environ["TMPDIR"] = folder
    # Whoever cleans up after a dead lane asks the dashboard who is alive. Where several Rays run on
    # one machine, Ray would guess which dashboard, and leave the lane's CPUs taken for ever. Its
    # processes inherit this; ours must not, since it overrides the address of `study submit`.
    try:
        for port in _free_ports(DASHBOARD_PORT):
            os.environ[API_SERVER] = f"http://127.0.0.1:{port}"
            try:
                return ray.init(
                    address="local",
                    num_cpus=cpus,
                    include_dashboard=True,
                    dashboard_host="127.0.0.1",
                    dashboard_port=port,
                    object_store_memory=OBJECT_STORE_BYTES,
                    _temp_dir=folder,
                    job_config=own_job(name),
                    **QUIET,
                )
            except ValueError as error:
                # Another Ray that was started at the same time has taken the port since.
                if str(port) not in str(error):
                    raise
        raise UserError(f"no port from {DASHBOARD_PORT} on is free for Ray's dashboard")
    finally:
        for variable, value in before.items():
            os.environ.pop(variable, None)
            if value is not None:
                os.environ[variable] = value


def _free_ports(first: int) -> Iterator[int]:
    """Ports of the loopback from this one on that nobody listens on."""
    for port in range(first, first + 1000):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        yield port
