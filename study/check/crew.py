"""Processes that measure at the same time, as lanes work at the same time.

On one machine lanes share cores, caches and memory, so what one takes alone says too little. Here
as many processes as there would be workers do the same at once. They are apart for another reason
as well: one that takes too long is ended, and none can take more memory than its share.

They are started by themselves and not forked: this process need not have torch, and theirs has no
state of ours.
"""

from __future__ import annotations

import importlib
import os
import pickle
import resource
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from statistics import fmean
from typing import Any

from study.spec import UserError

START_SECONDS = 120.0
"""How long a process may take until it is there; most of it is importing torch."""

MOST_PROCESSES = 8
"""More lanes than that are measured by so many processes."""

_PROGRAM = """\
import pickle, sys
sys.path[:] = pickle.loads(bytes.fromhex(sys.argv[2]))
from study.check.crew import serve
serve(int(sys.argv[1]))
"""


class TooLong(Exception):
    """A measurement did not end in its time."""


class TooLarge(Exception):
    """A measurement does not fit into its memory."""


@dataclass(frozen=True)
class _Member:
    process: subprocess.Popen[bytes]
    connection: Connection


class Crew:
    """Some processes that do the same at the same time.

    Args:
        size: How many.
        module: What they import when they start, and where the functions are that they call.
        memory: Bytes that each may take beyond what Python and torch do; None for no bound.

    Attributes:
        start_seconds: What the start of a process took of a processor, on average; 0 before any
            has started. Nearly all of it is importing torch.
    """

    def __init__(self, size: int, module: str, memory: float | None = None) -> None:
        self.size = size
        self._module = module
        self._memory = memory
        self.start_seconds = 0.0
        self._members: list[_Member] = []
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed at the exit)

    def __enter__(self) -> Crew:
        self._start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._end()
        self._errors.close()

    def call(self, function: str, *arguments: Any, seconds: float) -> list[Any]:
        """Have every process go through a generator at once; answers what it gave last in each.

        Args:
            function: The generator's name in the module. What it yields is better each time.
            arguments: Its own; they and the result are pickled.
            seconds: How long it may take. Then all processes are ended.

        Raises:
            TooLong: One had nothing by then.
            TooLarge: One had nothing before its memory was used up, or it was killed.
            UserError: The function raised it.
        """
        try:
            if not self._members:
                self._start()
            self._wait_until_up()
            for member in self._members:
                member.connection.send((function, arguments))
            return self._gather(seconds)
        except BaseException:
            self._end()  # others may be at work still; the next call starts anew
            raise

    def _start(self) -> None:
        path = pickle.dumps([os.path.abspath(entry) for entry in sys.path]).hex()
        for _ in range(self.size):
            ours, theirs = socket.socketpair()
            with theirs:
                process = subprocess.Popen(
                    # -P: the folder that we stand in is not searched before all others.
                    [sys.executable, "-P", "-c", _PROGRAM, str(theirs.fileno()), path],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,  # a user's own network may print
                    stderr=self._errors,
                    pass_fds=[theirs.fileno()],
                )
            connection = Connection(ours.detach())
            connection.send((self._module, self._memory))
            self._members.append(_Member(process, connection))
        self._up = False

    def _wait_until_up(self) -> None:
        """Importing torch is not what is measured."""
        if not self._up:
            self.start_seconds = fmean(self._gather(START_SECONDS))
            self._up = True

    def _gather(self, seconds: float) -> list[Any]:
        """The last thing that each process sends until it says that it is done."""
        latest: dict[Connection, Any] = {}
        order = [member.connection for member in self._members]
        waiting, end = [*order], time.monotonic() + seconds
        stopped: Exception | None = None
        while waiting and stopped is None:
            ready = wait(waiting, max(0.0, end - time.monotonic()))
            if not ready:
                stopped = TooLong()
            for connection in ready:
                assert isinstance(connection, Connection)
                try:
                    kind, value = connection.recv()
                except (EOFError, ConnectionResetError):
                    stopped = self._death(connection)
                    break
                match kind:
                    case "so far":
                        latest[connection] = value
                    case "user error":
                        raise UserError(value)
                    case "error":
                        raise RuntimeError(f"a measuring process has failed: {value}")
                    case "memory" if connection not in latest:
                        raise TooLarge(value)
                    case _:  # done, or as far as memory went
                        waiting.remove(connection)
        if stopped is not None:
            self._end()
            if len(latest) < len(order):
                raise stopped
        return [latest[connection] for connection in order]

    def _death(self, connection: Connection) -> TooLarge:
        """Why a process has ended by itself: by a signal if it asked for too much memory.

        Raises:
            RuntimeError: It has failed otherwise: a bug of ours.
        """
        (process,) = (m.process for m in self._members if m.connection is connection)
        code = process.wait()
        if code < 0:
            return TooLarge(f"a process was ended by signal {-code}")
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").splitlines()
        raise RuntimeError(f"a measuring process has failed: {lines[-1] if lines else code}")

    def _end(self) -> None:
        for member in self._members:
            member.connection.close()
            member.process.kill()
        for member in self._members:
            member.process.wait()
        self._members = []


def serve(descriptor: int) -> None:
    """What a process of a crew does: call what it is asked to, until nobody is there to ask."""
    connection = Connection(descriptor)
    name, memory = connection.recv()
    module = importlib.import_module(name)
    if memory is not None:
        _bound_memory(memory)
    connection.send(("so far", time.process_time()))
    connection.send(("done", None))
    while True:
        try:
            function, arguments = connection.recv()
        except (EOFError, ConnectionResetError):
            return
        last: tuple[str, Any] = ("done", None)
        try:
            for value in getattr(module, function)(*arguments):
                connection.send(("so far", value))
        except UserError as error:
            last = ("user error", str(error))
        except MemoryError as error:
            last = ("memory", str(error))
        except Exception as error:
            last = ("error", f"{type(error).__name__}: {error}")
        connection.send(last)


def _bound_memory(more: float) -> None:
    """Let this process take so many bytes beyond what it has."""
    used = _kibibytes("/proc/self/status", "VmData:")
    if used is not None:  # else no Linux: then the foresight of each measurement has to do
        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (int(used + more), most))


def _kibibytes(file: str, name: str) -> float | None:
    """Bytes of an entry in kibibytes of one of Linux's own files; None if there is none."""
    try:
        with open(file, encoding="ascii", errors="replace") as lines:
            return next(1024.0 * int(line.split()[1]) for line in lines if line.startswith(name))
    except (OSError, StopIteration):
        return None


def free_memory() -> float:
    """Bytes that this machine, or the container that we are in, has free."""
    free = _kibibytes("/proc/meminfo", "MemAvailable:") or float("inf")
    try:
        with open("/sys/fs/cgroup/memory.max", encoding="ascii") as file:
            most = float(file.read())  # "max" is no number
        with open("/sys/fs/cgroup/memory.current", encoding="ascii") as file:
            free = min(free, most - float(file.read()))
    except (OSError, ValueError):
        pass
    return free
