"""Players of the classic contract and of Socket.IO, who connect again after a disconnection."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self
from urllib.parse import quote

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from tests.acceptance.service_process import token
from tests.cluster.frame_gaps import PATIENCE_S

RETRY_S = 0.2


class Rejoining:
    """A player of the classic contract: plain messages, and nothing is resumed."""

    kind = "classic"

    def __init__(self, url: str, user: int) -> None:
        """Connect to `url` within the `async with` block."""
        self.user = user
        self.room: str | None = None
        """The room of their match, which they join again."""
        self.away_s: list[float] = []
        """How long each disconnection took, up to the next state of the match."""
        self.seen: list[dict[str, Any]] = []
        """All messages but states."""
        self._url = url.replace("http", "ws", 1)
        self._token = token(user, f"P{user}")
        self._left_at: float | None = None
        self._news = asyncio.Condition()
        self._connection: ClientConnection

    async def __aenter__(self) -> Self:
        """Connect."""
        await self._connect()
        self._running = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *error: object) -> None:
        """Disconnect."""
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
        await self._connection.close()

    @property
    def is_away(self) -> bool:
        """Whether they were disconnected and have not seen their match since."""
        return self._left_at is not None

    async def send(self, type_: str, **fields: Any) -> None:
        """Send a message."""
        await self._connection.send(self._encode(type_, fields))

    async def expect(self, type_: str, **fields: Any) -> dict[str, Any]:
        """Wait for a message, which may have come before."""

        def found() -> list[dict[str, Any]]:
            return [
                one for one in self.seen if one["type"] == type_ and fields.items() <= one.items()
            ]

        await self.wait_until(lambda: bool(found()))
        return found()[0]

    async def returned(self) -> None:
        """Wait until they see their match, after a disconnection if there was one."""
        await self.wait_until(lambda: not self.is_away)

    async def wait_until(self, is_so: Callable[[], bool]) -> None:
        """Wait until a message makes something so."""
        async with asyncio.timeout(PATIENCE_S), self._news:
            await self._news.wait_for(is_so)

    async def _run(self) -> None:
        while True:
            with suppress(ConnectionClosed):
                while True:
                    await self._take(str(await self._connection.recv()))
            self._left_at = self._left_at or time.monotonic()
            await self._return()

    async def _return(self) -> None:
        while True:
            await asyncio.sleep(RETRY_S)
            with suppress(OSError, InvalidHandshake, ConnectionClosed, TimeoutError):
                await self._connect()
                if self.room is not None:
                    await self.send("game:join", roomId=self.room)
                return

    async def _take(self, frame: str) -> None:
        message = await self._decode(frame)
        if message is None:
            return
        if message["type"] == "game:update":
            if self._left_at is not None:
                self.away_s.append(time.monotonic() - self._left_at)
                self._left_at = None
        else:
            self.seen.append(message)
        async with self._news:
            self._news.notify_all()

    # What the dialects do in their own way

    async def _connect(self) -> None:
        self._connection = await connect(f"{self._url}/?token={quote(self._token)}", proxy=None)

    def _encode(self, type_: str, fields: dict[str, Any]) -> str:
        return json.dumps({"type": type_, **fields})

    async def _decode(self, frame: str) -> dict[str, Any] | None:
        return dict(json.loads(frame))


class RejoiningBySocketIo(Rejoining):
    """The same by Socket.IO, over a WebSocket."""

    kind = "Socket.IO"

    async def _connect(self) -> None:
        url = f"{self._url}/socket.io/?EIO=4&transport=websocket"
        self._connection = await connect(url, proxy=None)
        await self._connection.send(f"40{json.dumps({'token': self._token})}")
        while not str(await self._connection.recv()).startswith("40"):
            pass

    def _encode(self, type_: str, fields: dict[str, Any]) -> str:
        return f"42{json.dumps([type_, fields])}"

    async def _decode(self, frame: str) -> dict[str, Any] | None:
        if frame == "2":
            await self._connection.send("3")
        if not frame.startswith("42"):
            return None
        type_, fields = json.loads(frame[2:])
        return {"type": type_, **fields}


async def begin_classic_match(one: Rejoining, other: Rejoining) -> str:
    """Begin a match of Pong by an invite; return the room."""
    await one.send("invite", to=other.user)
    await other.expect("invite:received")
    await other.send("invite:accepted", **{"from": one.user})
    room = str((await one.expect("room:start"))["roomId"])
    for player in (one, other):
        player.room = room
        await player.send("game:join", roomId=room)
    await one.expect("game:ready")
    await one.send("game:begin", roomId=room)
    for player in (one, other):
        await player.expect("game:start")
    return room
