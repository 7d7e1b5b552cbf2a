"""The action of each client message, in one table."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest

from service.domain.commands.base import Command
from service.domain.commands.bots import AcceptBot, AddBot
from service.domain.commands.chat import Mute, Say, digest_of
from service.domain.commands.hosting import CreateRoom, JoinRoom, KickFromRoom, LockRoom, RoomPlan
from service.domain.commands.invites import AcceptInvite, DeclineInvite, SendInvite
from service.domain.commands.lobby import JoinLobby, LeaveLobby
from service.domain.commands.matchmaking import JoinQueue, LeaveQueue
from service.domain.commands.moves import Move
from service.domain.commands.presence import SetStatus
from service.domain.commands.seats import BeginMatch, LeaveRoom, SetReady, TakeSeat
from service.domain.personal_data import NO_PERSONAL_DATA, PersonalData, Text
from service.edge.dialect import CLASSIC, SOCKET_IO, V1, Dialect
from service.edge.session.actions import (
    Action,
    Execute,
    RefreshToken,
    RelaySignal,
    Reply,
    Resume,
    ResumeFrom,
    SetFrameHz,
    ShowFriends,
    ShowLobby,
    ShowMoves,
    ShowRooms,
    ShowUsers,
    SubscribeRooms,
    WatchFriends,
    WatchLobby,
)
from service.edge.session.errors import MessageRefused
from service.edge.session.frame_rate import frame_rate_in_url
from service.edge.session.guard import BadValue
from service.edge.session.rate_limit import UserBudget
from service.edge.session.session import Session
from service.protocol import FromClassicClient, FromV1Client, v1
from service.settings.sections.connections import SessionLimits, UserLimits

TAB = "n1.1.1"


def session(dialect: Dialect = V1, **limits: int) -> Session:
    tokens = iter(["first", "second", "third"])
    return Session(
        7,
        TAB,
        dialect,
        limits=SessionLimits(**limits),
        budget=UserBudget(UserLimits(), 0),
        new_token=lambda: next(tokens),
        now=0,
    )


def action_of(dialect: Dialect = V1, one: Session | None = None, /, **message: Any) -> Action:
    """Return what a message asks for."""
    return (one or session(dialect)).receive(_text(message), 0).action


def refused(dialect: Dialect = V1, one: Session | None = None, /, **message: Any) -> str:
    """Return why a message is refused."""
    with pytest.raises(MessageRefused) as caught:
        (one or session(dialect)).receive(_text(message), 0)
    return f"{caught.value.error.code}: {caught.value.error.message}"


def _text(message: dict[str, Any]) -> str:
    """Write a message down; `from` is a word of Python."""
    return json.dumps({name.rstrip("_"): value for name, value in message.items()})


PLAN = RoomPlan(game="pong")
FULL = {
    "game": "relay",
    "options": {"seats": 3},
    "metadata": {"title": "x"},
    "visibility": "private",
    "maxSpectators": 4,
}
FULL_PLAN = RoomPlan(
    game="relay",
    options={"seats": 3},
    metadata={"title": "x"},
    visibility="private",
    spectators_max=4,
)

COMMANDS: list[tuple[dict[str, Any], Command]] = [
    ({"type": "lobby:join"}, JoinLobby(7, TAB)),
    ({"type": "lobby:leave"}, LeaveLobby(7, TAB)),
    ({"type": "invite", "to": 8}, SendInvite(7, 8, "pong")),
    ({"type": "invite", "to": "8", "game": "relay"}, SendInvite(7, 8, "relay")),
    ({"type": "invite:send", "toUserId": "ben"}, SendInvite(7, "ben", "pong")),
    ({"type": "invite:send", "to": 8, "toUserId": 9}, SendInvite(7, 8, "pong")),
    ({"type": "invite:accepted", "from_": "8"}, AcceptInvite(8, 7)),
    ({"type": "invite:declined", "from_": 8}, DeclineInvite(8, 7)),
    ({"type": "matchmaking:join", "game": "relay"}, JoinQueue(7, "relay")),
    ({"type": "matchmaking:leave", "game": "relay"}, LeaveQueue(7, "relay")),
    ({"type": "game:join", "roomId": "r"}, TakeSeat(7, TAB, "r")),
    ({"type": "game:begin", "roomId": "r"}, BeginMatch(7, "r")),
    ({"type": "game:leave", "roomId": "r"}, LeaveRoom(7, "r")),
]
"""What both dialects have."""

V1_COMMANDS: list[tuple[dict[str, Any], Command]] = [
    ({"type": "user:status"}, SetStatus(7, None, None)),
    ({"type": "user:status", "status": "away", "hidden": True}, SetStatus(7, "away", hidden=True)),
    ({"type": "room:create"}, CreateRoom(7, TAB, None, PLAN)),
    ({"type": "room:create", "roomId": "r", **FULL}, CreateRoom(7, TAB, "r", FULL_PLAN)),
    ({"type": "room:join", "roomId": "r"}, JoinRoom(7, TAB, "r", "player", None, None)),
    (
        {"type": "room:join", "roomId": "r", "role": "spectator", "orCreate": True, **FULL},
        JoinRoom(7, TAB, "r", "spectator", None, FULL_PLAN),
    ),
    ({"type": "room:leave", "roomId": "r"}, LeaveRoom(7, "r")),
    ({"type": "room:ready", "roomId": "r"}, SetReady(7, "r", ready=True)),
    ({"type": "room:ready", "roomId": "r", "ready": False}, SetReady(7, "r", ready=False)),
    ({"type": "room:kick", "roomId": "r", "userId": "8"}, KickFromRoom(7, "r", 8)),
    ({"type": "room:addBot", "roomId": "r"}, AddBot(7, "r", 1)),
    ({"type": "room:addBot", "roomId": "r", "level": 3}, AddBot(7, "r", 3)),
    ({"type": "matchmaking:acceptBot", "game": "relay"}, AcceptBot(7, "relay", 1)),
    ({"type": "matchmaking:acceptBot", "level": 2}, AcceptBot(7, "pong", 2)),
    ({"type": "room:lock", "roomId": "r"}, LockRoom(7, "r", locked=True)),
    ({"type": "room:lock", "roomId": "r", "locked": False}, LockRoom(7, "r", locked=False)),
    ({"type": "chat:mute", "userId": "8"}, Mute(7, 8, muted=True)),
    ({"type": "chat:mute", "userId": "ben", "muted": False}, Mute(7, "ben", muted=False)),
    ({"type": "game:move", "roomId": "r", "move": {"column": 3}}, Move(7, TAB, "r", {"column": 3})),
    (
        {"type": "game:move", "roomId": "r", "move": {}, "direction": "w", "action": "up"},
        Move(7, TAB, "r", {}),
    ),
]

ACTIONS: list[tuple[dict[str, Any], Action]] = [
    ({"type": "lobby:request"}, ShowLobby()),
    ({"type": "friends:subscribe", "friendIds": [8, "8", "x"]}, WatchFriends(frozenset({8, "x"}))),
    ({"type": "friends:status:request"}, ShowFriends(None)),
]

V1_ACTIONS: list[tuple[dict[str, Any], Action]] = [
    ({"type": "friends:status:request", "id": "f"}, ShowFriends("f")),
    ({"type": "ping"}, Reply(v1.Pong())),
    ({"type": "ping", "id": "p"}, Reply(v1.Pong("p"))),
    ({"type": "user:sync"}, ShowUsers()),
    ({"type": "room:list"}, ShowRooms(None, None, 50)),
    ({"type": "room:list", "game": "relay", "cursor": "c", "limit": 3}, ShowRooms("relay", "c", 3)),
    ({"type": "room:subscribe"}, SubscribeRooms(None, wanted=True)),
    ({"type": "room:subscribe", "game": "relay"}, SubscribeRooms("relay", wanted=True)),
    ({"type": "room:unsubscribe"}, SubscribeRooms(None, wanted=False)),
    ({"type": "lobby:watch"}, WatchLobby(wanted=True)),
    ({"type": "lobby:unwatch"}, WatchLobby(wanted=False)),
    ({"type": "resume", "position": 3, "epoch": "e"}, Resume(ResumeFrom(3, "e"))),
    ({"type": "game:history", "roomId": "r", "after": 4}, ShowMoves("r", 4)),
    ({"type": "frames:set", "frameHz": 20}, SetFrameHz(20)),
    ({"type": "auth:refresh", "token": "t"}, RefreshToken("t")),
]


@pytest.mark.parametrize("dialect", [CLASSIC, SOCKET_IO, V1], ids=lambda one: one.protocol)
@pytest.mark.parametrize(("message", "command"), COMMANDS)
def test_each_command_decodes_the_same_in_every_dialect(
    message: dict[str, Any], command: Command, dialect: Dialect
) -> None:
    action = action_of(dialect, **message)
    assert isinstance(action, Execute)
    assert (action.command, action.personal_data, action.password) == (
        command,
        NO_PERSONAL_DATA,
        None,
    )


@pytest.mark.parametrize(("message", "command"), V1_COMMANDS)
def test_each_v1_command_is_decoded(message: dict[str, Any], command: Command) -> None:
    action = action_of(**message)
    assert isinstance(action, Execute)
    assert (action.command, action.personal_data, action.password) == (
        command,
        NO_PERSONAL_DATA,
        None,
    )
    assert action.message.id is None


@pytest.mark.parametrize("dialect", [CLASSIC, SOCKET_IO, V1], ids=lambda one: one.protocol)
@pytest.mark.parametrize(("message", "action"), ACTIONS)
def test_each_query_decodes_the_same_in_every_dialect(
    message: dict[str, Any], action: Action, dialect: Dialect
) -> None:
    assert action_of(dialect, **message) == action


@pytest.mark.parametrize(("message", "action"), V1_ACTIONS)
def test_each_v1_query_is_decoded(message: dict[str, Any], action: Action) -> None:
    assert action_of(**message) == action


def test_classic_clients_can_request_the_user_list() -> None:
    assert action_of(CLASSIC, type="user:list:request") == ShowUsers()


def test_every_client_message_is_covered_here() -> None:
    tables = [*COMMANDS, *V1_COMMANDS, *ACTIONS, *V1_ACTIONS]
    tried = {message["type"] for message, _ in tables}
    elsewhere = {"signal", "chat:send", "lobby:say", "user:list:request"}
    known = {
        str(message.__struct_config__.tag)
        for message in (*get_args(FromClassicClient), *get_args(FromV1Client))
    }
    assert known == tried | elsewhere


# Passwords, chat and signals


@pytest.mark.parametrize("type_", ["room:create", "room:join"])
def test_a_password_is_hashed_outside_the_command(type_: str) -> None:
    action = action_of(type=type_, roomId="r", password="hidden")
    assert isinstance(action, Execute)
    assert action.password == "hidden"
    assert "hidden" not in repr(action.command)


@pytest.mark.parametrize(
    ("fields", "room", "to"),
    [({"roomId": "r"}, "r", None), ({"to": "8"}, None, 8), ({"to": "ben"}, None, "ben")],
)
def test_a_chat_command_has_the_digest_and_its_text_is_personal_data(
    fields: dict[str, str], room: str | None, to: int | str | None
) -> None:
    action = action_of(type="chat:send", text="hello", **fields)
    assert isinstance(action, Execute)
    assert action.command == Say(7, "first", digest_of("second", "hello"), room, to)
    assert action.personal_data == PersonalData(texts={"first": Text("second", "hello")})


def test_a_chat_text_is_limited_in_characters() -> None:
    one = session(chat_length_max=5)
    assert isinstance(action_of(V1, one, type="chat:send", roomId="r", text="äöüßé"), Execute)
    said = refused(V1, one, type="chat:send", roomId="r", text="äöüßéx")
    assert said == "BAD_MESSAGE: chat:send: at most 5 characters."


@pytest.mark.parametrize("fields", [{}, {"to": 8, "roomId": "r"}])
@pytest.mark.parametrize(
    "what", [{"type": "signal", "data": 1}, {"type": "chat:send", "text": "x"}]
)
def test_a_chat_message_needs_a_user_or_a_room(
    what: dict[str, Any], fields: dict[str, Any]
) -> None:
    assert "one of `to` and `roomId`" in refused(**what, **fields)


@pytest.mark.parametrize(("fields", "to"), [({"roomId": "r"}, None), ({"to": "8"}, 8)])
def test_a_signal_needs_a_user_or_a_room(fields: dict[str, str], to: int | None) -> None:
    action = action_of(type="signal", data=[1], **fields)
    assert isinstance(action, RelaySignal)
    assert (action.to, bytes(action.message.data)) == (to, b"[1]")


@pytest.mark.parametrize("hz", [0, -30, 1, 25, 59, 61, 120, 2**62])
def test_a_frame_rate_that_is_not_allowed_is_refused(hz: int) -> None:
    assert refused(type="frames:set", frameHz=hz) == "BAD_VALUE: frameHz is one of 60, 30, 20."


@pytest.mark.parametrize("hz", [None, "30", 30.5, True, [30]])
def test_a_frame_rate_of_another_type_is_refused(hz: object) -> None:
    assert refused(type="frames:set", frameHz=hz).startswith("BAD_MESSAGE")


@pytest.mark.parametrize("dialect", [CLASSIC, SOCKET_IO], ids=lambda one: one.protocol)
def test_only_v1_clients_set_a_frame_rate(dialect: Dialect) -> None:
    assert refused(dialect, type="frames:set", frameHz=30).startswith("UNKNOWN_TYPE")


@pytest.mark.parametrize("text", ["", "25", "030", "30.0", "-30", " 30", "thirty"])
def test_a_frame_rate_in_the_url_that_is_not_allowed_is_refused(text: str) -> None:
    with pytest.raises(BadValue):
        frame_rate_in_url(text)


def test_every_allowed_frame_rate_is_read_from_the_url() -> None:
    assert [frame_rate_in_url(text) for text in ("60", "30", "20")] == [60, 30, 20]


def test_a_signal_with_invalid_data_is_refused() -> None:
    assert refused(type="signal", to=8, data=2**64).startswith("BAD_VALUE")


# What is too long


@pytest.mark.parametrize("dialect", [CLASSIC, V1], ids=lambda one: one.protocol)
def test_a_move_is_limited_in_bytes(dialect: Dialect) -> None:
    move = {"type": "game:move", "roomId": "r", "direction": "w", "action": "down"}
    size = len(json.dumps(move))
    assert isinstance(action_of(dialect, session(dialect, move_bytes_max=size), **move), Execute)
    said = refused(dialect, session(dialect, move_bytes_max=size - 1), **move)
    assert said == (f"TOO_LARGE: A move is at most {size - 1} bytes long, and this one {size}.")


def test_a_signal_is_limited_in_bytes() -> None:
    text = '{"type":"signal","to":8,"data":"é"}'
    assert len(text) == 35
    session(signal_bytes_max=36).receive(text, 0)
    with pytest.raises(MessageRefused) as caught:
        session(signal_bytes_max=35).receive(text, 0)
    said = "A signal is at most 35 bytes long, and this one 36."
    assert (caught.value.error.code, caught.value.error.message) == ("TOO_LARGE", said)


@pytest.mark.parametrize("name", ["options", "metadata"])
def test_room_options_and_metadata_are_limited_in_bytes(name: str) -> None:
    one = session(room_bytes_max=10)
    assert isinstance(action_of(V1, one, type="room:create", **{name: {"a": "xx"}}), Execute)
    told = refused(V1, one, type="room:create", **{name: {"a": "xxx"}})
    assert told == f"BAD_MESSAGE: The {name} of a room are at most 10 bytes."


@pytest.mark.parametrize("name", ["options", "metadata"])
def test_room_options_and_metadata_must_be_storable(name: str) -> None:
    assert refused(type="room:create", **{name: {"a": 2**64}}).startswith("BAD_VALUE")


def test_a_move_must_be_storable() -> None:
    assert refused(type="game:move", roomId="r", move={"a": 2**64}).startswith("BAD_VALUE")


def test_the_number_of_watched_friends_is_limited() -> None:
    one = session(friends_max=2)
    ids = ["8", 8, 9]
    assert action_of(V1, one, type="friends:subscribe", friendIds=ids) == WatchFriends(
        frozenset({8, 9})
    )
    said = refused(V1, one, type="friends:subscribe", friendIds=[8, 9, 10])
    assert said == "TOO_MANY_FRIENDS: At most 2 friends can be watched."


@pytest.mark.parametrize("type_", ["invite", "invite:send"])
def test_an_invite_names_a_user(type_: str) -> None:
    assert refused(type=type_).startswith("BAD_INVITE")
    assert refused(CLASSIC, type=type_, to=-1).startswith("BAD_INVITE")


# Ids and types


@pytest.mark.parametrize("id_", ["i", "x" * 64])
def test_a_v1_command_id_is_a_string(id_: str) -> None:
    assert session().receive(_text({"type": "ping", "id": id_}), 0).id == id_


def test_a_too_long_id_is_refused_and_returned() -> None:
    with pytest.raises(MessageRefused) as caught:
        session().receive(_text({"type": "ping", "id": "x" * 65}), 0)
    assert caught.value.id == "x" * 65


@pytest.mark.parametrize("id_", ["", 7, True, ["i"], {}])
def test_an_invalid_id_is_refused_without_an_id(id_: object) -> None:
    with pytest.raises(MessageRefused) as caught:
        session().receive(_text({"type": "ping", "id": id_}), 0)
    assert caught.value.id is None
    assert caught.value.error.message == "An `id` is a text of 1 to 64 characters."


def test_a_message_without_an_id_has_none() -> None:
    assert session().receive('{"type":"ping","id":null}', 0).id is None


def test_classic_messages_have_no_ids_and_socketio_ids_are_numbers() -> None:
    text = '{"type":"lobby:join","id":5}'
    assert session(CLASSIC).receive(text, 0).id is None
    assert session(SOCKET_IO).receive(text, 0).id == "5"


def test_the_current_message_type_is_known_after_decoding() -> None:
    one = session()
    assert one.type_received == ""
    one.receive('{"type":"ping"}', 0)
    assert one.type_received == "ping"
    with pytest.raises(MessageRefused):
        one.receive('{"type":"nothing"}', 0)
    assert one.type_received == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '{"type":"nothing"}',
            "There is no message of the type 'nothing'; the reference lists all types.",
        ),
        (
            '{"type":"%s"}' % ("x" * 99),
            "There is no message of the type '%s'; the reference lists all types." % ("x" * 40),
        ),
        ("7", "A message is a JSON object with a text `type`."),
        ('{"type":"room:join"}', "room:join: Object missing required field `roomId`."),
        ('{"type":"ping","id":"\\u0000"}', "A text has no NUL character."),
        ('{"type":"ping","id":' + "[" * 100_000, "A message is nested at most 32 levels deep."),
    ],
)
def test_each_error_message_says_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(MessageRefused) as caught:
        session().receive(text, 0)
    assert caught.value.error.message == said
    assert str(caught.value) == said


def test_truncated_json_after_a_bad_field_is_bad_json() -> None:
    with pytest.raises(MessageRefused) as caught:
        session().receive('{"type":"room:join","roomId":7,', 0)
    assert caught.value.error.code == "BAD_JSON"


def test_invalid_unicode_is_refused() -> None:
    with pytest.raises(MessageRefused) as caught:
        session().receive('{"type":"ping","id":"\ud800"}', 0)
    assert caught.value.error.code == "BAD_JSON"
