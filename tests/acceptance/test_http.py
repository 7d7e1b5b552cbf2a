"""HTTP endpoints other than the WebSocket."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest

from tests.acceptance.service_process import PATIENCE_S, Running, StartService, token


def raw(service: Running, target: str, method: str = "GET") -> tuple[int, bytes]:
    """Ask for a path as it is written; clients tidy it."""
    address = urlsplit(service.url)
    with socket.create_connection((address.hostname, address.port), PATIENCE_S) as connection:
        connection.sendall(
            f"{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
        )
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


async def test_the_page_is_served_with_a_strict_content_security_policy(service: Running) -> None:
    async with aiohttp.ClientSession(service.url) as http:
        for path, type_ in (("/", "text/html"), ("/web/index.html", "text/html")):
            async with http.get(path) as response:
                assert (response.status, response.content_type) == (200, type_)
                policy = response.headers["Content-Security-Policy"]
                assert policy.startswith("default-src 'self'")
                assert "frame-ancestors 'none'" in policy
                assert "Server" not in response.headers
                assert response.headers["X-Content-Type-Options"] == "nosniff"
                # The token is in no URL of a page, and is sent nowhere else.
                assert response.headers["Referrer-Policy"] == "no-referrer"


WEB = Path(__file__).parents[2] / "service" / "web"


async def test_the_files_of_the_pages_and_of_the_client_are_served(service: Running) -> None:
    files = [
        path for part in ("client", "play", "docs", "common") for path in (WEB / part).glob("*.*")
    ]
    async with aiohttp.ClientSession(service.url) as http:
        for path in files:
            async with http.get(f"/web/{path.relative_to(WEB)}", allow_redirects=False) as response:
                assert (response.status, await response.read()) == (200, path.read_bytes())


async def test_the_urls_of_0_1_0_lead_to_the_same_files(service: Running) -> None:
    client = {"client.js", "client.d.ts", "messages.d.ts", "package.json", "README.md"}
    docs = {"docs.html", "docs.js", "docs.css", "docs_schema.js", "icon.svg", "dom.js"}
    play = {"index.html", "style.css", "board.js", "chat.js", "controls.js", "field.js", "game.js"}
    play |= {"games.js", "lobby.js", "main.js", "notices.js", "rooms.js", "session.js"}
    async with aiohttp.ClientSession(service.url) as http:
        for name in client | docs | play:
            (path,) = WEB.glob(f"*/{name}")
            async with http.get(f"/web/{name}") as response:
                assert (response.status, await response.read()) == (200, path.read_bytes())
                # The client is imported by that URL, also where redirects are not followed.
                assert bool(response.history) == (name not in client)


@pytest.mark.parametrize(
    "target",
    [
        "/web/../settings.py",
        "/web/client/../../settings.py",
        "/web/client/..%2f..%2fsettings.py",
        "/web/%2e%2e/edge/auth.py",
        "/web/docs/contract",
        "/web/client",
        "/web/client/",
        "/web/nothing/client.js",
        "/web/play/client.js",
        "/web/..%2fsettings.py",
        "/web/%2e%2e/settings.py",
        "/web/%2e%2e%2fsettings.py",
        "/web/..",
        "/web/",
        "/web/%00",
        "/web/nothing.js",
        "/web//etc/passwd",
        "/web/%2fetc%2fpasswd",
        "/settings.py",
    ],
)
def test_nothing_else_is_served(service: Running, target: str) -> None:
    status, body = raw(service, target)
    assert status in {403, 404}
    assert b"import" not in body
    assert b"root:" not in body


async def test_liveness_and_readiness_are_reported(service: Running) -> None:
    ana = await service.connect(7_000_001, "Ana")
    await ana.sync()
    async with aiohttp.ClientSession(service.url) as http:
        async with http.get("/healthz") as response:
            assert (response.status, await response.json()) == (200, {"status": "alive"})
        async with http.get("/readyz") as response:
            ready = await response.json()
            assert response.status == 200
    assert ready["status"] == "ready"
    assert ready["position"] == ready["head"] > 0


def test_a_plain_get_of_the_socket_path_is_refused(service: Running) -> None:
    status, _ = raw(service, "/ws")
    assert 400 <= status < 500


async def test_handshakes_above_the_rate_of_an_address_are_refused(
    start_service: StartService,
) -> None:
    service = start_service(WS_HANDSHAKES_PER_S_PER_IP="3", WS_TRUSTED_HOPS="1")
    statuses = []
    async with aiohttp.ClientSession(service.ws_url) as http:
        # A window lasts a second; of these at least some come in the same one.
        for number in range(12):
            try:
                forwarded = {"X-Forwarded-For": f"6.6.6.{number}, 203.0.113.9"}
                async with http.ws_connect(f"/?token={token(7)}", headers=forwarded) as tab:
                    statuses.append(101)
                    await tab.receive_json()
            except aiohttp.WSServerHandshakeError as error:
                statuses.append(error.status)
        assert statuses[:3] == [101] * 3
        assert 429 in statuses
        forwarded = {"X-Forwarded-For": "6.6.6.6, 203.0.113.10"}
        async with http.ws_connect(f"/?token={token(8)}", headers=forwarded) as tab:
            assert (await tab.receive_json())["type"] == "welcome"
    # Pages and health are not counted.
    assert [raw(service, "/healthz")[0] for _ in range(12)] == [200] * 12


async def test_a_token_with_invalid_bytes_is_refused(
    service: Running,
) -> None:
    tab = await service.connect(
        greeted=False, additional_headers={"Authorization": "Bearer \xff.\xff.\xff"}
    )
    assert await tab.closed() == (1008, "Invalid or expired token")


@pytest.mark.sqlite
def test_files_are_private_whatever_the_umask(start_service: StartService) -> None:
    before = os.umask(0)
    try:
        service = start_service()
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in service.data_dir.iterdir()}
    assert {"ws-service.db", "ws-service.db-wal"} <= modes.keys()
    assert set(modes.values()) == {0o600}
    assert service.data_dir.stat().st_mode & 0o777 == 0o700
    # Those of an earlier version were not made so.
    service.kill()
    for path in service.data_dir.iterdir():
        path.chmod(0o644)
    service.restart()
    assert {path.stat().st_mode & 0o777 for path in service.data_dir.iterdir()} == {0o600}


def test_a_wildcard_origin_is_warned_of_outside_development(
    service: Running, start_service: StartService
) -> None:
    def warned(running: Running) -> bool:
        return any("WS_ALLOWED_ORIGINS is *" in line["message"] for line in running.logs)

    assert warned(start_service())
    assert not warned(start_service(WS_ALLOWED_ORIGINS="https://play.example.org"))
    assert not warned(service)


async def test_refused_handshakes_are_logged_once_with_a_hint(
    start_service: StartService,
) -> None:
    service = start_service(WS_HANDSHAKES_PER_S_PER_IP="1")
    forwarded = {"X-Forwarded-For": "203.0.113.9"}
    async with aiohttp.ClientSession(service.ws_url) as http:
        for _ in range(12):
            with contextlib.suppress(aiohttp.WSServerHandshakeError):
                await (await http.ws_connect("/", headers=forwarded)).close()
    lines = [line for line in service.logs if line["message"] == "connections refused"]
    assert len(lines) == 1
    assert "WS_TRUSTED_HOPS" in lines[0]["metadata"]["hint"]


async def test_only_unauthenticated_connections_are_capped(start_service: StartService) -> None:
    service = start_service(WS_UNAUTHENTICATED_PER_IP_MAX="3", WS_SOCKETIO_CONNECT_S="60")
    polling = "/socket.io/?EIO=4&transport=polling"
    headers = {"Connection": "close"}

    async def opened(http: aiohttp.ClientSession) -> str:
        async with http.get(polling, headers=headers) as answer:
            return "" if answer.status == 429 else json.loads((await answer.text())[1:])["sid"]

    tabs = [await service.connect(user, str(user)) for user in range(7_400_000, 7_400_006)]
    async with aiohttp.ClientSession(service.url) as http:
        sids = [await opened(http) for _ in range(4)]
        assert [bool(sid) for sid in sids] == [True, True, True, False]
        # With a session it is a stranger no longer, and another one may come.
        url = f"{polling}&sid={sids[0]}"
        connect = "40" + json.dumps({"token": token(7_400_000)})
        async with http.post(url, data=connect, headers=headers) as answer:
            assert answer.status == 200
        async with http.get(url, headers=headers) as answer:
            assert "40{" in await answer.text()
        assert await opened(http)
        assert not await opened(http)
    for tab in tabs:
        await tab.sync()
    # At most a quarter of the connections are silent.
    address = urlsplit(service.url)
    silent = [socket.create_connection((address.hostname, address.port)) for _ in range(4)]
    with contextlib.ExitStack() as stack:
        for one in silent:
            stack.enter_context(one)
        silent[3].settimeout(PATIENCE_S)
        assert b" 429 " in silent[3].recv(1000)
        # Who is in stays in.
        for tab in tabs:
            await tab.sync()
