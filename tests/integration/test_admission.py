"""All doors for new connections wait for their admission, and answer 503 when it is refused."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import jwt
import pytest

from tests.acceptance.service_process import SECRET
from tests.integration.stage import Stage

DOORS = {
    "websocket": "/?token={token}",
    "socket.io websocket": "/socket.io/?EIO=4&transport=websocket&token={token}",
    "socket.io polling": "/socket.io/?EIO=4&transport=polling&token={token}",
}


@contextmanager
def busy(stage: Stage, patch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the service admit nobody."""
    rate = stage.service.http.admission_control._rate  # noqa: SLF001 - how busy it is
    with patch.context() as patched:
        patched.setattr(type(rate), "take", lambda _: False)
        yield


async def ask(stage: Stage, door: str) -> tuple[int, str | None]:
    """Begin a connection; return the status and `Retry-After`."""
    token = jwt.encode({"id": 1}, SECRET)
    url = stage.service.url + DOORS[door].format(token=token)
    if "polling" in door:
        async with stage.http.get(url) as response:
            return response.status, response.headers.get("Retry-After")
    try:
        async with stage.http.ws_connect(url) as ws:
            await ws.receive()
            return 101, None
    except aiohttp.WSServerHandshakeError as error:
        return error.status, dict(error.headers or ()).get("Retry-After")


async def test_a_busy_service_lets_connections_wait_and_refuses_those_that_do_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Stage(tmp_path, WS_ADMISSION_QUEUE_MAX=1) as stage:
        control = stage.service.http.admission_control
        for door in DOORS:
            with busy(stage, monkeypatch):
                waiting = asyncio.create_task(ask(stage, door))
                while len(control) == 0:  # noqa: ASYNC110 - a connection that waits tells nobody
                    await asyncio.sleep(0.001)
                assert await ask(stage, door) == (503, "1"), door
                assert await _probe(stage) == 200, "other requests do not wait"
                assert not waiting.done()
            assert await waiting in {(101, None), (200, None)}, door


async def test_a_service_that_stops_refuses_those_who_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Stage(tmp_path) as stage:
        parts = stage.service.parts
        with busy(stage, monkeypatch):
            waiting = [asyncio.create_task(ask(stage, door)) for door in DOORS]
            while len(stage.service.http.admission_control) < len(DOORS):  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.001)
            parts.endpoint.refuse_new()
            stage.service.http.admission_control.stop()
            assert [status for status, _ in await asyncio.gather(*waiting)] == [503, 503, 503]


async def _probe(stage: Stage) -> int:
    async with stage.http.get(f"{stage.service.url}/healthz") as response:
        return response.status
