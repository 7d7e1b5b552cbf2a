"""Unwanted users are refused by each command: mutes, declines, passwords, bans, limits."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from service.domain.commands.base import Command
from service.domain.commands.chat import Mute, Say
from service.domain.commands.deadlines import pending
from service.domain.commands.hosting import CreateRoom, JoinRoom, KickFromRoom, LockRoom, RoomPlan
from service.domain.commands.invites import (
    AcceptInvite,
    DeclineInvite,
    EndInviteCooldown,
    SendInvite,
)
from service.domain.commands.nodes import StartNode
from service.domain.commands.presence import CloseSocket
from service.domain.errors import (
    Banned,
    ContradictoryRoom,
    InviteNotWanted,
    RoomFull,
    RoomIsLocked,
    TooManyRooms,
    WrongPassword,
)
from service.errors import ClientError
from service.fanout.audience import Delivery
from service.fanout.joining import pending_invites
from service.fanout.profiles import Profiles
from service.fanout.rules import after_fold
from service.fanout.signals import NothingShared, route_signal
from service.protocol import v1
from service.settings.sections.play import Rules, Times
from tests.unit.domain.story import ROOM, Story

ANA, BEN, EVE = 1, 2, 3


@pytest.fixture
def story() -> Story:
    one = Story()
    for user in (ANA, BEN, EVE):
        one.open(user)
    return one


def socket_of(user: int) -> str:
    return f"n1.1.{user}a"


def refused(story: Story, command: Command) -> type[ClientError] | None:
    try:
        story.do(command)
    except ClientError as error:
        return type(error)
    return None


# Invites


def test_a_mute_blocks_invites(story: Story) -> None:
    story.do(Mute(BEN, ANA, muted=True))
    assert refused(story, SendInvite(ANA, BEN, "pong")) is InviteNotWanted
    assert refused(story, SendInvite(EVE, BEN, "pong")) is None
    assert refused(story, SendInvite(BEN, ANA, "pong")) is None
    story.do(Mute(BEN, ANA, muted=False))
    assert refused(story, SendInvite(ANA, BEN, "pong")) is None


def test_a_mute_hides_a_pending_invite(story: Story) -> None:
    story.do(SendInvite(ANA, BEN, "pong"))
    assert len(list(pending_invites(BEN, story.world, Profiles()))) == 1
    story.do(Mute(BEN, ANA, muted=True))
    assert not list(pending_invites(BEN, story.world, Profiles()))


def test_a_declined_invite_has_a_cooldown(story: Story) -> None:
    story.do(SendInvite(ANA, BEN, "pong"))
    declined = story.do(DeclineInvite(ANA, BEN))
    assert refused(story, SendInvite(ANA, BEN, "pong")) is InviteNotWanted
    assert refused(story, SendInvite(ANA, EVE, "pong")) is None
    assert refused(story, SendInvite(EVE, BEN, "pong")) is None
    assert refused(story, SendInvite(BEN, ANA, "pong")) is None
    (deadline,) = [
        one
        for one in pending(story.world, Times(invite_cooldown_s=33))
        if isinstance(one.command, EndInviteCooldown)
    ]
    assert deadline.after_s == 33
    assert story.events[deadline.since - 1] == declined[0]
    story.do(deadline.command)
    assert refused(story, SendInvite(ANA, BEN, "pong")) is None


def test_a_stale_deadline_does_not_end_a_newer_cooldown(story: Story) -> None:
    story.do(SendInvite(ANA, BEN, "pong"))
    story.do(DeclineInvite(ANA, BEN))
    since = story.world.invites.declined_since(ANA, BEN)
    assert since is not None
    assert story.do(EndInviteCooldown(ANA, BEN, since - 1)) == []
    assert story.world.invites.declined_since(ANA, BEN) == since


def test_reconnecting_does_not_end_a_cooldown(story: Story) -> None:
    story.do(SendInvite(ANA, BEN, "pong"))
    story.do(DeclineInvite(ANA, BEN))
    story.do(CloseSocket(ANA, socket_of(ANA), 1000))
    story.open(ANA, "b")
    assert refused(story, SendInvite(ANA, BEN, "pong")) is InviteNotWanted


def test_a_restart_ends_all_cooldowns(story: Story) -> None:
    story.do(SendInvite(ANA, BEN, "pong"))
    story.do(DeclineInvite(ANA, BEN))
    story.do(StartNode("n1"))
    assert not story.world.invites.declined


# Signals


def signalled(story: Story, user: int, to: int, *, to_anybody: bool = False) -> bool:
    """Return whether a signal reaches `to`."""
    try:
        delivery = route_signal(
            v1.SendSignal(data=msgspec.Raw(b"1"), to=to),
            to,
            user=user,
            socket=socket_of(user),
            world=story.world,
            sockets_of=lambda one: tuple(story.world.presence.sockets.get(one, ())),
            to_anybody=to_anybody,
        )
    except NothingShared:
        return False
    sockets: Any = delivery.audience
    return bool(sockets.sockets)


def test_signals_to_strangers_need_a_setting(story: Story) -> None:
    assert not signalled(story, EVE, ANA)
    assert signalled(story, EVE, ANA, to_anybody=True)


def test_a_pending_invite_allows_signals_both_ways(story: Story) -> None:
    story.do(SendInvite(ANA, BEN, "relay"))
    assert signalled(story, ANA, BEN)
    assert signalled(story, BEN, ANA)
    assert not signalled(story, EVE, BEN)
    story.do(DeclineInvite(ANA, BEN))
    assert not signalled(story, ANA, BEN)


def test_members_of_a_room_may_signal_each_other(story: Story) -> None:
    story.do(CreateRoom(ANA, socket_of(ANA), ROOM, RoomPlan(game="relay", options={"seats": 2})))
    assert not signalled(story, EVE, ANA)
    story.do(JoinRoom(BEN, socket_of(BEN), ROOM, "player", None, None))
    story.do(JoinRoom(EVE, socket_of(EVE), ROOM, "spectator", None, None))
    for user in (ANA, BEN, EVE):
        for to in {ANA, BEN, EVE} - {user}:
            assert signalled(story, user, to)
    story.do(KickFromRoom(ANA, ROOM, EVE))
    assert not signalled(story, EVE, ANA)


def test_players_of_a_match_by_invite_share_a_room(story: Story) -> None:
    story.do(SendInvite(ANA, BEN, "relay"))
    story.do(AcceptInvite(ANA, BEN))
    assert signalled(story, ANA, BEN)
    assert not signalled(story, EVE, ANA)


def test_a_mute_blocks_signals_and_direct_messages(story: Story) -> None:
    story.do(SendInvite(ANA, BEN, "relay"))
    story.do(Mute(BEN, ANA, muted=True))
    assert not signalled(story, ANA, BEN)
    (said,) = story.do(Say(ANA, "c", "digest", None, BEN))
    told = [
        one
        for one in after_fold(said, story.world, Profiles(texts={"c": "hi"}))
        if isinstance(one, Delivery)
    ]
    assert [one.audience.users for one in told if hasattr(one.audience, "users")] == [(ANA,)]


# Rooms that want to be kept


def open_room(story: Story, user: int = ANA, **plan: Any) -> type[ClientError] | None:
    """Make a room with these wishes; return the refusal, or None."""
    plan = {"game": "relay", "options": {"seats": 3}, **plan}
    return refused(story, CreateRoom(user, socket_of(user), ROOM, RoomPlan(**plan)))


def create_by_join(story: Story, role: Any, **plan: Any) -> type[ClientError] | None:
    plan = {"game": "relay", "options": {"seats": 3}, **plan}
    return refused(story, JoinRoom(ANA, socket_of(ANA), ROOM, role, None, RoomPlan(**plan)))


@pytest.mark.parametrize("way", ["create", "player", "spectator"])
@pytest.mark.parametrize(
    ("wish", "visibility", "refusal"),
    [
        ({}, "public", None),
        ({"visibility": "public"}, "public", None),
        ({"visibility": "private"}, "private", None),
        ({"password": "sealed"}, "password", None),
        ({"visibility": "password", "password": "sealed"}, "password", None),
        ({"visibility": "password"}, None, WrongPassword),
        ({"visibility": "public", "password": "sealed"}, None, ContradictoryRoom),
        ({"visibility": "private", "password": "sealed"}, None, ContradictoryRoom),
    ],
)
def test_password_and_visibility_are_consistent_in_each_command(
    story: Story,
    way: str,
    wish: dict[str, Any],
    visibility: str | None,
    refusal: type[ClientError] | None,
) -> None:
    made = open_room(story, **wish) if way == "create" else create_by_join(story, way, **wish)
    assert made is refusal
    room = story.world.rooms.rooms.get(ROOM)
    assert (None if room is None else room.visibility) == visibility
    if room is not None:
        assert room.password == wish.get("password")


DOORS = [
    ("player", None),
    ("spectator", None),
    ("player", RoomPlan(game="relay")),
    ("spectator", RoomPlan(game="relay")),
]


@pytest.mark.parametrize(("role", "plan"), DOORS)
@pytest.mark.parametrize("opens", [None, "another one's"])
def test_each_way_to_join_checks_the_password(
    story: Story, role: Any, plan: RoomPlan | None, opens: str | None
) -> None:
    open_room(story, password="sealed")
    join = JoinRoom(BEN, socket_of(BEN), ROOM, role, opens, plan)
    assert refused(story, join) is WrongPassword
    right = msgspec.structs.replace(join, verified_password="sealed")
    assert refused(story, right) is None


@pytest.mark.parametrize(("role", "plan"), DOORS)
def test_each_way_to_join_refuses_a_locked_room(
    story: Story, role: Any, plan: RoomPlan | None
) -> None:
    open_room(story)
    story.do(LockRoom(ANA, ROOM, locked=True))
    assert refused(story, JoinRoom(BEN, socket_of(BEN), ROOM, role, None, plan)) is RoomIsLocked


@pytest.mark.parametrize("was", ["player", "spectator"])
@pytest.mark.parametrize(("role", "plan"), DOORS)
def test_each_way_to_join_refuses_a_kicked_user(
    story: Story, was: Any, role: Any, plan: RoomPlan | None
) -> None:
    open_room(story, password="sealed")
    story.do(JoinRoom(BEN, socket_of(BEN), ROOM, was, "sealed", None))
    story.do(KickFromRoom(ANA, ROOM, BEN))
    assert refused(story, JoinRoom(BEN, socket_of(BEN), ROOM, role, "sealed", plan)) is Banned


@pytest.mark.parametrize("door", ["join", "orCreate"])
def test_each_way_to_watch_counts_against_the_room_limit(door: str) -> None:
    story = Story(Rules(rooms_per_user_max=2))
    story.open(ANA)
    plan = RoomPlan(game="relay")
    for number in range(4):
        story.open(10 + number)
        if door == "join":
            host = 10 + number
            story.do(CreateRoom(host, socket_of(host), f"r{number}", plan))
    codes = [
        refused(
            story,
            JoinRoom(
                ANA,
                socket_of(ANA),
                f"r{number}",
                "spectator",
                None,
                plan if door == "orCreate" else None,
            ),
        )
        for number in range(4)
    ]
    assert codes == [None, None, TooManyRooms, TooManyRooms]


def test_a_room_without_spectators_cannot_be_created_by_one(story: Story) -> None:
    assert create_by_join(story, "spectator", spectators_max=0) is RoomFull
