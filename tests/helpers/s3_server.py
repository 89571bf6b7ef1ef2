"""An S3 endpoint on the loopback: moto's server, behind a proxy that can be away."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

BUCKET = "bucket"
SECONDS = 120.0
"""How long the server may take to come up. Only ever waited out by a failure."""


class Endpoint:
    """Hands connections on to a server, or closes them at once.

    Attributes:
        away: How many connections are to be closed from now on.
        refused: How many were.
    """

    def __init__(self, server: int) -> None:
        self.away = 0
        self.refused = 0
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def uri(self) -> str:
        """Of the storage."""
        port = self._listener.getsockname()[1]
        return (
            f"s3://{BUCKET}/studies?region=us-east-1&scheme=http&endpoint_override=127.0.0.1:{port}"
        )

    def close(self) -> None:
        """Listen no more."""
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.away > 0:
                self.away -= 1
                self.refused += 1
                client.close()
                continue
            threading.Thread(target=self._hand_on, args=[client], daemon=True).start()

    def _hand_on(self, client: socket.socket) -> None:
        server = socket.create_connection(("127.0.0.1", self._server))
        back = threading.Thread(target=self._copy, args=[server, client], daemon=True)
        back.start()
        self._copy(client, server)
        back.join()
        client.close()
        server.close()

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if self.away > 0:  # also connections that are kept open
                    break
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def s3_endpoint() -> Iterator[Endpoint]:
    """Start the server with an empty bucket, and stop it at the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _make_bucket(server, port)
        endpoint = Endpoint(port)
        yield endpoint
        endpoint.close()
    finally:
        server.kill()
        server.wait()


def _make_bucket(server: subprocess.Popen[bytes], port: int) -> None:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/{BUCKET}", method="PUT")
    end = time.monotonic() + SECONDS
    while True:
        try:
            urllib.request.urlopen(request, timeout=SECONDS).close()
            return
        except urllib.error.URLError:
            assert server.poll() is None, "moto's server does not start"
            assert time.monotonic() < end, "moto's server does not answer"
            time.sleep(0.1)
