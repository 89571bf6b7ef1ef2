"""Which process this is, and whether another one of this machine still exists."""

from __future__ import annotations

import getpass
import os
import socket
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """One process of one machine, as another process of that machine can find it.

    Attributes:
        user: Who started it.
        host: Name of the machine.
        pid: Its number there.
        machine: Tells apart machines of one name, their starts, and containers on one machine;
            empty where the system does not say.
        started: Tells apart processes that had one number; empty where the system does not say.
    """

    user: str
    host: str
    pid: int
    machine: str = ""
    started: str = ""

    def __str__(self) -> str:
        """As people know it."""
        return f"{self.user}@{self.host} (process {self.pid})"


def this_process() -> Process:
    """This one."""
    pid = os.getpid()
    return Process(_user(), socket.gethostname(), pid, _machine(), started(pid))


def exists_here(process: Process) -> bool | None:
    """Whether a process exists on this machine; None where that cannot be said from here."""
    if not process.machine or (process.host, process.machine) != (
        socket.gethostname(),
        _machine(),
    ):
        return None
    return bool(process.started) and started(process.pid) == process.started


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container without names
        return str(os.getuid())


def _machine() -> str:
    """Tells apart starts of machines, and containers; empty where the system does not say."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def started(pid: int) -> str:
    """When a process started, in ticks since the boot; empty if there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    # One that has ended stays in the list until its parent has looked.
    return "" if fields[0] in "ZX" else fields[19]
