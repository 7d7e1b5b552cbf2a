"""A real NATS server in a temporary directory, on a port of its own.

with nats_server.running() as server:
    server.url              # for WS_BUS_URL
    server.freeze()         # as by SIGSTOP; `thaw` lets it go on
    server.kill()           # as by kill -9
    server.start()
"""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.ports import free_port

PATIENCE_S = 30.0


class NatsServer:
    """A server that listens at 127.0.0.1."""

    def __init__(self, directory: Path, *options: str) -> None:
        """Keep its log in `directory`; only `start` starts the server."""
        self._log = directory / "nats.log"
        self._options = options
        self.port = free_port()
        self.url = f"nats://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server, and wait until it accepts connections."""
        command = Path(sys.executable).with_name("nats-server")
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(command), "-a", "127.0.0.1", "-p", str(self.port), *self._options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,
            )
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
            except OSError:
                assert self._process.poll() is None, self._log.read_text()
                assert time.monotonic() < until, self._log.read_text()
                time.sleep(0.01)
            else:
                return

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    def freeze(self) -> None:
        """Stop it: connections stay, and nothing is answered."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once; connections are closed by the system."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(PATIENCE_S)
            self._process = None

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)


@contextmanager
def running(*options: str) -> Iterator[NatsServer]:
    """Start a server with these options; at the end stop it and remove its files."""
    directory = Path(tempfile.mkdtemp(prefix="ws-nats-"))
    server = NatsServer(directory, *options)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(directory)
