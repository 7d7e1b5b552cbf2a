"""HAProxy and nginx, with the configurations of deploy/, before nodes and before the service."""

from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests import balancers
from tests.acceptance.service_process import PATIENCE_S, Client, Running, token

pytestmark = pytest.mark.balancers

NAMES = ("node1", "node2", "node3")
LOOK_AGAIN_S = 0.05


class Node:
    """What a balancer sees of a node: readiness, a WebSocket, and answers that name it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_ready = True
        self.address = ""
        self.sockets = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Node]:
        """Listen at an address of its own."""
        app = web.Application()
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/", self._socket)
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.address = "{}:{}".format(*runner.addresses[0][:2])
        try:
            yield self
        finally:
            await runner.cleanup()

    async def _readyz(self, _request: web.Request) -> web.Response:
        return web.Response(status=200 if self.is_ready else 503)

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        if not self.is_ready:
            return web.Response(status=503, text=self.name)
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        self.sockets += 1
        await ws.send_str(self.name)
        async for message in ws:
            await ws.send_str(message.data)
        return ws

    async def _answer(self, request: web.Request) -> web.Response:
        found = {"node": self.name, "forwarded": request.headers.get("X-Forwarded-For")}
        return web.json_response(found)


@pytest.fixture
async def nodes() -> AsyncIterator[dict[str, Node]]:
    """Three nodes."""
    async with AsyncExitStack() as stack:
        yield {name: await stack.enter_async_context(Node(name).running()) for name in NAMES}


def addresses(nodes: dict[str, Node]) -> dict[str, str]:
    return {name: node.address for name, node in nodes.items()}


@pytest.fixture(params=["haproxy", "nginx"])
def url(request: pytest.FixtureRequest, nodes: dict[str, Node], tmp_path: Path) -> Iterator[str]:
    """The URL of a balancer before them."""
    if request.param == "haproxy":
        with balancers.haproxy(addresses(nodes)) as found:
            yield found
    else:
        with balancers.nginx(addresses(nodes), tmp_path) as found:
            yield found


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A client that takes any certificate."""
    trusting = ssl.create_default_context()
    trusting.check_hostname = False
    trusting.verify_mode = ssl.CERT_NONE
    connector = aiohttp.TCPConnector(ssl=trusting)
    async with aiohttp.ClientSession(connector=connector) as session:
        yield session


async def ask(http: aiohttp.ClientSession, url: str, **options: Any) -> dict[str, Any]:
    async with http.get(url, **options) as answer:
        assert answer.status == 200, await answer.text()
        found: dict[str, Any] = await answer.json()
        return found


async def test_sockets_are_spread_over_the_nodes_and_stay_open(
    url: str, nodes: dict[str, Node], http: aiohttp.ClientSession
) -> None:
    sockets = [await http.ws_connect(url) for _ in range(6)]
    for socket in sockets:
        name = await socket.receive_str()
        assert name in NAMES
        await socket.send_str("hello")
        assert await socket.receive_str() == "hello"
    assert [node.sockets for node in nodes.values()] == [2, 2, 2]
    for socket in sockets:
        await socket.close()


async def test_polls_of_one_connection_go_to_the_node_that_its_session_id_names(
    url: str, http: aiohttp.ClientSession
) -> None:
    for name in NAMES * 3:
        for query in (f"transport=polling&sid={name}.J7d-q_x", f"sid={name}.a&t=1"):
            assert (await ask(http, f"{url}/socket.io/?EIO=4&{query}"))["node"] == name
    begun = {(await ask(http, f"{url}/socket.io/?EIO=4&transport=polling"))["node"] for _ in "123"}
    assert len(begun) > 1
    # A node that there is no more: some other one says that the session is unknown.
    assert (await ask(http, f"{url}/socket.io/?EIO=4&sid=node9.a"))["node"] in NAMES


async def test_the_address_of_the_client_is_appended(url: str, http: aiohttp.ClientSession) -> None:
    headers = {"X-Forwarded-For": "203.0.113.9"}
    async with http.get(f"{url}/api/v1/matches", headers=headers) as answer:
        found = await answer.json()
    # HAProxy appends a header, of which aiohttp shows the first here; the service reads both.
    assert found["forwarded"] in {"203.0.113.9", "203.0.113.9, 127.0.0.1"}


async def test_probes_and_metrics_are_not_public(url: str, http: aiohttp.ClientSession) -> None:
    for path in ("metrics", "readyz", "healthz"):
        async with http.get(f"{url}/{path}") as answer:
            assert answer.status == 404


async def test_a_node_that_drains_gets_no_new_sockets_and_keeps_the_others(
    url: str, nodes: dict[str, Node], http: aiohttp.ClientSession
) -> None:
    sockets: dict[str, aiohttp.ClientWebSocketResponse] = {}
    while len(sockets) < 3:
        socket = await http.ws_connect(url)
        sockets[await socket.receive_str()] = socket
    nodes["node2"].is_ready = False
    async with asyncio.timeout(PATIENCE_S):
        # HAProxy needs two checks to notice; nginx tries the next node at once.
        while True:
            names = set()
            for _ in range(6):
                try:
                    async with http.ws_connect(url) as other:
                        names.add(await other.receive_str())
                except aiohttp.WSServerHandshakeError as refused:
                    assert refused.status == 503  # noqa: PT017 - both outcomes are good
                    names.add("node2")
            if names == {"node1", "node3"}:
                break
            await asyncio.sleep(LOOK_AGAIN_S)
    await sockets["node2"].send_str("still here")
    assert await sockets["node2"].receive_str() == "still here"
    for socket in sockets.values():
        await socket.close()


async def test_a_node_that_is_gone_costs_no_request(
    nodes: dict[str, Node], http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    there = addresses(nodes) | {"node3": balancers.NOWHERE}
    with balancers.haproxy(there) as one, balancers.nginx(there, tmp_path) as other:
        for url in (one, other):
            found = {(await ask(http, f"{url}/api/v1/matches"))["node"] for _ in range(9)}
            assert found == {"node1", "node2"}


def test_haproxy_accepts_its_configuration_without_a_warning() -> None:
    environment = balancers.haproxy_environment({}, "127.0.0.1:4000")
    command = [balancers.HAPROXY, "-c", "-f", str(balancers.HAPROXY_FILE)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "Configuration file is valid\n"), done.stderr
    assert "WARNING" not in done.stderr


def test_nginx_accepts_its_configuration(tmp_path: Path) -> None:
    file = balancers.nginx_configuration({}, tmp_path, 8443)
    command = [balancers.NGINX, "-t", "-p", str(tmp_path), "-c", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "[warn]" not in done.stderr


async def test_socketio_polls_of_real_nodes_reach_the_one_that_has_the_connection(
    tmp_path: Path,
) -> None:
    services = [
        Running(tmp_path / name, {"WS_TRUSTED_HOPS": "1", "WS_NODE": name}, dev=False)
        for name in ("node1", "node2")
    ]
    try:
        for service in services:
            service.start()
        nodes = {one.settings["WS_NODE"]: one.url.removeprefix("http://") for one in services}
        with balancers.haproxy(nodes) as url:
            async with aiohttp.ClientSession() as http:
                for user in range(1, 5):
                    assert (await polled(http, url, user)).split(".")[0] in nodes
            services[0].url, direct = url, services[0].url
            ana: Client = await services[0].connect(7, "Ana")
            await ana.sync()
            await ana.close()
            services[0].url = direct
    finally:
        for service in services:
            service.stop()


async def polled(http: aiohttp.ClientSession, url: str, user: int) -> str:
    """Open a session by polling; return the id of the connection."""
    query = f"{url}/socket.io/?EIO=4&transport=polling"
    async with http.get(query) as answer:
        sid: str = json.loads((await answer.text())[1:])["sid"]
    packet = "40" + json.dumps({"token": token(user, "Ben")})
    async with http.post(f"{query}&sid={sid}", data=packet) as answer:
        assert await answer.text() == "ok"
    async with http.get(f"{query}&sid={sid}") as answer:
        assert (await answer.text()).startswith("40")
    return sid
