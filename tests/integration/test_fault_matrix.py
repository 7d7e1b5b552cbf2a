"""Each kind of event during an outage of the log: the service recovers by itself.

Nothing acknowledged is lost, the match ends and verifies, and no user stays in any projection.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import pytest

from service.domain.events.base import Event, match_stream
from service.domain.events.chat import ChatSaid
from service.domain.events.invites import InviteExpired, InviteSent
from service.domain.events.matches import (
    MatchCheckpoint,
    MatchEnded,
    MatchInput,
    MatchOutcome,
    MatchPaused,
    MatchResumed,
    MatchStarted,
)
from service.domain.events.presence import SocketClosed, SocketOpened, UserWentOffline
from service.domain.events.rooms import RoomClosed, SeatLeft, SeatTaken
from service.eventstore.plan import Append, Committed
from service.games.catalogue import GAMES
from service.replay.replay import Replay
from tests.integration.stage import Stage, Tab, Theatre, fast_now, holds, room_of

OUTAGE_S = 3
"""How long the longer faults last, in seconds of the loop."""

CommitResults: TypeAlias = list[Committed | Exception]


class Fault:
    """Keeps the store from committing events of one kind for a while, from the first one on."""

    def __init__(self, store: Any, kind: type[Event], how: str) -> None:
        self._store = store
        self._commit: Callable[[Sequence[Append]], CommitResults] = store.commit
        self._kind = kind
        self._how = how
        self._until: float | None = None
        self._other: sqlite3.Connection | None = None
        self.failures = 0
        self._store.commit = self.commit

    def commit(self, batch: Sequence[Append]) -> CommitResults:
        """Commit, or fail as the fault wants it; in the thread of the log."""
        found = any(isinstance(one.event, self._kind) for append in batch for one in append.events)
        if not found and self._until is None:
            return self._commit(batch)
        if self._until is None:
            self._until = fast_now() + OUTAGE_S
            if self._how == "locked":
                self._lock()
        if not self._lasts(found):
            self._free()
            return self._commit(batch)
        self.failures += 1
        if self._how == "locked":
            return self._commit(batch)
        return self._fail_late(batch)

    def end(self) -> None:
        """Let the store go on as it is."""
        self._free()
        self._store.commit = self._commit

    def _lasts(self, found: bool) -> bool:  # noqa: FBT001 - there is nothing else to say
        match self._how:
            case "once":
                return self.failures < 1
            case "twice":
                return found and self.failures < 2
            case _:
                return fast_now() < (self._until or 0)

    def _fail_late(self, batch: Sequence[Append]) -> CommitResults:
        """Fail as a full disk does: in the transaction, after its first statements."""
        write = self._store._write  # noqa: SLF001 - the fault is in there

        def fails(*arguments: object) -> None:
            write(*arguments)
            raise sqlite3.OperationalError("database or disk is full")

        self._store._write = fails  # noqa: SLF001 - as above
        try:
            return self._commit(batch)
        finally:
            del self._store._write  # noqa: SLF001 - as above

    def _lock(self) -> None:
        path = self._store._connection.execute("PRAGMA database_list").fetchone()[2]  # noqa: SLF001 - the same file
        self._other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._other.execute("BEGIN IMMEDIATE")

    def _free(self) -> None:
        if self._other is not None:
            self._other.close()
            self._other = None


@pytest.mark.parametrize("how", ["once", "twice", "for 3 s", "locked"])
@pytest.mark.parametrize(
    "kind",
    [
        SocketOpened,
        InviteSent,
        InviteExpired,
        SeatTaken,
        ChatSaid,
        MatchStarted,
        MatchInput,
        MatchOutcome,
        MatchCheckpoint,
        MatchPaused,
        MatchResumed,
        MatchEnded,
        SeatLeft,
        SocketClosed,
        UserWentOffline,
        RoomClosed,
    ],
    ids=lambda kind: kind.type,
)
def test_each_append_is_retried_until_the_disk_recovers(
    theatre: Theatre, kind: type[Event], how: str
) -> None:
    parts: Any = theatre.stage.service.parts
    fault = Fault(parts.log._store, kind, how)  # noqa: SLF001 - it is made to fail
    try:
        theatre.runner.run(_story(theatre.stage))
    finally:
        fault.end()
    assert fault.failures


async def _story(stage: Stage) -> None:
    """Let two users do all that there is, and look at what has become of it."""
    parts: Any = stage.service.parts
    world = parts.world
    ana, ben, cleo, dan = [await stage.connect() for _ in range(4)]
    await cleo.insist("invite", to=dan.user)
    room = await room_of((ana, ben), "pong", duration_s=2, reconnect_grace_s=60)
    match = world.rooms.rooms[room].match
    said = await ben.insist("chat:send", roomId=room, text="hello")
    pressed = [
        await ana.insist("game:move", roomId=room, direction="w", action=action)
        for action in ("down", "up")
    ]
    ana = await _come_back(stage, ana, room)
    for tab in (ana, ben):
        over = await tab.until("game:over")
        assert over["reason"] == "timeup"
        await tab.insist("room:leave", roomId=room)
    await cleo.until("invite:expired")
    await ana.close()
    await ben.drop()
    await cleo.drop()
    await dan.close()
    users = {ana.user, ben.user, cleo.user, dan.user}
    await holds(lambda: not users & set(world.presence.sockets), "somebody stays online")
    await holds(lambda: room not in world.rooms.rooms, "the room stays")
    assert not users & set(world.invites.pending)
    assert match not in world.matches.live
    events = await _events(stage, match)
    assert Replay(events, GAMES).verify() is None
    head = parts.log.head.position
    assert all(0 < one["position"] <= head for one in (said, *pressed))


async def _come_back(stage: Stage, tab: Tab, room: str) -> Tab:
    """Lose a player's connection, and bring them back."""
    world = stage.service.parts.world
    await tab.drop()
    live = world.matches.live[world.rooms.rooms[room].match or ""]
    await holds(lambda: live.paused, "the match is not paused")
    again = await stage.connect(tab.user)
    await again.insist("room:join", roomId=room)
    await holds(lambda: not live.paused, "the match does not go on")
    return again


async def _events(stage: Stage, match: str) -> list[Event]:
    reader = stage.service.parts.reader
    return [one.event async for page in reader.read(stream=match_stream(match)) for one in page]
