"""Socket.IO at packet level: the limits of plain sockets apply."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any, Self

import aiohttp
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.acceptance.service_process import (
    PATIENCE_S,
    Running,
    StartService,
    fresh_id,
    make_token,
    of_type,
    token,
)
from tests.acceptance.test_metrics import samples

PATH = "/socket.io/?EIO=4&transport="


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


class Polls:
    """One connection by polling."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http = http
        self.url = url

    @classmethod
    async def open(cls, http: aiohttp.ClientSession, service: Running) -> Self:
        url = f"{service.url}{PATH}polling"
        async with http.get(url) as answer:
            sid = json.loads((await answer.text())[1:])["sid"]
        return cls(http, f"{url}&sid={sid}")

    async def post(self, body: str | bytes) -> int:
        async with self._http.post(self.url, data=body) as answer:
            return answer.status

    async def get(self) -> list[str]:
        async with self._http.get(self.url) as answer:
            if answer.status != 200:
                raise ConnectionError(await answer.text())
            return (await answer.text()).split("\x1e")

    async def until(self, begin: str) -> str:
        """Poll until a packet comes that begins so."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for packet in await self.get():
                    if packet.startswith(begin):
                        return packet

    async def greeted(self, user: int, name: str = "Ana") -> Self:
        await self.post(hello(token(user, name)))
        await self.until('42["user:list"')
        return self

    async def closed(self) -> None:
        """Poll until the connection is no more."""
        with pytest.raises(ConnectionError):
            await self.until("never")


def hello(token_: str) -> str:
    return f"40{json.dumps({'token': token_})}"


async def opened(service: Running, **options: Any) -> ClientConnection:
    """Open a connection over a WebSocket, and read its first packet."""
    ws = await connect(f"{service.ws_url}{PATH}websocket", proxy=None, **options)
    assert str(await ws.recv()).startswith("0")
    return ws


async def greeted(service: Running, user: int, name: str = "Ana") -> ClientConnection:
    ws = await opened(service)
    await ws.send(hello(token(user, name)))
    await until(ws, '42["user:list"')
    return ws


async def until(ws: ClientConnection, begin: str) -> str:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            packet = str(await ws.recv())
            if packet.startswith(begin):
                return packet


async def closed(ws: ClientConnection) -> tuple[int | None, str | None]:
    with pytest.raises(ConnectionClosed):
        await until(ws, "never")
    return ws.close_code, ws.close_reason


async def test_a_message_that_is_too_long_closes_the_connection(
    service: Running, http: aiohttp.ClientSession
) -> None:
    ws = await greeted(service, fresh_id())
    await ws.send("4" + "x" * 70_000)
    assert (await closed(ws))[0] == 1009
    polls = await (await Polls.open(http, service)).greeted(fresh_id())
    assert await polls.post("4" + "x" * 70_000) == 413
    await polls.closed()


async def test_a_non_text_post_is_refused(service: Running, http: aiohttp.ClientSession) -> None:
    polls = await Polls.open(http, service)
    assert await polls.post(b"4\xff\xfe") == 400
    await polls.closed()


async def test_socketio_connections_count_against_the_address_limit(
    start_service: StartService, http: aiohttp.ClientSession
) -> None:
    service = start_service(WS_HANDSHAKES_PER_S_PER_IP="1")

    async def hurry() -> None:
        while True:
            (await opened(service)).transport.abort()

    with pytest.raises(InvalidStatus) as refused:
        await hurry()
    assert refused.value.response.status_code == 429
    async with asyncio.timeout(PATIENCE_S):
        while True:
            async with http.get(f"{service.url}{PATH}polling") as answer:
                if answer.status == 429:
                    break


async def test_each_further_session_of_a_connection_counts_as_a_handshake(
    start_service: StartService,
) -> None:
    service = start_service(WS_HANDSHAKES_PER_S_PER_IP="5")
    ws = await opened(service)
    try:
        for _ in range(100):
            await ws.send(hello("nonsense"))
            assert "Invalid or expired token" in await until(ws, "44")
    except ConnectionClosed:
        assert ws.close_code == 4013
    else:
        pytest.fail("it may guess for ever")


async def test_packets_outside_a_session_are_rate_limited(service: Running) -> None:
    ws = await opened(service)
    with contextlib.suppress(ConnectionClosed):
        for _ in range(1000):
            await ws.send("40/random,")
    assert (await closed(ws))[0] == 4013


async def test_a_page_of_another_origin_can_neither_connect_nor_poll(
    start_service: StartService, http: aiohttp.ClientSession
) -> None:
    service = start_service(WS_ALLOWED_ORIGINS="https://play.example.org")
    ws = await opened(service, origin="https://evil.example.org")
    await ws.send(hello(token(1, "Ana")))
    assert json.loads((await until(ws, "44"))[2:]) == {
        "message": "Origin not allowed",
        "data": {"code": 1008},
    }
    for origin, allowed in (
        ("https://play.example.org", True),
        ("https://evil.example.org", False),
    ):
        for method in ("GET", "OPTIONS", "PUT"):
            headers = {"Origin": origin}
            url = f"{service.url}{PATH}polling"
            async with http.request(method, url, headers=headers) as answer:
                permission = answer.headers.get("Access-Control-Allow-Origin")
                assert permission == (origin if allowed else None)


async def test_a_client_that_does_not_poll_is_closed_at_the_backlog_limit(
    start_service: StartService, http: aiohttp.ClientSession
) -> None:
    service = start_service(WS_SLOW_BYTES="1024", WS_SLOW_BYTES_MAX="4096", WS_PRESENCE_GRACE_S="0")
    ana = await service.connect(1, "Ana")
    polls = await (await Polls.open(http, service)).greeted(2, "Slow")
    friends = [f"friend-{number}" for number in range(100)]
    event = f"42{json.dumps(['friends:subscribe', {'friendIds': friends}])}"
    await polls.post("\x1e".join([event] * 10))
    await ana.expect("user:offline", userId=2)
    await polls.closed()
    (dropped,) = [one for one in service.logs if one["message"] == "slow client dropped"]
    assert dropped["metadata"]["reason"] == "too much unread"


async def test_an_unauthenticated_client_has_the_same_backlog_limit(
    start_service: StartService, http: aiohttp.ClientSession
) -> None:
    service = start_service(WS_SLOW_BYTES="1024", WS_SLOW_BYTES_MAX="4096")
    polls = await Polls.open(http, service)
    answers = [await polls.post(f"40/{'x' * 3000},") for _ in range(4)]
    assert answers == [200, 200, 200, 400]
    await polls.closed()


async def test_a_stalled_polling_client_is_closed(
    start_service: StartService, http: aiohttp.ClientSession
) -> None:
    service = start_service(WS_SLOW_STALL_S="1", WS_PRESENCE_GRACE_S="0")
    ana = await service.connect(1, "Ana")
    polls = await (await Polls.open(http, service)).greeted(2, "Slow")
    await polls.post('42["lobby:join"]')
    await ana.expect("user:offline", userId=2)
    await polls.closed()


async def test_a_disconnect_during_a_poll_is_noticed(
    start_service: StartService, http: aiohttp.ClientSession
) -> None:
    service = start_service(WS_PRESENCE_GRACE_S="0")
    ana = await service.connect(1, "Ana")
    polls = await (await Polls.open(http, service)).greeted(2, "Ben")
    host, port = service.url.removeprefix("http://").split(":")
    path = polls.url.removeprefix(service.url)
    async with asyncio.timeout(PATIENCE_S):
        while True:
            _, writer = await asyncio.open_connection(host, int(port))
            writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            await writer.drain()
            writer.close()
            await writer.wait_closed()
            # What is then said to everybody is said to nobody there.
            await service.connect(fresh_id(), "Eve")
            if any(one["userId"] == 2 for one in of_type(await ana.sync(), "user:offline")):
                break


async def test_a_revoked_client_is_disconnected_and_refused(
    start_service: StartService, http: aiohttp.ClientSession
) -> None:
    service = start_service()
    ws = await greeted(service, 1)
    polls = await (await Polls.open(http, service)).greeted(1)
    admin = {"Authorization": f"Bearer {make_token({'scope': 'admin'})}"}
    url = f"{service.url}/api/v1/sessions?user=1"
    async with http.delete(url, headers=admin) as answer:
        assert answer.status < 300, await answer.text()
    assert await until(ws, "41") == "41"
    assert await polls.until("41") == "41"
    await ws.send(hello(make_token({"id": 1, "iat": 1})))
    assert json.loads((await until(ws, "44"))[2:]) == {
        "message": "Revoked",
        "data": {"code": 4503},
    }


async def test_a_stopping_service_closes_every_socketio_connection(
    start_service: StartService, http: aiohttp.ClientSession
) -> None:
    # No list comes while the polls wait, or one of them would be between two polls at the end.
    service = start_service(WS_USER_LIST_INTERVAL_MS="60000")
    ws, nobody = await greeted(service, 1), await opened(service)
    polls = await (await Polls.open(http, service)).greeted(2)
    others = await Polls.open(http, service)
    ends = [asyncio.create_task(one.until("1")) for one in (polls, others)]
    # Both polls wait before the service is stopped, also when the greeting left something over.
    for _ in range(20):
        async with http.get(f"{service.url}/healthz") as answer:
            await answer.read()
    assert await service.terminate() == 0
    assert await closed(ws) == (4001, "Server is restarting")
    assert await closed(nobody) == (4001, "Server is restarting")
    assert await asyncio.gather(*ends) == ["1", "1"]


async def test_ack_ids_of_different_connections_are_independent(
    service: Running,
) -> None:
    user = fresh_id()
    answers = []
    for _ in range(2):
        ws = await greeted(service, user)
        await ws.send('420["matchmaking:join",{"game":"connect_four"}]')
        answers.append(await until(ws, "430"))
        await ws.send('421["matchmaking:leave",{"game":"connect_four"}]')
        await until(ws, "431")
        await ws.close()
    assert answers[0] != answers[1]


async def test_socketio_sockets_and_messages_appear_in_the_metrics(
    start_service: StartService,
) -> None:
    service = start_service()
    ws = await greeted(service, 1)
    await ws.send('420["lobby:join"]')
    await until(ws, "430")
    await ws.send('421["invite",{"to":1}]')
    await until(ws, "431")
    counts = await samples(service)
    assert counts["ws_sockets_open"] == 1
    assert counts["ws_messages_received_total,type=lobby:join"] == 1
    assert counts["ws_messages_sent_total,type=welcome"] == 1
    assert counts["ws_messages_sent_total,type=ack"] >= 1
    assert counts["ws_messages_refused_total,code=SELF_INVITE"] == 1
