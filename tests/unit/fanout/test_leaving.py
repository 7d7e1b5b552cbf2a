"""A user who left a room gets no more messages of it; one who takes a seat keeps getting them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from service.domain.commands.chat import Say
from service.domain.commands.hosting import CreateRoom, JoinRoom, KickFromRoom, RoomPlan
from service.domain.commands.moves import Move
from service.domain.commands.seats import ForfeitSeat, LeaveRoom, SetReady, TakeSeat
from service.domain.events.rooms import SeatForfeited
from service.edge.frames import type_of
from service.fanout.audience import Delivery, InRoom, Sockets, Users
from service.fanout.profiles import Profiles
from service.fanout.rules import after_fold, before_fold
from service.fanout.signals import route_signal
from service.protocol import v1
from tests.unit.domain.story import ROOM, Story

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.domain.events.base import Event

A, B, LEAVER, WATCHER = 1, 2, 3, 4


class RecordedMessages(Story):
    """A story that records the room messages of each socket, by type."""

    def __init__(self) -> None:
        self.profiles = Profiles(texts={"chat": "psst"})
        self.sent: list[tuple[str, str]] = []
        super().__init__()

    def fold(self, event: Event) -> None:
        messages = [*before_fold(event, self.world, self.profiles)]
        super().fold(event)
        messages += after_fold(event, self.world, self.profiles)
        for message in messages:
            if isinstance(message, Delivery):
                self.record(message)

    def record(self, delivery: Delivery) -> None:
        message = delivery.v1 or delivery.classic
        assert message is not None
        self.sent += [(socket, type_of(message)) for socket in self.resolve(delivery.audience)]

    def resolve(self, audience: Any) -> Iterator[str]:
        match audience:
            case Users(users):
                for user in users:
                    yield from self.world.presence.sockets.get(user, ())
            case Sockets(sockets):
                yield from sockets
            case InRoom(room_id):
                room = self.world.rooms.rooms[room_id]
                yield from room.player_sockets if audience.players else ()
                yield from room.spectator_sockets if audience.spectators else ()
            case _:
                pass

    def heard(self, user: int) -> list[str]:
        """What all tabs of a user have heard; it is forgotten then."""
        sockets = self.world.presence.sockets[user]
        heard = [name for socket, name in self.sent if socket in sockets]
        self.sent = []
        return heard

    def play_on(self) -> None:
        """Let the remaining members cause every kind of room message."""
        socket = next(iter(self.world.presence.sockets[A]))
        self.do(Move(A, socket, ROOM, {"secret": 1}))
        self.do(Say(A, "chat", "digest", ROOM, None))
        self.record(
            route_signal(
                v1.SendSignal(data=msgspec.Raw(b'"psst"'), room_id=ROOM),
                None,
                user=A,
                socket=socket,
                world=self.world,
                sockets_of=lambda user: tuple(self.world.presence.sockets[user]),
            )
        )
        # What the ticker sends by itself: frames and the clock.
        self.record(Delivery(InRoom(ROOM), v1=v1.Heartbeat(1)))
        away = next(iter(self.world.presence.sockets[B]))
        self.close(B, away)
        self.do(ForfeitSeat(B, ROOM, len(self.events)))


def match_of_three() -> RecordedMessages:
    story = RecordedMessages()
    story.match("relay", A, B, LEAVER, seats=3, seats_min=2)
    story.sent = []
    return story


def test_remaining_members_receive_every_message() -> None:
    story = match_of_three()
    story.play_on()
    assert set(story.heard(LEAVER)) > {"game:moved", "signal", "heartbeat", "room:left"}


def test_a_leaver_is_notified_once_and_then_receives_nothing() -> None:
    story = match_of_three()
    story.do(LeaveRoom(LEAVER, ROOM))
    assert story.heard(LEAVER) == ["room:left"]
    story.play_on()
    assert story.heard(LEAVER) == []


def test_a_player_who_forfeited_receives_nothing_even_after_reconnecting() -> None:
    story = match_of_three()
    story.close(LEAVER, next(iter(story.world.presence.sockets[LEAVER])))
    story.open(LEAVER, "b")
    events = story.do(ForfeitSeat(LEAVER, ROOM, away_since(story, LEAVER)))
    assert isinstance(events[0], SeatForfeited)
    assert story.heard(LEAVER)[-1] == "room:left"
    story.play_on()
    assert story.heard(LEAVER) == []


def away_since(story: Story, user: int) -> int:
    room = story.world.rooms.rooms[ROOM]
    seat = room.seat_of(user)
    assert seat is not None
    since = room.seats[seat].away_since
    assert since is not None
    return since


def test_a_kicked_spectator_receives_nothing_more() -> None:
    story = match_of_three()
    story.do(JoinRoom(WATCHER, story.open(WATCHER), ROOM, "spectator", None, None))
    story.do(KickFromRoom(A, ROOM, WATCHER))
    assert story.heard(WATCHER)[-1] == "room:left"
    story.play_on()
    assert story.heard(WATCHER) == []


def test_delayed_messages_go_to_those_who_still_watch() -> None:
    story = RecordedMessages()
    story.match("relay", A, B, seats=2, spectator_delay_s=5)
    story.do(JoinRoom(WATCHER, story.open(WATCHER), ROOM, "spectator", None, None))
    delayed: list[Delivery] = []
    story.record = lambda delivery: delayed.append(delivery) if delivery.delay_s else None  # type: ignore[method-assign]
    story.do(Move(A, next(iter(story.world.presence.sockets[A])), ROOM, {"secret": 1}))
    (moved,) = delayed
    assert list(story.resolve(moved.audience)) == [*story.world.presence.sockets[WATCHER]]
    story.do(LeaveRoom(WATCHER, ROOM))
    assert list(story.resolve(moved.audience)) == []


@pytest.mark.parametrize("tab", ["b", "c"])
def test_other_tabs_of_a_spectator_who_takes_a_seat_keep_showing_the_room(tab: str) -> None:
    story = RecordedMessages()
    story.do(CreateRoom(A, story.open(A), ROOM, RoomPlan(game="relay", options={"seats": 2})))
    tabs = {name: story.open(B, name) for name in "abc"}
    for name in "ab":
        story.do(JoinRoom(B, tabs[name], ROOM, "spectator", None, None))
    story.do(JoinRoom(B, tabs[tab], ROOM, "player", None, None))
    room = story.world.rooms.rooms[ROOM]
    assert room.seats[1].sockets == {tabs["a"], tabs["b"], tabs[tab]}
    assert room.phase == "ready"
    # It gets the current state, like every tab that takes the seat.
    assert (tabs["a"], "room:state") in story.sent
    for user in (A, B):
        story.do(SetReady(user, ROOM, ready=True))
    assert story.do(TakeSeat(B, tabs["a"], ROOM)) == []
