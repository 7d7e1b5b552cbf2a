"""The contenders: the service and its peers, how they are started, and their wire formats."""

from __future__ import annotations

import platform
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import jwt

from benchmarks.generator import compiled, text
from benchmarks.interpreters import service_python
from benchmarks.processes import START_TIMEOUT_S, BenchmarkError, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from benchmarks.processes import Server

HERE = Path(__file__).parent / "peers"
ROOT = Path(__file__).parent.parent

SECRET = "a-secret-of-the-benchmarks-of-forty-bytes"  # noqa: S105 - it guards nothing
TOKEN_TTL_S = 24 * 3600

V1_HEADER = "Sec-WebSocket-Protocol: ws-service.v1"

SERVICE_SETTINGS = {
    "WS_PORT": "0",
    "WS_LOG_FORMAT": "ecs",
    # The whole load comes from one address, and one sender represents many.
    "WS_HANDSHAKES_PER_S_PER_IP": "0",
    "WS_UNAUTHENTICATED_PER_IP_MAX": "0",
    "WS_MESSAGES_PER_S": "100000",
    "WS_MESSAGES_BURST": "1000000",
    "WS_SIGNAL_BYTES_PER_S": "1000000000",
    "WS_SIGNAL_BYTES_BURST": "1000000000",
    "WS_LOGGED_BYTES_PER_S": "1000000000",
    "WS_LOGGED_BYTES_BURST": "1000000000",
    "WS_ROOMS_MADE_BURST": "1000000",
    "WS_INVITES_BURST": "1000000",
    "WS_MATCH_DURATION_S": "3600",
}


class Dialect(Protocol):
    """The wire format of a server."""

    greeting: Sequence[str]
    """The script that every connection runs first."""

    def target(self, token: str) -> str:
        """Return the path and query for a user's connection."""

    def write(self, message: dict[str, Any]) -> str:
        """Encode a message to the server."""

    def part(self, type_: str) -> str:
        """Return a text that every message of this type from the server contains."""


class Json:
    """JSON text frames of the classic contract."""

    greeting: Sequence[str] = ('await "type":"welcome"',)

    def target(self, token: str) -> str:
        """Pass the token in the query."""
        return f"/?token={token}"

    def write(self, message: dict[str, Any]) -> str:
        """Encode a flat object."""
        return text(message)

    def part(self, type_: str) -> str:
        """Return the encoded type."""
        return f'"type":"{type_}"'


class SocketIo:
    """Events of Socket.IO 5 over Engine.IO 4, without polling first."""

    greeting: Sequence[str] = ("await 0{", "send 40", "await 40{")

    def target(self, token: str) -> str:
        """Pass the token in the query."""
        return f"/socket.io/?EIO=4&transport=websocket&token={token}"

    def write(self, message: dict[str, Any]) -> str:
        """Encode an event with one argument."""
        fields = {name: value for name, value in message.items() if name != "type"}
        return "42" + text([message["type"], fields])

    def part(self, type_: str) -> str:
        """Return the encoded name of the event."""
        return f'42["{type_}"'


@dataclass(frozen=True)
class Contender:
    """A server that is measured."""

    name: str
    command: Callable[[], Sequence[str]]
    settings: Mapping[str, str] = field(default_factory=dict)
    dialect: Dialect = field(default_factory=Json)
    is_floor: bool = False
    """Whether it has neither users nor rooms, and only shows the limit of the machine."""

    @contextmanager
    def started(
        self, settings: Mapping[str, str] | None = None, patience_s: float = START_TIMEOUT_S
    ) -> Iterator[Server]:
        """Run the server, by default with a new data directory."""
        with tempfile.TemporaryDirectory(prefix="ws-bench-") as data:
            given = {"JWT_SECRET": SECRET, **self.settings, **(settings or {})}
            given.setdefault("WS_DATA_DIR", data)
            with running(self.command(), given, ROOT, patience_s) as server:
                yield server


def token(user: int) -> str:
    """Sign a token of a user, as the auth service does."""
    claims = {"id": user, "name": f"User {user}", "exp": int(time.time()) + TOKEN_TTL_S}
    return jwt.encode(claims, SECRET, algorithm="HS256")


def newest_node() -> Path:
    """Return the Node that is installed with the peers."""
    machine = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return HERE / f"node_modules/node-linux-{machine}/bin/node"


def bun() -> Path | None:
    """Return the Bun that is installed with the peers; None if there is none for this machine."""
    machine = {"x86_64": "x64", "arm64": "aarch64"}.get(platform.machine(), platform.machine())
    found = HERE / f"node_modules/@oven/bun-linux-{machine}/bin/bun"
    return found if found.exists() else None


def system_node() -> Path | None:
    """Return the Node of the system."""
    found = shutil.which("node")
    return None if found is None else Path(found)


def version_of(node: Path) -> str:
    """Return the version of a Node, such as `20.20.2`."""
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=True)
    return answer.stdout.strip().removeprefix("v")


def prepare() -> None:
    """Install the packages of the peers from their lockfile if they are missing."""
    lockfile, installed = HERE / "package-lock.json", HERE / "node_modules/.package-lock.json"
    if installed.exists() and installed.stat().st_mtime >= lockfile.stat().st_mtime:
        return
    npm = shutil.which("npm")
    if npm is None:
        raise BenchmarkError("npm is missing: the peers need it")
    subprocess.run([npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=HERE, check=True)
    installed.touch()


def _script(node: Callable[[], Path | None], name: str) -> Callable[[], list[str]]:
    return lambda: [str(node()), str(HERE / name)]


def _floor(name: str, sender: str) -> Contender:
    sources = HERE / sender, HERE / "floor.c"
    return Contender(name, lambda: [str(compiled(*sources))], is_floor=True)


SERVICE = Contender(
    "ws-service", lambda: [str(service_python()), "-m", "service", "serve"], SERVICE_SETTINGS
)
SERVICE_IN_PYTHON = replace(
    SERVICE,
    name="ws-service, wire in Python",
    settings={**SERVICE_SETTINGS, "WS_WIRE": "python"},
)
FASTIFY = Contender(
    "Fastify + ws, newest Node",
    _script(newest_node, "fastify_ws.mjs"),
    {"MATCH_DURATION_S": "3600", "NODE_ENV": "production"},
)
FASTIFY_SYSTEM = Contender(
    "Fastify + ws, system Node",
    _script(system_node, "fastify_ws.mjs"),
    {"MATCH_DURATION_S": "3600", "NODE_ENV": "production"},
)
FASTIFY_SILENT = Contender(
    "Fastify + ws, no user lists",
    _script(newest_node, "fastify_ws.mjs"),
    {"USER_LISTS": "0", "NODE_ENV": "production"},
)
SOCKET_IO = Contender(
    "socket.io, newest Node",
    _script(newest_node, "socketio.mjs"),
    {"NODE_ENV": "production"},
    SocketIo(),
)
BUN = Contender("Bun, uWebSockets", _script(bun, "bun_ws.mjs"))
AIOHTTP = Contender(
    "aiohttp, send_str", lambda: [str(service_python()), str(HERE / "aiohttp_peer.py")]
)
SEND_LOOP = _floor("C, a send each", "send_loop.c")
SEND_RING = _floor("C, one io_uring_enter", "send_ring.c")
