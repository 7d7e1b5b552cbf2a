"""Players by the Python client who note when they are shown states, and how far they have come."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Self

from service.client import Client, Refused, connect
from tests.acceptance.service_process import token

PATIENCE_S = 20.0


@dataclass
class Watch:
    """What a player was shown of live matches."""

    moments: list[tuple[float, str, int, int]] = field(default_factory=list)
    """When (monotonic seconds), of which match, its run and its tick."""
    faults: list[str] = field(default_factory=list)

    def note(self, message: dict[str, Any]) -> None:
        """Take a state, and check that neither its run nor, within a run, its tick falls."""
        match, run, tick = message["roomId"], message["run"], message["tick"]
        before = [one for one in reversed(self.moments[-200:]) if one[1] == match][:1]
        for _, _, last_run, last_tick in before:
            if (run, tick) < (last_run, last_tick):
                self.faults.append(f"{match}: {(run, tick)} after {(last_run, last_tick)}")
        self.moments.append((time.monotonic(), match, run, tick))

    def longest_gap_s(self, since: float) -> float:
        """Return the longest time between two states after `since`."""
        shown = (at for at, *_ in self.moments if at >= since)
        return max(b - a for a, b in pairwise([since, *shown, time.monotonic()]))


class Player:
    """A user of the Python client, who keeps every message type and the newest of each."""

    def __init__(self, url: str, user: int, name: str, *, frame_hz: int | None = None) -> None:
        """Connect to `url` within the `async with` block."""
        self.user = user
        self.client: Client = connect(url, token(user, name), frame_hz=frame_hz)
        self.watch = Watch()
        self.seen: list[dict[str, Any]] = []
        self.acks: list[int] = []
        """Positions of what was acknowledged."""
        self.state: dict[str, Any] | None = None
        """The newest state of a match."""
        self.states: dict[str, dict[str, Any]] = {}
        self.resumed_at = 0.0
        """When it was last told that a match goes on (monotonic seconds)."""
        self._news = asyncio.Condition()

    async def __aenter__(self) -> Self:
        """Connect."""
        await self.client.__aenter__()
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *error: object) -> None:
        """Disconnect."""
        await self.client.__aexit__(*error)
        await asyncio.gather(self._reading, return_exceptions=True)

    async def do(self, type_: str, **fields: Any) -> dict[str, Any]:
        """Carry a command out, repeating it while it is refused for now."""
        while True:
            try:
                answer = await self.client.command(type_, **fields)
            except Refused as refused:
                if refused.code not in {"UNAVAILABLE", "RATE_LIMITED"}:
                    raise
                await asyncio.sleep(0.05)
            else:
                if answer.get("position"):
                    self.acks.append(answer["position"])
                return answer

    async def wait_for(
        self, is_it: Callable[[dict[str, Any]], bool], timeout_s: float = PATIENCE_S
    ) -> dict[str, Any]:
        """Wait for a message, which may have come before."""

        def found() -> list[dict[str, Any]]:
            return [one for one in self.seen if is_it(one)]

        async with asyncio.timeout(timeout_s), self._news:
            await self._news.wait_for(found)
        return found()[0]

    async def shown(
        self, is_it: Callable[[dict[str, Any]], bool], timeout_s: float = PATIENCE_S
    ) -> dict[str, Any]:
        """Wait until the newest state is one that is waited for, and return it."""
        async with asyncio.timeout(timeout_s), self._news:
            await self._news.wait_for(lambda: self.state is not None and is_it(self.state))
        assert self.state is not None
        return self.state

    def take(self, message: dict[str, Any]) -> None:
        """Take each message, before anybody who waits for it."""

    async def _read(self) -> None:
        async for message in self.client:
            self.take(message)
            if message["type"] == "game:update":
                self.state = self.states[message["roomId"]] = message
                self.watch.note(message)
            else:
                self.seen.append(message)
            if message["type"] == "game:resumed":
                self.resumed_at = time.monotonic()
            async with self._news:
                self._news.notify_all()


async def begin_match(
    maker: Player,
    other: Player,
    game: str = "pong",
    *,
    players: Sequence[Player] = (),
    **options: Any,
) -> str:
    """Begin a match in a room of `maker` and `other`; return the room.

    `players` are the tabs that play, where they are not those two.
    """
    room = str((await maker.do("room:create", game=game, options=options))["roomId"])
    await other.do("room:join", roomId=room)
    for player in players:
        await player.do("room:join", roomId=room)
    for player in players or (maker, other):
        await player.do("room:ready", roomId=room)
    for player in players or (maker, other):
        await player.wait_for(lambda m: m["type"] == "game:start" and m["roomId"] == room)
    return room
