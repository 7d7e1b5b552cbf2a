"""Who lost a seat while away is told so, also when the first greeting did not come."""

from __future__ import annotations

from service.domain.commands.hosting import CreateRoom, RoomPlan
from service.domain.commands.presence import OpenSocket
from service.domain.events.presence import SocketOpened
from service.edge.connection import Connection, SlowLimits
from service.edge.dialect import CLASSIC, V1, Dialect
from service.edge.frames import texts_of
from service.edge.hub import Hub
from service.edge.socketio.polling import Polling
from tests.unit.domain.story import ROOM, Story
from tests.unit.edge.test_hub_dialects import make_hub

USER = 7


def come(hub: Hub, number: int, dialect: Dialect = V1, *, kicked: bool = False) -> Connection:
    transport = Polling(lambda: None)
    socket = f"n1.1.{number}"
    connection = Connection(socket, USER, dialect, transport=transport, limits=SlowLimits())
    hub.expect(connection)
    hub.observe(SocketOpened(user=USER, socket=socket, kicked=kicked), number)
    return connection


def is_told(connection: Connection) -> bool:
    return any(b"session:kickIntro" in text for text in texts_of(b"".join(connection.frames)))


async def test_it_is_told_again_until_a_socket_that_was_told_says_something() -> None:
    hub = make_hub()
    first = come(hub, 1, kicked=True)
    hub.remove(first)
    second = come(hub, 2)
    assert [is_told(first), is_told(second)] == [True, True]
    second.spoke()
    assert not is_told(come(hub, 3))


async def test_the_word_of_a_socket_that_was_not_told_says_nothing() -> None:
    hub = make_hub()
    come(hub, 1).spoke()
    come(hub, 2, kicked=True)
    assert is_told(come(hub, 3))


async def test_who_has_a_seat_again_is_not_sent_away_from_it() -> None:
    story = Story()
    hub = make_hub(story.world)
    come(hub, 1, kicked=True)
    socket = f"n1.1.{USER}a"
    story.do(OpenSocket(USER, socket))
    story.do(CreateRoom(USER, socket, ROOM, RoomPlan(game="relay", options={"seats": 2})))
    assert not is_told(come(hub, 2))


async def test_a_classic_page_is_told_once() -> None:
    hub = make_hub()
    assert is_told(come(hub, 1, CLASSIC, kicked=True))
    assert not is_told(come(hub, 2, CLASSIC))
