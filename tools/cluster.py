"""Run a whole cluster on this machine: `python -m tools.cluster`, and Ctrl-C ends all of it.

Starts PostgreSQL, NATS, three nodes and HAProxy with the configuration of deploy/, which listens
at WS_PORT (4000). Everything is kept in a temporary directory, and forgotten at the end. A node
that ends (`kill -9`) is started again some seconds later, as a supervisor does.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import urlopen

from tests import balancers, nats_server, postgres
from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = ("node1", "node2", "node3")
"""Those of the configuration of HAProxy."""

STARTS_WITHIN_S = 60.0
STOPS_WITHIN_S = 30.0
RESTART_AFTER_S = 5.0
CHECK_S = 0.2


class Node:
    """A process of the service, which is started again when it has ended."""

    def __init__(self, name: str, directory: Path, settings: dict[str, str]) -> None:
        """Keep its log lines and its data in `directory`; only `start` starts it."""
        self.name = name
        self.port = free_port()
        self.log = directory / f"{name}.log"
        self._settings = settings | {
            "WS_NODE": name,
            "WS_PORT": str(self.port),
            "WS_DATA_DIR": str(directory / name),
        }
        self._process: subprocess.Popen[bytes]
        self._ended_at: float | None = None

    def start(self) -> None:
        """Start the process; it is not ready yet."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "service", "serve", "--dev"],
                env=os.environ | self._settings,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C is for the tool, which ends the others in order.
                process_group=0,
            )
        self._ended_at = None

    def wait_until_ready(self) -> None:
        """Wait until it takes part in the cluster."""
        until = time.monotonic() + STARTS_WITHIN_S
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > until:
                raise SystemExit(f"{self.name} does not start:\n{self.log.read_text()}")
            time.sleep(0.05)
        say(f"{self.name}: http://127.0.0.1:{self.port} (process {self._process.pid})")

    def look_after(self) -> None:
        """Start the process again some time after it has ended."""
        now = time.monotonic()
        if self._process.poll() is None:
            return
        if self._ended_at is None:
            self._ended_at = now
            say(f"{self.name} has ended; it is started again in {RESTART_AFTER_S:.0f} s")
        elif now - self._ended_at >= RESTART_AFTER_S:
            self.start()
            say(f"{self.name} is started again (process {self._process.pid})")

    def stop(self) -> None:
        """End the process."""
        self._process.terminate()
        try:
            self._process.wait(STOPS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _is_ready(self) -> bool:
        try:
            with urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5):
                return True
        except (URLError, OSError):
            return False


@contextmanager
def nodes_running(directory: Path, settings: dict[str, str]) -> Iterator[list[Node]]:
    """Run the nodes with these settings; at the end stop all of them at the same time."""
    nodes = [Node(name, directory, settings) for name in NAMES]
    with ThreadPoolExecutor(len(nodes)) as threads:
        for node in nodes:
            node.start()
        try:
            list(threads.map(Node.wait_until_ready, nodes))
            yield nodes
        finally:
            stop_all(nodes)


def stop_all(nodes: list[Node]) -> None:
    """Stop all nodes at the same time."""
    with ThreadPoolExecutor(len(nodes)) as threads:
        list(threads.map(Node.stop, nodes))


def say(line: str) -> None:
    """Print a line of progress."""
    print(line, flush=True)


def check_packages() -> None:
    """End with what to install, if something is missing."""
    missing = [
        *(() if postgres.binaries() else ("postgresql",)),
        *(() if Path(balancers.HAPROXY).exists() else ("haproxy",)),
    ]
    if missing:
        raise SystemExit(
            f"This needs more of Debian's packages: apt-get install {' '.join(missing)}"
        )


def chosen_port() -> int:
    """Return the port of the balancer; end with what to do, if it can't be used."""
    given = os.environ.get("WS_PORT") or "4000"
    try:
        port = int(given)
        with socket.socket() as probe:
            # As HAProxy does: an earlier listener may have connections that are still closing.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
    except (ValueError, OverflowError):
        raise SystemExit(f"WS_PORT={given} is no port: give a number up to 65535") from None
    except OSError as error:
        raise SystemExit(
            f"The port {given} can't be used ({error.strerror}): end what listens there, or choose "
            f"another one, as by WS_PORT={port + 1} make cluster"
        ) from None
    return port


def run(stack: ExitStack, port: int) -> None:
    """Start everything, and look after it for ever."""
    directory = Path(tempfile.mkdtemp(prefix="ws-cluster-"))
    stack.callback(shutil.rmtree, directory)
    say("starting PostgreSQL ...")
    database = stack.enter_context(postgres.running()).create_log()
    say("starting NATS ...")
    bus = stack.enter_context(nats_server.running()).url
    say(f"starting {', '.join(NAMES)} ...")
    settings = {
        "WS_DATABASE_URL": database,
        "WS_BUS_URL": bus,
        "WS_HOST": "127.0.0.1",
        "WS_TRUSTED_HOPS": "1",
        # All clients come from one address.
        "WS_HANDSHAKES_PER_S_PER_IP": "0",
        "WS_REQUESTS_PER_S_PER_IP": "0",
        "JWT_SECRET": os.environ.get("JWT_SECRET") or secrets.token_urlsafe(32),
    }
    file = directory / "settings.env"
    file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    nodes = stack.enter_context(nodes_running(directory, settings))
    say("starting HAProxy ...")
    addresses = {node.name: f"127.0.0.1:{node.port}" for node in nodes}
    url = stack.enter_context(balancers.haproxy(addresses, port))
    # Before the balancer ends: it carries the farewell of the nodes.
    stack.callback(stop_all, nodes)
    say(f"logs: {directory}/node*.log")
    say(f"what they tell of themselves: env $(cat {file}) {sys.executable} -m service nodes")
    say(f"open {url} in two browsers, and end all of it with Ctrl-C")
    while True:
        for node in nodes:
            node.look_after()
        time.sleep(CHECK_S)


def main() -> None:
    """Run the cluster until a signal comes."""
    check_packages()
    port = chosen_port()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    with ExitStack() as stack:
        try:
            run(stack, port)
        except KeyboardInterrupt:
            # Another one must not leave processes behind.
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            say("\nstopping ...")


if __name__ == "__main__":
    main()
