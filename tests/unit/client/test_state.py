import pytest

from service.client.state import Cursor, FrameRate, GreetingBuffer, JoinedRooms, Message

WELCOME = {"type": "welcome", "epoch": "e1", "position": 10}


def after(*messages: Message) -> Cursor:
    cursor = Cursor()
    cursor.query()
    for message in messages:
        cursor.take(message)
    return cursor


def test_the_first_connection_starts_at_the_head_of_the_log() -> None:
    cursor = Cursor()
    assert cursor.query() == {}
    assert not cursor.take(WELCOME)
    assert not cursor.take({"type": "session:state", "inRoom": False, "roomId": None})
    assert cursor.take({"type": "user:list", "users": [], "v": 1})
    assert cursor.query() == {"since": "10", "epoch": "e1"}


def test_the_cursor_advances_by_events_heartbeats_and_resumed() -> None:
    assert after(WELCOME, {"type": "room:left", "position": 12}).position == 12
    assert after(WELCOME, {"type": "heartbeat", "position": 15}).position == 15
    assert after(WELCOME, {"type": "resumed", "from": 10, "to": 20}).position == 20


def test_the_cursor_ignores_acks_and_never_moves_back() -> None:
    assert after(WELCOME, {"type": "ack", "id": "1", "position": 30}).position == 10
    assert after(WELCOME, {"type": "heartbeat", "position": 9}).position == 10


def test_a_resuming_connection_does_not_start_at_its_welcome() -> None:
    cursor = after(WELCOME)
    cursor.query()
    assert not cursor.take(WELCOME | {"position": 50})
    assert not cursor.take({"type": "user:list", "users": [], "v": 1})
    assert not cursor.take({"type": "room:left", "position": 12})
    # Disconnected again before the end: messages after 12 are still pending.
    assert cursor.query()["since"] == "12"
    assert cursor.take({"type": "resumed", "from": 12, "to": 50})
    assert cursor.position == 50


def test_a_resync_resets_the_cursor_and_epoch() -> None:
    cursor = after(WELCOME)
    cursor.query()
    cursor.take({"type": "resync", "reason": "wrong_epoch", "epoch": "e2", "position": 3})
    assert cursor.query() == {"since": "3", "epoch": "e2"}


def joined(*answered: tuple[Message, Message]) -> JoinedRooms:
    joins = JoinedRooms()
    for command, answer in answered:
        joins.answered(command, answer)
    return joins


CREATED = ({"type": "room:create", "game": "relay"}, {"type": "ack", "roomId": "r1"})
WATCHED = ({"type": "room:join", "roomId": "r2", "role": "spectator"}, {"type": "ack"})
SEATED = ({"type": "game:join", "roomId": "r3"}, {"type": "ack"})


def test_each_room_is_rejoined_in_the_same_role() -> None:
    assert joined(CREATED, WATCHED, SEATED).again([]) == [
        {"type": "room:join", "roomId": "r1"},
        {"type": "room:join", "roomId": "r2", "role": "spectator"},
        {"type": "game:join", "roomId": "r3"},
    ]


def test_a_left_or_closed_room_is_not_rejoined() -> None:
    joins = joined(CREATED, WATCHED, SEATED, ({"type": "game:leave", "roomId": "r3"}, {}))
    joins.take({"type": "room:left", "roomId": "r1", "userId": 8, "reason": "left"}, 7)
    joins.take({"type": "room:closed", "roomId": "r2"}, 7)
    assert [join["roomId"] for join in joins.again([])] == ["r1"]
    assert joins.again([{"type": "room:leave", "roomId": "r1"}]) == []
    joins.take({"type": "room:left", "roomId": "r1", "userId": 7, "reason": "kicked"}, 7)
    assert joins.again([]) == []


def test_a_lost_seat_is_rejoined_as_spectator() -> None:
    joins = joined(CREATED, WATCHED, SEATED)
    joins.take({"type": "session:kickIntro"}, 7)
    assert [join["roomId"] for join in joins.again([])] == ["r2"]


def test_a_spectator_rejoins_after_a_disconnect() -> None:
    joins = joined(WATCHED)
    joins.take({"type": "room:left", "roomId": "r2", "userId": 7, "reason": "offline"}, 7)
    assert [join["roomId"] for join in joins.again([])] == ["r2"]


SESSION_WITH_SEAT = {"type": "session:state", "inRoom": True, "roomId": "r1"}


@pytest.mark.parametrize(
    "message", [SESSION_WITH_SEAT, {"type": "room:start", "roomId": "r1", "players": []}]
)
def test_a_seat_is_known_before_the_room_is_joined(message: Message) -> None:
    joins = JoinedRooms()
    joins.take(message, 7)
    joins.take({"type": "room:left", "roomId": "r1", "userId": 8, "reason": "left"}, 7)
    assert joins.has_seat


@pytest.mark.parametrize(
    "message",
    [
        {"type": "room:left", "roomId": "r1", "userId": 7, "reason": "forfeited"},
        {"type": "room:closed", "roomId": "r1", "reason": "left"},
        {"type": "session:kickIntro"},
        {"type": "session:state", "inRoom": False, "roomId": None},
    ],
)
def test_a_lost_seat_is_noticed(message: Message) -> None:
    joins = JoinedRooms()
    joins.take(SESSION_WITH_SEAT, 7)
    joins.take(message, 7)
    assert not joins.has_seat


def test_watching_a_room_is_not_a_seat() -> None:
    assert not joined(WATCHED).has_seat
    assert joined(WATCHED, SEATED).has_seat
    assert not joined(WATCHED, SEATED, ({"type": "game:leave", "roomId": "r3"}, {})).has_seat


GREETS = WELCOME | {"features": ["greeted"]}
INVITE = {"type": "invite:received", "from": {"id": 8, "name": "Ben"}}
GREETED = {"type": "greeted", "to": 10}


def connection() -> tuple[Cursor, GreetingBuffer]:
    cursor = Cursor()
    cursor.query()
    return cursor, GreetingBuffer(cursor)


def test_the_greeting_is_buffered_until_it_is_complete() -> None:
    cursor, greeting = connection()
    assert [greeting.take(one) for one in (GREETS, INVITE)] == [[], []]
    assert greeting.take(GREETED) == [GREETS, INVITE, GREETED]
    assert greeting.take(INVITE) == [INVITE]
    assert cursor.query() == {}


def test_an_incomplete_greeting_is_discarded_and_not_resumed() -> None:
    cursor, greeting = connection()
    greeting.take(GREETS)
    greeting.take(INVITE)
    assert cursor.query() == {}
    greeting.begin()
    greeting.take(GREETS)
    assert greeting.take(GREETED) == [GREETS, GREETED]


def test_nothing_is_resumed_until_a_resync_is_complete() -> None:
    cursor, greeting = connection()
    cursor.take(WELCOME)
    cursor.query()
    assert greeting.take(GREETS) == [GREETS], "what was missed may come, in order"
    resync = {"type": "resync", "reason": "too_old", "epoch": "e1", "position": 30}
    assert greeting.take(resync) == []
    assert cursor.query() == {}


def test_nothing_is_buffered_for_a_service_without_greeted() -> None:
    _, greeting = connection()
    assert greeting.take(WELCOME) == [WELCOME]
    assert greeting.take(INVITE) == [INVITE]


def test_no_frame_rate_is_asked_for_unless_one_is_wanted() -> None:
    rate = FrameRate(None)
    assert (rate.hz, rate.query()) == (60, {})


def test_the_frame_rate_is_the_one_that_the_service_grants() -> None:
    rate = FrameRate(30)
    assert rate.query() == {"frameHz": "30"}
    rate.take_welcome(WELCOME | {"frameHz": 20})
    assert rate.hz == 20
    rate.take_welcome(WELCOME)
    assert rate.hz == 60


def test_a_frame_rate_that_was_set_is_asked_for_by_later_connections() -> None:
    rate = FrameRate(30)
    rate.answered({"type": "frames:set", "frameHz": 20})
    rate.answered({"type": "room:leave", "roomId": "r"})
    assert (rate.hz, rate.query()) == (20, {"frameHz": "20"})
