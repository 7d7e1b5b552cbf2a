"""The cost of messages in counted operations: encodes, writes, transactions, list entries."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Any, cast

import pytest

from service.domain.events.base import Event
from service.domain.events.nodes import NodeStarted
from service.domain.events.presence import SocketOpened, UserCameOnline
from service.domain.events.rooms import RoomCreated, SpectatorJoined
from service.domain.projections.world import World
from service.edge import feeds, hub
from service.edge.backlog import Backlog
from service.edge.connection import Connection
from service.edge.dialect import CLASSIC, V1, Dialect
from service.edge.feeds import UserFeed
from service.edge.hub import Hub
from service.eventstore.sqlite import ROWS_PER_INSERT_MAX, SqliteStore
from service.fanout.audience import Delivery, InRoom, to_both_dialects
from service.fanout.profiles import Profiles
from service.protocol import classic, v1
from service.settings.sections.broadcasts import BroadcastLimits
from service.settings.sections.connections import SlowLimits
from service.settings.sections.storage import BacklogLimits
from service.telemetry import Metrics
from tests.integration.log_file import LogFile, append_of, appended, joined, proposed

PATIENCE_S = 10
ROOM = "room"
INTERVALS = BroadcastLimits(user_list_ms=60_000, user_diff_ms=60_000)


class CountingTransport:
    """A transport that takes everything at once and counts the writes: a fake, for counting."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.written = asyncio.Event()

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0

    def write(self, data: bytes) -> None:
        self.writes.append(data)
        self.written.set()


class FullRoom:
    """A world with a room full of spectators, and the hub that they are connected to."""

    def __init__(self) -> None:
        self.world = World()
        self.hub = Hub(self.world, Profiles(), Backlog(BacklogLimits()), INTERVALS, Metrics())
        self.transports: list[CountingTransport] = []
        self.fold(NodeStarted(node="n1", incarnation=1))
        self.fold(
            RoomCreated(
                room=ROOM, game="relay", players=[], options={}, seats_min=1, seats_max=2, host=1
            )
        )

    def fold(self, event: Event) -> None:
        self.world.fold(event, self.world.position + 1)

    def watch(self, user: int, dialect: Dialect) -> None:
        """Let a user come and watch the room."""
        socket = f"n1.1.{user}"
        transport = CountingTransport()
        self.transports.append(transport)
        connection = Connection(
            socket,
            user,
            dialect,
            transport=cast(asyncio.Transport, transport),
            limits=SlowLimits(),
        )
        self.fold(UserCameOnline(user=user))
        opened = SocketOpened(user=user, socket=socket)
        self.fold(opened)
        self.hub.expect(connection)
        self.hub.observe(opened, self.world.position)
        self.fold(SpectatorJoined(room=ROOM, user=user, socket=socket))


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every message that is encoded from now on."""
    found: list[object] = []

    def counting(frame: Callable[..., bytes]) -> Callable[..., bytes]:
        def count(message: object, *arguments: Any) -> bytes:
            found.append(message)
            return frame(message, *arguments)

        return count

    for module in (hub, feeds):
        monkeypatch.setattr(module, "frame", counting(module.frame))
    return found


async def next_turn() -> None:
    """Let the hub flush."""
    for _ in range(2):
        await asyncio.sleep(0)


def pong() -> Delivery:
    return to_both_dialects(InRoom(ROOM), v1.Pong())


@pytest.mark.parametrize(("dialects", "encodes"), [((V1,), 1), ((CLASSIC, V1), 2)])
async def test_a_broadcast_is_encoded_once_per_dialect_and_written_once_per_socket(
    encoded: list[object], dialects: tuple[Dialect, ...], encodes: int
) -> None:
    full = FullRoom()
    for user in range(1, 101):
        full.watch(user, dialects[user % len(dialects)])
    full.hub.publish(pong())
    await next_turn()
    assert len(encoded) == encodes
    assert [len(transport.writes) for transport in full.transports] == [1] * 100


async def test_messages_of_one_loop_turn_are_one_write() -> None:
    full = FullRoom()
    for user in range(1, 11):
        full.watch(user, V1)
    for _ in range(8):
        full.hub.publish(pong())
    await next_turn()
    assert [len(transport.writes) for transport in full.transports] == [1] * 10
    assert full.transports[0].writes[0].count(b'"pong"') == 8


async def test_output_caused_by_a_read_is_flushed_in_the_same_callback() -> None:
    full = FullRoom()
    for user in range(1, 11):
        full.watch(user, V1)
    await next_turn()

    def read(data: bytes) -> int:
        for _ in data:
            full.hub.publish(pong())
        assert full.transports[0].writes == []
        return len(data)

    with full.hub.flush_scope:
        assert read(b"eight of") == 8
    assert [len(transport.writes) for transport in full.transports] == [1] * 10
    await next_turn()
    assert [len(transport.writes) for transport in full.transports] == [1] * 10


async def test_a_failing_read_still_flushes_its_output() -> None:
    full = FullRoom()
    full.watch(1, V1)

    def read(_data: bytes) -> None:
        full.hub.publish(pong())
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), full.hub.flush_scope:
        read(b"")
    full.hub.publish(pong())
    await next_turn()
    assert [one.count(b'"pong"') for one in full.transports[0].writes] == [1, 1]


async def test_messages_within_a_frame_tick_are_one_write() -> None:
    full = FullRoom()
    full.watch(1, V1)
    (transport,) = full.transports
    await next_turn()
    for _ in range(3):
        full.hub.publish(Delivery(InRoom(ROOM), v1=v1.Pong(), frame_ms=16))
        await next_turn()
    assert transport.writes == []
    async with asyncio.timeout(PATIENCE_S):
        await transport.written.wait()
    assert transport.writes[0].count(b'"pong"') == 3


async def test_a_broadcast_excludes_its_sender_and_includes_later_joiners() -> None:
    full = FullRoom()
    for user in (1, 2):
        full.watch(user, V1)
    full.hub.publish(Delivery(InRoom(ROOM, excluding="n1.1.1"), v1=v1.Pong()))
    await next_turn()
    full.watch(3, V1)
    full.hub.publish(pong())
    await next_turn()
    assert [len(transport.writes) for transport in full.transports] == [1, 2, 1]


async def test_a_message_without_recipients_is_not_encoded(encoded: list[object]) -> None:
    full = FullRoom()
    full.watch(1, V1)
    full.hub.publish(Delivery(InRoom(ROOM), classic=classic.UserOnline(7)))
    await next_turn()
    assert encoded == []
    assert full.transports[0].writes == []


async def test_appends_of_one_turn_are_one_transaction(log_file: LogFile) -> None:
    log = log_file.started()
    statements: list[str] = []
    store = log._store  # noqa: SLF001 - what goes to the database is what is counted
    assert isinstance(store, SqliteStore)
    store._connection.set_trace_callback(statements.append)  # noqa: SLF001 - the same
    await asyncio.gather(*(appended(log, proposed(joined(user))) for user in range(1, 101)))
    assert statements.count("COMMIT") == 1
    inserts = sum(one.startswith("INSERT INTO events") for one in statements)
    assert inserts == math.ceil(100 / ROWS_PER_INSERT_MAX)
    assert sum(one.startswith("UPDATE log_head") for one in statements) == 1


async def test_a_large_batch_is_inserted_by_few_statements_and_a_small_one_by_one(
    log_file: LogFile,
) -> None:
    store = log_file.store()
    statements: list[str] = []
    store._connection.set_trace_callback(statements.append)  # noqa: SLF001 - the same
    for count, inserts in ((1, 1), (ROWS_PER_INSERT_MAX, 1), (3 * ROWS_PER_INSERT_MAX + 1, 4)):
        statements.clear()
        store.commit([append_of(joined(1)) for _ in range(count)])
        assert sum(one.startswith("INSERT INTO events") for one in statements) == inserts


async def test_mass_joins_cost_list_entries_linear_in_their_number(
    encoded: list[object],
) -> None:
    """Each gets the list once; it is encoded for all together, and grows by what has changed."""
    joins = 2000
    world = World()
    world.fold(NodeStarted(node="n1", incarnation=1), 1)
    notified = asyncio.Event()
    feed = UserFeed(world, Profiles(), lambda: 0.001, lambda _data, _diff: notified.set())
    feed.start()
    for user in range(1, joins + 1):
        for event in (
            UserCameOnline(user=user),
            SocketOpened(user=user, socket=f"n1.1.{user}"),
        ):
            world.fold(event, world.position + 1)
        feed.change(user)
        assert feed.frames()
        assert feed.joined() == (b"".join(feed.frames()), len(feed.frames()))
        if user % 20 == 0:
            # The number of users that join between two broadcasts.
            notified.clear()
            async with asyncio.timeout(PATIENCE_S):
                await notified.wait()
    entries = sum(
        len(one.users) if isinstance(one, v1.UserList) else len(one.joins)
        for one in encoded
        if isinstance(one, v1.UserList | v1.UserDiff)
    )
    assert entries == feed.entries_encoded
    assert entries <= 4 * joins
