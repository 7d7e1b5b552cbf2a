"""A repeatedly disconnected client gets exactly its messages from the log."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from typing import Any

from websockets.exceptions import ConnectionClosed, InvalidHandshake

from service.domain.projections.world import World
from service.eventstore.reader import Reader, open_database
from service.fanout.audience import Delivery, Users
from service.fanout.profiles import Profiles
from service.fanout.rules import after_fold, before_fold
from tests.acceptance.service_process import (
    PATIENCE_S,
    Client,
    Message,
    Running,
    StartService,
    close_clients,
)

USERS = 50
CUTS = 200
KILLS = 3
ROOM = "arena"
PLAYERS = (1, 2, 3)
FREE = 100
"""Who watches, and so may be invited."""
LOST = (ConnectionClosed, ConnectionError, OSError, InvalidHandshake, AssertionError, TimeoutError)


class Listener:
    """A client that only keeps its cursor, and what has a position, over all its connections."""

    def __init__(self, service: Running, user: int, role: str) -> None:
        self.service = service
        self.user = user
        self.role = role
        self.received: list[Message] = []
        self.began_at = 0
        self._epoch = ""
        self._cursor: int | None = None
        self.tab: Client | None = None

    async def connect(self) -> Client:
        """Connect, as one that resumes unless it is the first time, and look at the room again."""
        tab = await self.service.connect_v1(
            self.user, f"User {self.user}", since=self._cursor, epoch=self._epoch
        )
        self.tab = tab
        if self._cursor is None:
            self._cursor = self.began_at = tab.welcome["position"]
            self._epoch = tab.welcome["epoch"]
        await tab.send("room:join", roomId=ROOM, role=self.role, orCreate=True, game="relay")
        await tab.send("room:ready", roomId=ROOM)
        await tab.send("game:move", roomId=ROOM, move={"cursor": self._cursor})
        return tab

    async def cut(self) -> None:
        """Lose the connection; what has come until now has come."""
        assert self.tab is not None
        await self.tab.drop()
        self.take()

    def take(self) -> None:
        """Process the messages of the last connection, as a real client does."""
        assert self.tab is not None
        assert self._cursor is not None
        for message in self.tab.received:
            assert message["type"] != "resync", message
            if message["type"] in {"heartbeat", "resumed"}:
                position: int = message["position" if message["type"] == "heartbeat" else "to"]
                self._cursor = max(self._cursor, position)
            elif "position" in message and message["type"] not in {"welcome", "ack"}:
                self.received.append(message)
                self._cursor = message["position"]
        self.tab = None


async def meant_for(service: Running, user: int, after: int) -> list[tuple[int, str]]:
    """Return from the log alone the messages that a user must get after a position."""
    world, found = World(), list[tuple[int, str]]()
    profiles = Profiles(texts=dict(service.database(TEXTS)))
    file = f"sqlite+aiosqlite:///{service.data_dir / 'ws-service.db'}"
    url = service.settings.get("WS_DATABASE_URL", file)
    reader = Reader(open_database(url))
    async for page in reader.read():
        for one in page:
            messages = [*before_fold(one.event, world, profiles)]
            world.fold(one.event, one.position)
            messages += after_fold(one.event, world, profiles)
            found += [
                (one.position, type_of(message))
                for message in messages
                if isinstance(message, Delivery)
                and message.durable
                and isinstance(message.audience, Users)
                and user in message.audience.users
                and one.position > after
            ]
    await reader.close()
    return found


TEXTS = "SELECT chat, text FROM texts"


def type_of(delivery: Delivery) -> str:
    assert delivery.v1 is not None
    return str(delivery.v1.__struct_config__.tag)


async def bot(service: Running, user: int, chance: random.Random) -> None:
    """Come, go, talk, invite and play, until the test is over; the service may die meanwhile."""
    while True:
        with contextlib.suppress(*LOST):
            tab = await service.connect_v1(user, f"User {user}")
            role = "player" if user in PLAYERS else "spectator"
            await tab.send("room:join", roomId=ROOM, role=role, orCreate=True, game="relay")
            for _ in range(chance.randint(5, 40)):
                await asyncio.sleep(chance.uniform(0.05, 0.3))
                await act(tab, user, chance)
            await (tab.drop() if chance.random() < 0.5 else tab.close(1000))


async def act(tab: Client, user: int, chance: random.Random) -> None:
    if user in PLAYERS:
        await tab.send("room:ready", roomId=ROOM)
        await tab.send("game:move", roomId=ROOM, move={"number": chance.randint(0, 9)})
        return
    what: list[Callable[[], Awaitable[Any]]] = [
        lambda: tab.send("lobby:join"),
        lambda: tab.send("lobby:leave"),
        lambda: tab.send("invite", to=FREE),
        lambda: tab.send("chat:send", roomId=ROOM, text="to all"),
        lambda: tab.send("chat:send", to=chance.choice((1, FREE)), text="to one"),
        lambda: tab.send("room:leave", roomId=ROOM),
        lambda: tab.send("room:join", roomId=ROOM, role="spectator"),
    ]
    await chance.choice(what)()


async def test_a_client_disconnected_200_times_gets_everything_once_and_in_order(
    start_service: StartService,
) -> None:
    service = start_service(
        WS_INVITE_TTL_S="1", WS_PRESENCE_GRACE_S="1", WS_SOCKETS_PER_USER_MAX="100"
    )
    chance = random.Random(7)  # noqa: S311 - the same moments, as far as the machine lets them
    listeners = [Listener(service, 1, "player"), Listener(service, FREE, "spectator")]
    for listener in listeners:
        await listener.connect()
    bots = [
        asyncio.create_task(bot(service, user, random.Random(user)))  # noqa: S311 - the same
        for user in range(2, USERS + 2)
    ]
    kills = set(chance.sample(range(20, CUTS - 20), KILLS))
    for number in range(CUTS):
        await asyncio.sleep(chance.uniform(0.0, 0.12))
        for listener in listeners:
            await listener.cut()
        if number in kills:
            await asyncio.to_thread(service.restart)
        for listener in listeners:
            await listener.connect()
    for one in bots:
        one.cancel()
    await asyncio.gather(*bots, return_exceptions=True)
    for listener in listeners:
        await settled(listener)
    service.kill()
    for listener in listeners:
        received = [(one["position"], one["type"]) for one in listener.received]
        meant = await meant_for(service, listener.user, listener.began_at)
        assert received == meant[: len(received)]
        # Messages after the end are those of the other player, and of their leaving.
        assert all(position > received[-1][0] for position, _ in meant[len(received) :])
        assert len(received) > CUTS / 2
    types = {one["type"] for listener in listeners for one in listener.received}
    assert types >= {"chat:message", "invite:received", "invite:expired", "game:moved"}


async def settled(listener: Listener) -> None:
    """Hear everything to the end of what the bots have done."""
    assert listener.tab is not None
    await listener.tab.command("chat:send", to=listener.user, text="the end")
    async with asyncio.timeout(PATIENCE_S):
        await listener.tab.expect("chat:message", text="the end")
    await listener.cut()


async def test_a_command_whose_connection_breaks_before_its_ack_happens_once(
    start_service: StartService,
) -> None:
    # Rate limits per user are not tested here: spread the messages over several users.
    service = start_service(WS_CHAT_PER_S="1000", WS_CHAT_BURST="1000")
    chance = random.Random(11)  # noqa: S311 - the same moments
    friend = await service.connect_v1(2, "Ben")
    for number in range(40):
        command = {"to": 2, "text": f"{number}", "id": f"say-{number}"}
        tab = await service.connect_v1(1, "Ana")
        await tab.send("chat:send", **command)
        await asyncio.sleep(chance.uniform(0, 0.004))
        await tab.drop()
        again = await service.connect_v1(1, "Ana")
        await again.send("chat:send", **command)
        await again.expect("ack", id=f"say-{number}")
        await again.close()
    await friend.sync()
    said = [one["text"] for one in friend.received if one["type"] == "chat:message"]
    assert said == [str(number) for number in range(40)]
    await close_clients()
