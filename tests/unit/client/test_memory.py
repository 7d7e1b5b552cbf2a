import pytest

from service.client.memory import Cursor, Greeting, Joins, Message

WELCOME = {"type": "welcome", "epoch": "e1", "position": 10}


def after(*messages: Message) -> Cursor:
    cursor = Cursor()
    cursor.query()
    for message in messages:
        cursor.take(message)
    return cursor


def test_the_first_connection_asks_for_nothing_and_begins_where_the_log_is() -> None:
    cursor = Cursor()
    assert cursor.query() == {}
    assert not cursor.take(WELCOME)
    assert not cursor.take({"type": "session:state", "inRoom": False, "roomId": None})
    assert cursor.take({"type": "user:list", "users": [], "v": 1})
    assert cursor.query() == {"since": "10", "epoch": "e1"}


def test_the_cursor_moves_on_by_events_heartbeats_and_the_end_of_a_resume() -> None:
    assert after(WELCOME, {"type": "room:left", "position": 12}).position == 12
    assert after(WELCOME, {"type": "heartbeat", "position": 15}).position == 15
    assert after(WELCOME, {"type": "resumed", "from": 10, "to": 20}).position == 20


def test_an_ack_moves_no_cursor_and_nothing_moves_it_back() -> None:
    assert after(WELCOME, {"type": "ack", "id": "1", "position": 30}).position == 10
    assert after(WELCOME, {"type": "heartbeat", "position": 9}).position == 10


def test_a_connection_that_resumes_does_not_begin_at_its_welcome() -> None:
    cursor = after(WELCOME)
    cursor.query()
    assert not cursor.take(WELCOME | {"position": 50})
    assert not cursor.take({"type": "user:list", "users": [], "v": 1})
    assert not cursor.take({"type": "room:left", "position": 12})
    # Lost again before the end: what came after 12 is still to come.
    assert cursor.query()["since"] == "12"
    assert cursor.take({"type": "resumed", "from": 12, "to": 50})
    assert cursor.position == 50


def test_a_resync_begins_anew_also_further_back_and_in_another_epoch() -> None:
    cursor = after(WELCOME)
    cursor.query()
    cursor.take({"type": "resync", "reason": "wrong_epoch", "epoch": "e2", "position": 3})
    assert cursor.query() == {"since": "3", "epoch": "e2"}


def joined(*answered: tuple[Message, Message]) -> Joins:
    joins = Joins()
    for command, answer in answered:
        joins.answered(command, answer)
    return joins


CREATED = ({"type": "room:create", "game": "relay"}, {"type": "ack", "roomId": "r1"})
WATCHED = ({"type": "room:join", "roomId": "r2", "role": "spectator"}, {"type": "ack"})
SEATED = ({"type": "game:join", "roomId": "r3"}, {"type": "ack"})


def test_each_room_is_joined_again_as_it_was_joined() -> None:
    assert joined(CREATED, WATCHED, SEATED).again([]) == [
        {"type": "room:join", "roomId": "r1"},
        {"type": "room:join", "roomId": "r2", "role": "spectator"},
        {"type": "game:join", "roomId": "r3"},
    ]


def test_a_room_that_was_left_or_is_closed_or_being_left_is_not_joined_again() -> None:
    joins = joined(CREATED, WATCHED, SEATED, ({"type": "game:leave", "roomId": "r3"}, {}))
    joins.take({"type": "room:left", "roomId": "r1", "userId": 8, "reason": "left"}, 7)
    joins.take({"type": "room:closed", "roomId": "r2"}, 7)
    assert [join["roomId"] for join in joins.again([])] == ["r1"]
    assert joins.again([{"type": "room:leave", "roomId": "r1"}]) == []
    joins.take({"type": "room:left", "roomId": "r1", "userId": 7, "reason": "kicked"}, 7)
    assert joins.again([]) == []


def test_who_lost_his_seat_while_away_only_watches_again() -> None:
    joins = joined(CREATED, WATCHED, SEATED)
    joins.take({"type": "session:kickIntro"}, 7)
    assert [join["roomId"] for join in joins.again([])] == ["r2"]


def test_who_watches_is_out_when_his_connection_is_lost_and_watches_again() -> None:
    joins = joined(WATCHED)
    joins.take({"type": "room:left", "roomId": "r2", "userId": 7, "reason": "offline"}, 7)
    assert [join["roomId"] for join in joins.again([])] == ["r2"]


SESSION_WITH_SEAT = {"type": "session:state", "inRoom": True, "roomId": "r1"}


@pytest.mark.parametrize(
    "message", [SESSION_WITH_SEAT, {"type": "room:start", "roomId": "r1", "players": []}]
)
def test_a_client_knows_of_its_seat_before_it_joins_the_room(message: Message) -> None:
    joins = Joins()
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
def test_a_seat_that_is_lost_is_known_to_be(message: Message) -> None:
    joins = Joins()
    joins.take(SESSION_WITH_SEAT, 7)
    joins.take(message, 7)
    assert not joins.has_seat


def test_a_room_that_is_only_watched_is_no_seat() -> None:
    assert not joined(WATCHED).has_seat
    assert joined(WATCHED, SEATED).has_seat
    assert not joined(WATCHED, SEATED, ({"type": "game:leave", "roomId": "r3"}, {})).has_seat


GREETS = WELCOME | {"features": ["greeted"]}
INVITE = {"type": "invite:received", "from": {"id": 8, "name": "Ben"}}
GREETED = {"type": "greeted", "to": 10}


def connection() -> tuple[Cursor, Greeting]:
    cursor = Cursor()
    cursor.query()
    return cursor, Greeting(cursor)


def test_what_stands_is_held_back_until_it_has_come_whole() -> None:
    cursor, greeting = connection()
    assert [greeting.take(one) for one in (GREETS, INVITE)] == [[], []]
    assert greeting.take(GREETED) == [GREETS, INVITE, GREETED]
    assert greeting.take(INVITE) == [INVITE]
    assert cursor.query() == {}


def test_a_greeting_that_broke_off_is_forgotten_and_nothing_resumed() -> None:
    cursor, greeting = connection()
    greeting.take(GREETS)
    greeting.take(INVITE)
    assert cursor.query() == {}
    greeting.begin()
    greeting.take(GREETS)
    assert greeting.take(GREETED) == [GREETS, GREETED]


def test_until_what_follows_a_resync_has_come_whole_nothing_is_resumed() -> None:
    cursor, greeting = connection()
    cursor.take(WELCOME)
    cursor.query()
    assert greeting.take(GREETS) == [GREETS], "what was missed may come, in order"
    resync = {"type": "resync", "reason": "too_old", "epoch": "e1", "position": 30}
    assert greeting.take(resync) == []
    assert cursor.query() == {}


def test_an_older_service_marks_no_end_and_nothing_is_held_back() -> None:
    _, greeting = connection()
    assert greeting.take(WELCOME) == [WELCOME]
    assert greeting.take(INVITE) == [INVITE]
