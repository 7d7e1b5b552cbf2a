"""A user who lost a seat while away is notified, even when the first greeting was lost."""

from __future__ import annotations

from service.domain.commands.hosting import CreateRoom, RoomPlan
from service.domain.commands.presence import OpenSocket
from service.edge.connection import Connection
from service.edge.dialect import CLASSIC, V1, Dialect
from service.edge.frames import texts_of
from service.edge.socketio.polling import Polling
from service.settings.sections.connections import SlowLimits
from tests.unit.domain.story import ROOM, Story
from tests.unit.edge.test_hub_dialects import Node, make_node

USER = 7


def come(node: Node, number: int, dialect: Dialect = V1, *, kicked: bool = False) -> Connection:
    transport = Polling(lambda: None)
    socket = f"n1.1.{number}"
    connection = Connection(socket, USER, dialect, transport=transport, limits=SlowLimits())
    return node.open(connection, kicked=kicked)


def is_told(connection: Connection) -> bool:
    return any(b"session:kickIntro" in text for text in texts_of(b"".join(connection.frames)))


async def test_kick_intro_is_repeated_until_a_notified_socket_sends_something() -> None:
    node = make_node()
    first = come(node, 1, kicked=True)
    node.hub.remove(first)
    second = come(node, 2)
    assert [is_told(first), is_told(second)] == [True, True]
    second.on_message()
    assert not is_told(come(node, 3))


async def test_a_message_from_another_socket_does_not_confirm_kick_intro() -> None:
    node = make_node()
    come(node, 1).on_message()
    come(node, 2, kicked=True)
    assert is_told(come(node, 3))


async def test_kick_intro_is_not_sent_to_a_user_with_a_new_seat() -> None:
    story = Story()
    node = make_node(story.world)
    come(node, 1, kicked=True)
    socket = f"n1.1.{USER}a"
    story.do(OpenSocket(USER, socket))
    story.do(CreateRoom(USER, socket, ROOM, RoomPlan(game="relay", options={"seats": 2})))
    assert not is_told(come(node, 2))


async def test_kick_intro_is_sent_once_to_a_classic_client() -> None:
    node = make_node()
    assert is_told(come(node, 1, CLASSIC, kicked=True))
    assert not is_told(come(node, 2, CLASSIC))
