"""Ray nodes of our own, as processes: started on free ports, stopped by their process ids."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

TOKEN = "0123456789abcdef0123456789abcdef"
BIN = Path(sys.executable).parent
PATIENCE = 240.0
"""Seconds that anything may take before a test gives up. Only ever waited out by a failure."""


def wait_until(what: str, holds: Callable[[], Any], patience: float = PATIENCE) -> Any:
    """Ask until the answer is true, and return it."""
    end = time.monotonic() + patience
    while not (answer := holds()):
        assert time.monotonic() < end, f"not within {patience:.0f} s: {what}"
        time.sleep(0.2)
    return answer


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def clean_environment() -> dict[str, str]:
    """This process's environment without anything that says which Ray to use, and how."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    kept.pop("STUDY_STORAGE", None)
    path = f"{BIN}{os.pathsep}{kept.get('PATH', '')}"
    return {**kept, "PATH": path, "RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": "1"}


@dataclass
class RayNodes:
    """A head with a dashboard and tokens, and further nodes, of one CPU each, on this machine.

    Their temporary folders are their own: a Ray that runs here already is neither seen nor touched.
    """

    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="fr-", dir="/tmp")))
    port: int = field(default_factory=free_port)
    dashboard_port: int = field(default_factory=free_port)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def address(self) -> str:
        """For `study run`."""
        return f"127.0.0.1:{self.port}"

    @property
    def dashboard(self) -> str:
        """For `study submit`."""
        return f"http://127.0.0.1:{self.dashboard_port}"

    @property
    def environment(self) -> dict[str, str]:
        """What a client needs to be let in."""
        token = self.folder / "token"
        return {**clean_environment(), "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}

    @property
    def storage(self) -> Path:
        """What the nodes have as STUDY_STORAGE."""
        return self.folder / "studies"

    def start_head(self) -> None:
        """Start the head, and wait until its dashboard takes jobs."""
        (self.folder / "token").write_text(TOKEN)
        self._start(
            "--head",
            f"--port={self.port}",
            "--include-dashboard=true",
            "--dashboard-host=127.0.0.1",
            f"--dashboard-port={self.dashboard_port}",
            f"--ray-client-server-port={free_port()}",
        )
        wait_until("the dashboard answers", lambda: self._alive(1))
        wait_until("the Jobs API answers", lambda: self.get("/api/jobs/") is not None)

    def start_node(self) -> None:
        """Start one more node, and wait until it has joined."""
        self._start(f"--address={self.address}")
        wait_until("the node has joined", lambda: self._alive(len(self.processes)))

    def get(self, path: str) -> Any:
        """What the dashboard answers, or None while it does not."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        request = urllib.request.Request(f"{self.dashboard}{path}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return json.load(answer)
        except (urllib.error.URLError, OSError, ValueError):
            return None

    def listed(self, kind: str, filters: str = "") -> list[dict[str, Any]]:
        """The `actors`, `tasks` or `nodes` that Ray's state API, and so its dashboard, knows."""
        answer = self.get(f"/api/v0/{kind}?detail=true&limit=1000{filters}")
        found = [] if answer is None else answer["data"]["result"]["result"]
        assert isinstance(found, list)
        return found

    def alive(self) -> bool:
        """Whether every node is still there."""
        return self._alive(len(self.processes))

    def titles(self, node: int) -> list[str]:
        """What the processes of a node are called now."""
        found = []
        for process in psutil.Process(self.processes[node].pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                found.append(" ".join(process.cmdline()).strip())
        return found

    def stop(self) -> None:
        """Stop what was started here, and nothing else."""
        running = [process for process in self.processes if process.poll() is None]
        started = [psutil.Process(process.pid) for process in running]
        family = [child for parent in started for child in parent.children(recursive=True)]
        for process in running:
            process.terminate()
        _, left = psutil.wait_procs([*started, *family], timeout=5)
        for survivor in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                survivor.kill()
        psutil.wait_procs(left, timeout=10)
        for process in self.processes:
            process.wait(10)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _alive(self, nodes: int) -> bool:
        for process in self.processes:
            assert process.poll() is None, (self.folder / "nodes.log").read_text()
        states = [node["state"] for node in self.listed("nodes")]
        return states.count("ALIVE") == nodes

    def _start(self, *arguments: str) -> None:
        number = len(self.processes)
        command = [
            sys.executable, "-m", "ray.scripts.scripts", "start", "--block", *arguments,
            "--node-ip-address=127.0.0.1", f"--temp-dir={self.folder / str(number)}",
            "--num-cpus=1", "--num-gpus=0", f"--object-store-memory={80 * 2**20}",
            "--memory=4000000000", "--min-worker-port=0", "--max-worker-port=0",
            "--dashboard-agent-listen-port=0",
            "--disable-usage-stats",
        ]  # fmt: skip
        with (self.folder / "nodes.log").open("ab") as log:
            self.processes.append(
                subprocess.Popen(
                    command,
                    stdout=log,
                    stderr=log,
                    env={**self.environment, "STUDY_STORAGE": str(self.storage)},
                    start_new_session=True,
                )
            )
