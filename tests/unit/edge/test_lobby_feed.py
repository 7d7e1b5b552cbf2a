"""What is sent to those who watch the lobby."""

from typing import Any

import msgspec

from service.domain.events.base import Event
from service.domain.events.chat import ChatSaid, UserMuted
from service.domain.events.matchmaking import SearchStarted
from service.domain.events.presence import SocketOpened, UserCameOnline
from service.domain.events.rooms import RoomCreated
from service.domain.ids import SocketId
from service.domain.projections.room import Room
from service.domain.projections.world import World
from service.edge.lobby_feed import LobbyFeed
from service.fanout.profiles import Profiles
from service.fanout.rules import after_fold
from service.protocol import ToClient, v1

ANA, BEN = 7, 8


class Feed:
    """A feed whose messages are kept."""

    def __init__(self, *events: Event) -> None:
        self.world = World()
        self.profiles = Profiles()
        self.sent: list[tuple[tuple[SocketId, ...], ToClient]] = []
        self.feed = LobbyFeed(self.world, self.profiles, self._send)
        for event in events:
            self.fold(event)

    def fold(self, event: Event) -> None:
        self.world.fold(event, self.world.position + 1)

    def say(self, author: int, text: str) -> None:
        chat = f"c{self.world.position}"
        self.profiles.texts[chat] = text
        event = ChatSaid(chat=chat, author=author, digest="")
        self.fold(event)
        for message in after_fold(event, self.world, self.profiles):
            self.feed.said(message.message)  # type: ignore[union-attr]  # nothing else follows

    def live(self) -> dict[str, Any]:
        self.sent.clear()
        self.feed.broadcast(self)
        ((_, message),) = self.sent
        shown: dict[str, Any] = msgspec.to_builtins(message)
        return shown

    def seen_by_spectators(self, room: Room) -> v1.LiveMatch:
        if room.id == "broken":
            raise ValueError(room.id)
        return v1.LiveMatch(room.id, room.game, {"at": 1}, None, 3, None)

    def _send(self, sockets: tuple[SocketId, ...], _data: bytes, message: ToClient) -> None:
        self.sent.append((sockets, message))


def room(name: str, visibility: Any = "public") -> RoomCreated:
    return RoomCreated(
        room=name,
        game="connect_four",
        players=[],
        options={},
        seats_min=2,
        seats_max=2,
        host=ANA,
        visibility=visibility,
    )


def test_what_is_said_reaches_all_who_watch_but_those_who_muted_the_author() -> None:
    one = Feed(UserMuted(user=BEN, target=ANA, muted=True))
    one.feed.watch("s7", ANA)
    one.feed.watch("s8", BEN)
    one.sent.clear()
    one.say(ANA, "hello")
    ((sockets, message),) = one.sent
    assert sockets == ("s7",)
    assert isinstance(message, v1.LobbyMessage)
    assert (message.message.author.id, message.message.text) == (ANA, "hello")


def test_who_begins_to_watch_gets_what_was_said_without_what_they_have_muted() -> None:
    one = Feed(UserMuted(user=BEN, target=ANA, muted=True))
    one.say(ANA, "hello")
    for socket, user, count in (("s7", ANA, 1), ("s8", BEN, 0)):
        one.sent.clear()
        one.feed.watch(socket, user)
        ((_, history),) = one.sent
        assert isinstance(history, v1.LobbyHistory)
        assert len(history.messages) == count


def test_nothing_is_sent_to_a_socket_that_watches_no_longer() -> None:
    one = Feed()
    one.feed.watch("s7", ANA)
    one.feed.set("s7", ANA, watching=False)
    one.sent.clear()
    one.say(BEN, "hello")
    assert one.sent == []


def test_connected_users_are_counted_who_wait_for_a_game() -> None:
    one = Feed(
        UserCameOnline(user=ANA),
        SocketOpened(user=ANA, socket="n1.1.7"),
        SearchStarted(user=ANA, game="pong"),
        SearchStarted(user=BEN, game="pong"),
    )
    one.feed.watch("s7", ANA)
    assert one.live()["waiting"] == {"pong": 1}


def test_live_matches_of_public_rooms_are_shown_and_a_broken_one_is_left_out() -> None:
    one = Feed()
    one.feed.watch("s7", ANA)
    for name, visibility in (("a", "public"), ("b", "private"), ("broken", "public")):
        one.fold(room(name, visibility))
        one.world.rooms.rooms[name].phase = "playing"
    (match,) = one.live()["matches"]
    assert (match["roomId"], match["moves"]) == ("a", 3)


def test_a_feed_that_has_not_changed_is_not_sent_again() -> None:
    one = Feed()
    one.feed.watch("s7", ANA)
    one.live()
    one.sent.clear()
    one.feed.broadcast(one)
    assert one.sent == []
    one.feed.watch("s8", BEN)
    assert one.live()["matches"] == []
