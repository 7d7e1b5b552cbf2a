"""A real PostgreSQL server in a temporary directory, on a port of its own.

def test_something(postgres: Postgres) -> None:
    url = postgres.create_database()    # an empty one, for WS_DATABASE_URL
    postgres.kill()                     # as by kill -9; `start` recovers it
    postgres.start()
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path

import psycopg

from service.eventstore import migrate
from tests.ports import free_port

PATIENCE_S = 30.0
UNPRIVILEGED = "nobody"


def binaries() -> Path | None:
    """Return the directory of the newest server that Debian's package has installed."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/postgres")]
    return max(found, key=lambda path: int(path.parent.name), default=None)


class Postgres:
    """A server that listens at 127.0.0.1 and at a unix socket."""

    def __init__(self, directory: Path, *settings: str) -> None:
        """Create the cluster in `directory`; only `start` starts the server, with `settings`."""
        found = binaries()
        assert found is not None, "apt-get install postgresql"
        self._binaries = found
        self._directory = directory
        self._settings = settings
        self._data = directory / "data"
        self._log = directory / "server.log"
        self._port = free_port()
        self._numbers = count(1)
        self._template = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._user = pwd.getpwnam(UNPRIVILEGED) if os.geteuid() == 0 else None
        if self._user is not None:
            # The server refuses to run as root.
            os.chown(directory, self._user.pw_uid, self._user.pw_gid)
        options = ["-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"]
        self._run("initdb", "-D", str(self._data), *options).wait(PATIENCE_S)

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        self._process = self._run(
            "postgres",
            *("-D", str(self._data), "-k", str(self._directory), "-h", "127.0.0.1"),
            *("-p", str(self._port), "-c", "max_connections=100", "-c", "shared_buffers=32MB"),
            # Nothing here outlives a failure of the machine.
            *("-c", "fsync=off"),
            *(option for setting in self._settings for option in ("-c", setting)),
        )
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                self.connect("postgres").close()
            except psycopg.OperationalError:
                assert self._process.poll() is None, self._log.read_text()
                assert time.monotonic() < until, self._log.read_text()
                time.sleep(0.02)
            else:
                return

    def kill(self) -> None:
        """Stop it at once, as by a failure of the machine: it has to recover at the next start."""
        self._stop(signal.SIGQUIT)

    def stop(self) -> None:
        """Stop it in order."""
        self._stop(signal.SIGINT)

    def _stop(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(PATIENCE_S)
            self._process = None

    @property
    def pid(self) -> int:
        """The first of its processes, whose children the others are."""
        assert self._process is not None
        return self._process.pid

    @property
    def port(self) -> int:
        """The port that it listens at."""
        return self._port

    def create_database(self) -> str:
        """Create an empty database; return the URL for the settings."""
        return self._create("template0")

    def create_log(self) -> str:
        """Create a database with an empty log of the newest schema."""
        if not self._template:
            url = self.create_database()
            migrate.upgrade(url)
            self._template = url.rpartition("/")[2]
        return self._create(self._template)

    def copy_of(self, url: str) -> str:
        """Create a copy of a database that nobody is connected to."""
        return self._create(url.rpartition("/")[2])

    def _create(self, template: str) -> str:
        name = f"log{next(self._numbers)}"
        with closing(self.connect("postgres")) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
        return f"postgresql+psycopg://postgres@127.0.0.1:{self._port}/{name}"

    def connect(self, database: str) -> psycopg.Connection[tuple[object, ...]]:
        """Connect to a database by its name."""
        return psycopg.connect(
            host="127.0.0.1", port=self._port, user="postgres", dbname=database, autocommit=True
        )

    def _run(self, command: str, *arguments: str) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [str(self._binaries / command), *arguments],
                cwd=self._directory,
                env={"PATH": os.environ["PATH"], "HOME": str(self._directory)},
                user=None if self._user is None else self._user.pw_uid,
                group=None if self._user is None else self._user.pw_gid,
                extra_groups=None if self._user is None else [],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C is for whoever has started it, who ends it in order.
                process_group=0,
            )


@contextmanager
def running(*settings: str) -> Iterator[Postgres]:
    """Start a server with settings like `fsync=on`; at the end stop it and remove its files."""
    # Not below pytest's own directory, which is closed to the user that the server runs as.
    directory = Path(tempfile.mkdtemp(prefix="ws-postgres-"))
    try:
        server = Postgres(directory, *settings)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(directory)
