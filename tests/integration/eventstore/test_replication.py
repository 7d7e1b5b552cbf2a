"""A node folds what all nodes append, from its own commits, the bus and the database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from service.bus.local import LocalBus
from service.domain.events.base import Event
from service.domain.events.chat import ChatSaid
from service.domain.events.presence import UserCameOnline
from service.domain.ids import UserId, parse_user_id
from service.domain.personal_data import NO_PERSONAL_DATA, PersonalData, Text
from service.errors import Unavailable
from service.eventstore.batches import MESSAGE_BYTES_MAX, decode_message, encode_message
from service.eventstore.completions import PendingAppend
from service.eventstore.follower import Batch
from service.eventstore.plan import Committed, KeyConflict
from service.eventstore.records import GENESIS, Head, Origin, ProposedEvent, RecordedEvent, propose
from service.eventstore.replication import Replication
from service.eventstore.store import LogDiverged
from service.eventstore.stored import UnreadableEvent
from tests.integration.log_file import joined

PATIENCE_S = 10.0


class Database:
    """The log that all nodes append to."""

    def __init__(self) -> None:
        self.epoch = "first"
        self.rows: list[tuple[bytes, RecordedEvent]] = []
        self.known_names: dict[str, str] = {}
        self.known_texts: dict[str, Text] = {}
        self.fails = 0
        self.pages = 0
        self.on_read: Callable[[], object] | None = None
        """What happens while the head is on its way."""

    def append(self, proposed: list[ProposedEvent], data: PersonalData) -> Committed:
        """Append events."""
        recorded = [
            RecordedEvent(len(self.rows) + number, 1, 0, one.event, str(one.origin.actor), one.meta)
            for number, one in enumerate(proposed, 1)
        ]
        self.rows += [(one.event_id, two) for one, two in zip(proposed, recorded, strict=True)]
        self.known_names |= data.names
        self.known_texts |= data.texts
        return Committed([one.position for one in recorded], recorded)

    async def head(self) -> Head:
        """Return the head."""
        head = Head(len(self.rows), GENESIS, self.epoch)
        if self.on_read is not None:
            self.on_read()
        if self.fails:
            self.fails -= 1
            raise ConnectionError
        return head

    async def following(self, after: int, limit: int) -> list[tuple[bytes, RecordedEvent]]:
        """Return a page, decoded anew."""
        self.pages += 1
        return [
            (id_, RecordedEvent(one.position, 1, 0, copy_of(one.event), one.actor, one.meta))
            for id_, one in self.rows[after : after + limit]
        ]

    async def names(self, users: Collection[str]) -> dict[str, str]:
        """Return names."""
        return {user: self.known_names[user] for user in users if user in self.known_names}

    async def salted_texts(self, chats: Collection[str]) -> dict[str, Text]:
        """Return texts."""
        return {chat: self.known_texts[chat] for chat in chats}


def copy_of(event: Event) -> Event:
    """Return an equal event that is another object."""
    return type(event)(**{name: getattr(event, name) for name in event.__struct_fields__})


class Node:
    """A node, and what it has folded."""

    def __init__(self, database: Database, nodes: list[LocalBus]) -> None:
        self.database = database
        self.bus = LocalBus(nodes)
        self.folded: list[RecordedEvent] = []
        self.names: dict[UserId, str] = {}
        self.texts: dict[str, Text] = {}
        self.failure: Exception | None = None
        self.news = asyncio.Event()
        self.replication = Replication(
            self.bus,
            database,
            realm="test",
            epoch="first",
            position=0,
            fold=self.fold,
            profiles=self,
        )

    def fold(self, batch: Batch) -> None:
        """Fold a batch."""
        self.folded += batch.events
        names = batch.personal_data.names
        self.names |= {parse_user_id(user): name for user, name in names.items()}
        self.texts |= batch.personal_data.texts
        self.news.set()

    def fail(self, error: Exception) -> None:
        """Take the failure."""
        self.failure = error
        self.news.set()

    def begin(
        self, *events: Event, personal_data: PersonalData = NO_PERSONAL_DATA
    ) -> PendingAppend:
        """Send an append; nothing is known of it yet."""
        append = PendingAppend(
            propose(events, Origin("test", 1)), {}, personal_data, done=never, span=None
        )
        self.replication.sent([append])
        return append

    def commit(self, *events: Event, personal_data: PersonalData = NO_PERSONAL_DATA) -> Committed:
        """Append events, and learn the result."""
        append = self.begin(*events, personal_data=personal_data)
        committed = self.database.append(list(append.events), personal_data)
        self.replication.committed([append], [committed], lambda: None)
        return committed

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition holds."""
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                self.news.clear()
                await self.news.wait()

    async def has_folded(self, *positions: int) -> None:
        """Wait for the fold, and compare it."""
        await self.until(lambda: len(self.folded) >= len(positions))
        assert [one.position for one in self.folded] == list(positions)


def never(result: object) -> None:
    """Fail if it is called."""
    raise AssertionError(result)


@pytest.fixture
def database() -> Database:
    """An empty log."""
    return Database()


@pytest.fixture
async def two(database: Database) -> AsyncIterator[tuple[Node, Node]]:
    """Two nodes that have asked the database once."""
    buses: list[LocalBus] = []
    nodes = Node(database, buses), Node(database, buses)
    for node in nodes:
        await node.bus.start()
        node.replication.start(node.fail)
    await asyncio.sleep(0.01)
    yield nodes
    for node in nodes:
        await node.replication.stop()
        await node.bus.stop()


Two = tuple[Node, Node]


async def test_what_one_node_commits_is_folded_by_all(two: Two) -> None:
    one, other = two
    one.commit(joined(1), joined(2))
    other.commit(joined(3))
    assert [copy.event for copy in one.folded] == [joined(1), joined(2)]
    # Before its own events come those that it has not seen.
    assert other.folded == []
    for node in two:
        await node.has_folded(1, 2, 3)
    assert one.folded == other.folded


async def test_batches_that_are_read_at_once_let_what_came_between_them_go_on_in_between(
    two: Two,
) -> None:
    """As the last state of a match, which is published before the end of the match is committed."""
    one, other = two
    await other.bus.stop()
    one.commit(joined(1))
    one.commit(joined(2))
    for number in (0, 1):
        message = encode_message(
            "first", one.folded[number : number + 1], number + 1, NO_PERSONAL_DATA
        )
        other.replication._receive(message)  # noqa: SLF001 - by the bus
    shown: list[int] = []
    other.replication.when_folded(1, lambda: shown.append(other.folded[-1].position))
    await other.has_folded(1, 2)
    assert shown == [1]


async def test_meta_and_actor_of_a_command_reach_all_nodes(two: Two) -> None:
    one, other = two
    append = PendingAppend(
        propose([joined(1)], Origin("test", 1, "command", b"digest")),
        {},
        NO_PERSONAL_DATA,
        done=never,
        span=None,
    )
    one.replication.sent([append])
    committed = one.database.append(list(append.events), NO_PERSONAL_DATA)
    one.replication.committed([append], [committed], lambda: None)
    await other.has_folded(1)
    assert other.folded == one.folded
    assert other.folded[0].meta is not None


async def test_what_the_bus_loses_is_read_after_a_gap_and_after_silence(two: Two) -> None:
    one, other = two
    await one.bus.stop()
    one.commit(joined(1))
    await other.has_folded(1)
    one.commit(joined(2))
    other.commit(joined(3))
    await other.has_folded(1, 2, 3)
    await one.has_folded(1, 2, 3)


async def test_a_result_is_told_when_all_events_before_it_are_folded(two: Two) -> None:
    one, other = two
    await one.bus.stop()
    one.commit(joined(1))
    append = other.begin(joined(2))
    told = asyncio.Event()
    committed = other.database.append(list(append.events), NO_PERSONAL_DATA)
    other.replication.committed([append], [committed], told.set)
    assert not told.is_set()
    await told.wait()
    assert [one.position for one in other.folded] == [1, 2]


async def test_a_conflict_is_told_when_its_position_is_folded(two: Two) -> None:
    one, other = two
    await one.bus.stop()
    one.commit(joined(1))
    append = other.begin(joined(2))
    told = asyncio.Event()
    other.replication.committed([append], [KeyConflict(1)], told.set)
    assert not told.is_set()
    await told.wait()
    assert [one.position for one in other.folded] == [1]


async def test_a_failure_is_told_at_once(two: Two) -> None:
    one, _ = two
    told: list[str] = []
    append = one.begin(joined(1))
    one.replication.committed([append], [Unavailable()], lambda: told.append("failed"))
    assert told == ["failed"]


async def test_an_event_of_this_node_that_is_read_first_is_folded_as_its_own_object(
    two: Two,
) -> None:
    one, _ = two
    append = one.begin(joined(1))
    committed = one.database.append(list(append.events), NO_PERSONAL_DATA)
    await one.has_folded(1)
    assert one.folded[0].event is append.events[0].event
    told: list[str] = []
    one.replication.committed([append], [committed], lambda: told.append("done"))
    assert told == ["done"]
    await one.has_folded(1)
    assert one.failure is None


async def test_an_event_of_this_node_that_waits_behind_a_gap_is_folded_as_its_own_object(
    two: Two,
) -> None:
    one, other = two
    await other.bus.stop()
    other.commit(joined(1))
    append = one.begin(joined(2))
    committed = one.database.append(list(append.events), NO_PERSONAL_DATA)
    one.replication.committed([append], [committed], lambda: None)
    # The database gives both.
    await one.has_folded(1, 2)
    assert one.folded[1].event is append.events[0].event
    assert one.failure is None


async def test_names_and_texts_arrive_with_their_events_by_the_bus_and_from_the_database(
    two: Two,
) -> None:
    one, other = two
    said = ChatSaid(room="r", chat="c1", author=1, digest="d")
    text = Text("salt", "hello")
    one.commit(said, personal_data=PersonalData({"1": "Ada"}, {"c1": text}))
    await other.has_folded(1)
    assert (other.names, other.texts) == ({1: "Ada"}, {"c1": text})
    await one.bus.stop()
    again = ChatSaid(room="r", chat="c2", author=1, digest="d")
    one.commit(again, personal_data=PersonalData({"1": "Ada L."}, {"c2": text}))
    await other.has_folded(1, 2)
    assert (other.names, other.texts) == ({1: "Ada L."}, {"c1": text, "c2": text})


async def test_the_name_of_a_user_who_comes_online_is_known_on_all_nodes(two: Two) -> None:
    one, other = two
    one.names = {1: "Ada"}
    one.commit(UserCameOnline(user=1))
    await other.has_folded(1)
    assert other.names == {1: "Ada"}


async def test_the_lag_is_how_long_events_are_known_that_are_not_folded(two: Two) -> None:
    one, _ = two
    assert one.replication.lag_s == 0
    one.database.fails = 1
    append = one.begin(joined(1))
    one.replication.committed([append], [KeyConflict(1)], lambda: None)
    one.replication._take(Batch(1, 1, ()))  # noqa: SLF001 - as a message with the head alone
    first = one.replication.lag_s
    assert one.replication.lag_s > first > 0
    one.database.append(list(append.events), NO_PERSONAL_DATA)
    await one.has_folded(1)
    assert one.replication.lag_s == 0


async def test_a_rename_reaches_other_nodes_also_later_when_the_bus_was_away(two: Two) -> None:
    one, other = two
    one.commit(personal_data=PersonalData({"7": "Ada"}))
    await other.until(lambda: other.names == {7: "Ada"})
    await one.bus.stop()
    one.commit(personal_data=PersonalData({"7": "Bob"}))
    await one.bus.start()
    one.commit(joined(1))
    await other.until(lambda: other.names == {7: "Bob"})


async def test_names_are_read_again_when_this_node_was_away_from_the_bus(two: Two) -> None:
    one, other = two
    other.names = {1: "old"}
    await other.bus.stop()
    one.commit(personal_data=PersonalData({"1": "Ada"}))
    # It takes note of that when it looks next.
    await asyncio.sleep(0.15)
    assert other.names == {1: "old"}
    await other.bus.start()
    await other.until(lambda: other.names == {1: "Ada"})


async def test_of_a_batch_that_is_too_large_for_the_bus_only_the_head_is_sent(two: Two) -> None:
    one, other = two
    pages = other.database.pages
    large = "x" * (MESSAGE_BYTES_MAX // 10)
    one.commit(*(joined(large + str(number)) for number in range(12)))
    await other.has_folded(*range(1, 13))
    assert other.database.pages > pages
    assert other.folded == one.folded


async def test_batches_of_another_log_are_not_folded(two: Two) -> None:
    one, other = two
    stranger = Node(Database(), one.bus._nodes)  # noqa: SLF001 - it joins the same bus
    await stranger.bus.start()
    stranger.replication._epoch = "another"  # noqa: SLF001 - as of another database
    stranger.database.epoch = "another"
    stranger.replication.start(stranger.fail)
    stranger.commit(joined(9))
    one.commit(joined(1))
    await other.has_folded(1)
    assert other.folded[0].event == joined(1)
    await stranger.replication.stop()
    await stranger.bus.stop()


async def test_a_database_that_can_not_be_read_is_tried_again(two: Two) -> None:
    one, other = two
    await one.bus.stop()
    one.database.fails = 3
    one.commit(joined(1))
    await other.has_folded(1)


async def test_events_that_are_folded_while_the_head_is_read_are_no_loss(two: Two) -> None:
    one, other = two

    def meanwhile() -> None:
        one.database.on_read = None
        one.commit(joined(1))
        other.commit(joined(2))

    one.database.on_read = meanwhile
    await one.has_folded(1, 2)
    await other.has_folded(1, 2)
    assert (one.failure, other.failure) == (None, None)


async def lose_tail(one: Node) -> Any:
    one.commit(joined(1), joined(2))
    one.database.rows.pop()


async def begin_epoch(one: Node) -> Any:
    one.database.epoch = "second"


async def lose_and_append(one: Node) -> Any:
    one.commit(joined(1), joined(2))
    one.database.rows.pop()
    one.commit(joined(3))


async def find_failed(one: Node) -> Any:
    append = one.begin(joined(1))
    one.replication.committed([append], [Unavailable()], lambda: None)
    one.database.append(list(append.events), NO_PERSONAL_DATA)


async def fail_found(one: Node) -> Any:
    append = one.begin(joined(1))
    one.database.append(list(append.events), NO_PERSONAL_DATA)
    await one.has_folded(1)
    one.replication.committed([append], [Unavailable()], lambda: None)


@pytest.mark.parametrize(
    "diverge",
    [lose_tail, begin_epoch, lose_and_append, find_failed, fail_found],
    ids=[
        "the log has lost events",
        "the log has another epoch",
        "the log has lost events, and goes on",
        "an append that was reported as failed has succeeded",
        "an append is reported as failed that was folded",
    ],
)
async def test_a_log_that_is_not_the_one_that_was_folded_ends_the_node(
    two: Two, diverge: Callable[[Node], Any]
) -> None:
    one, _ = two
    waiting: list[str] = []
    one.replication.when_folded(1000, lambda: waiting.append("released"))
    await diverge(one)
    await one.until(lambda: one.failure is not None)
    assert isinstance(one.failure, LogDiverged)
    assert waiting == ["released"]
    folded = list(one.folded)
    one.database.append(propose([joined(8)], Origin()), NO_PERSONAL_DATA)
    await asyncio.sleep(0)
    assert one.folded == folded


async def test_an_event_of_a_later_version_ends_the_node_by_its_name(two: Two) -> None:
    one, other = two
    reason = UnreadableEvent(1, "room.haunted", ValueError("unknown"))

    async def following(_after: int, _limit: int) -> list[tuple[bytes, RecordedEvent]]:
        raise reason

    other.replication._source = SimpleNamespace(  # noqa: SLF001 - as a node of an older version
        head=other.database.head, following=following
    )
    await other.bus.stop()
    one.commit(joined(1))
    # What the bus brings can't be decoded; nor can what the database has.
    message = decode_message(encode_message("first", one.folded, 1, NO_PERSONAL_DATA))
    row = msgspec.structs.replace(message.rows[0], type="room.haunted")
    other.replication._receive(  # noqa: SLF001 - by the bus
        msgspec.msgpack.encode(msgspec.structs.replace(message, rows=[row]))
    )
    await other.until(lambda: other.failure is not None)
    assert other.failure is reason


async def test_a_fold_that_fails_ends_the_node(two: Two) -> None:
    one, other = two

    def fold(_batch: Batch) -> None:
        raise ValueError

    other.replication._follower._fold = fold  # noqa: SLF001 - as a faulty fold
    one.commit(joined(1))
    await other.until(lambda: other.failure is not None)
    assert isinstance(other.failure, ValueError)
