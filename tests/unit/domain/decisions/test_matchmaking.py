"""Decisions about matchmaking: the queues, and which users are paired."""

import pytest

from service.domain.commands.base import Command
from service.domain.commands.matchmaking import GiveUpSearch, JoinQueue, LeaveQueue
from service.domain.commands.presence import OpenSocket
from service.domain.errors import AlreadyInRoom, AlreadySearching, UnknownGame, UserOffline
from service.domain.events.base import Event
from service.domain.events.matches import MatchStarted
from service.domain.events.matchmaking import SearchCancelled, SearchGaveUp, SearchStarted
from service.domain.events.presence import SocketClosed, SocketOpened, UserWentOffline
from service.domain.events.rooms import PlayerSeated, RoomClosed, RoomCreated, SeatLeft
from service.domain.projections.room import Phase
from service.domain.projections.world import World
from tests.unit.domain.decisions.histories import (
    ANA,
    BEN,
    BROKEN,
    CLEO,
    DAN,
    lost,
    new_room,
    online,
    pong_room,
    tab,
    world_after,
)
from tests.unit.domain.scenario import scenario


def searching(*users: int, game: str = "pong") -> list[Event]:
    return [SearchStarted(user=user, game=game) for user in users]


JOIN = JoinQueue(ANA, "pong")
AT = len(online(ANA)) + 2
"""The position of the first event after Ana went online."""


# JoinQueue


def test_a_user_waits_while_nobody_else_does() -> None:
    scenario().given(*online(ANA, BEN)).when(JOIN).then(SearchStarted(user=ANA, game="pong"))


def test_a_user_is_paired_with_who_waits_already() -> None:
    scenario().given(*online(ANA, BEN), *searching(BEN)).when(JOIN).then(new_room("pong", BEN, ANA))


def test_a_user_is_paired_with_who_waits_longest() -> None:
    waiting = [*online(ANA, BEN, CLEO, DAN), *searching(CLEO, BEN, DAN)]
    scenario().given(*waiting).when(JOIN).then(new_room("pong", CLEO, ANA))


def test_a_user_is_paired_in_the_queue_of_their_game_only() -> None:
    waiting = [*online(ANA, BEN, CLEO), *searching(BEN), *searching(CLEO, game="connect_four")]
    scenario().given(*waiting).when(JoinQueue(ANA, "connect_four")).then(
        new_room("connect_four", CLEO, ANA)
    )
    scenario().given(*waiting).when(JoinQueue(ANA, "relay")).then(
        SearchStarted(user=ANA, game="relay")
    )


def test_nobody_is_paired_with_a_user_in_their_grace_period() -> None:
    waiting = [*online(ANA, BEN, CLEO), *searching(BEN), *lost(BEN)]
    scenario().given(*waiting).when(JOIN).then_types("search.started")
    scenario().given(*waiting, *searching(CLEO)).when(JOIN).then(new_room("pong", CLEO, ANA))


def test_nobody_waits_for_a_game_that_does_not_exist() -> None:
    scenario().given(*online(ANA)).when(JoinQueue(ANA, "chess")).then_refused(UnknownGame)


def test_a_user_who_waits_already_does_not_wait_again() -> None:
    scenario().given(*online(ANA), *searching(ANA)).when(JOIN).then_refused(AlreadySearching)


def test_a_user_waits_in_several_queues_at_once() -> None:
    scenario().given(*online(ANA), *searching(ANA, game="relay")).when(JOIN).then_types(
        "search.started"
    )


@pytest.mark.parametrize("given", [[], online(BEN), [*online(ANA), *lost(ANA)]])
def test_a_user_who_is_not_connected_does_not_join_a_queue(given: list[Event]) -> None:
    scenario().given(*given).when(JOIN).then_refused(UserOffline)


@pytest.mark.parametrize("phase", ["gathering", "ready", "playing"])
def test_a_user_who_is_busy_in_a_room_does_not_wait(phase: Phase) -> None:
    given = [*online(ANA, BEN), *pong_room(ANA, BEN, phase=phase)]
    scenario().given(*given).when(JOIN).then_refused(AlreadyInRoom)


def test_a_user_who_waits_stays_in_the_room_of_their_finished_match() -> None:
    given = [*online(ANA, BEN), *pong_room(ANA, BEN, phase="finished")]
    scenario().given(*given).when(JOIN).then_types("search.started")


def test_those_who_are_paired_leave_their_finished_rooms() -> None:
    given = [
        *online(ANA, BEN, CLEO, DAN),
        *pong_room(ANA, CLEO, phase="finished", room="one"),
        *pong_room(DAN, BEN, phase="finished", room="two"),
        *searching(BEN),
    ]
    scenario().given(*given).when(JOIN).then(
        SeatLeft(room="two", user=BEN),
        SeatLeft(room="one", user=ANA),
        new_room("pong", BEN, ANA),
    )


def test_a_user_who_was_alone_in_their_finished_room_closes_it() -> None:
    given = [*online(ANA, BEN), *pong_room(BEN, ANA, phase="finished"), *searching(BEN)]
    scenario().given(*given).when(JOIN).then_types(
        "seat.left", "seat.left", "room.closed", "room.created"
    )


def test_joining_a_queue_locks_it_and_the_user() -> None:
    assert JOIN.streams(World()) == {"queue:pong", "user:1"}
    waiting = [
        *online(ANA, BEN, CLEO),
        *searching(BEN, game="relay"),
        *searching(CLEO),
        *lost(CLEO),
    ]
    assert JOIN.streams(world_after(*waiting)) == {"queue:pong", "user:1"}


def test_joining_a_queue_locks_the_opponent_though_the_user_waits_longer() -> None:
    waiting = [*online(ANA, BEN), *searching(ANA, BEN)]
    assert JOIN.streams(world_after(*waiting)) == {"queue:pong", "user:1", "user:2"}


def test_joining_a_queue_locks_the_opponent_and_the_rooms_that_both_leave() -> None:
    world = world_after(
        *online(ANA, BEN, CLEO, DAN),
        *pong_room(ANA, CLEO, phase="finished", room="one"),
        *pong_room(DAN, BEN, phase="finished", room="two"),
        *searching(BEN, CLEO),
    )
    assert JOIN.streams(world) == {"queue:pong", "user:1", "user:2", "room:one", "room:two"}


# LeaveQueue and GiveUpSearch


def test_a_search_is_cancelled() -> None:
    scenario().given(*online(ANA), *searching(ANA)).when(LeaveQueue(ANA, "pong")).then(
        SearchCancelled(user=ANA, game="pong")
    )


@pytest.mark.parametrize(
    "given",
    [
        [],
        searching(BEN),
        searching(ANA, game="relay"),
        [*searching(ANA), SearchGaveUp(user=ANA, game="pong")],
    ],
)
def test_a_search_that_is_not_there_is_not_cancelled(given: list[Event]) -> None:
    scenario().given(*online(ANA, BEN), *given).when(LeaveQueue(ANA, "pong")).then_nothing()


def test_a_search_gives_up_when_its_time_is_over() -> None:
    scenario().given(*online(ANA), *searching(ANA)).when(GiveUpSearch(ANA, "pong", AT)).then(
        SearchGaveUp(user=ANA, game="pong")
    )


@pytest.mark.parametrize(
    "command",
    [
        GiveUpSearch(ANA, "pong", AT - 1),
        GiveUpSearch(ANA, "pong", AT + 1),
        GiveUpSearch(ANA, "relay", AT),
        GiveUpSearch(BEN, "pong", AT),
    ],
)
def test_another_search_does_not_give_up(command: Command) -> None:
    scenario().given(*online(ANA), *searching(ANA)).when(command).then_nothing()


def test_a_search_that_has_ended_does_not_give_up() -> None:
    scenario().given(*online(ANA), *searching(ANA), LeaveQueue(ANA, "pong")).when(
        GiveUpSearch(ANA, "pong", AT)
    ).then_nothing()


@pytest.mark.parametrize(
    "command", [LeaveQueue(ANA, "pong"), GiveUpSearch(ANA, "pong", AT)], ids=["leave", "give up"]
)
def test_leaving_a_queue_and_giving_up_lock_the_queue_and_the_user(command: Command) -> None:
    assert command.streams(World()) == {"queue:pong", "user:1"}


# Returning to a queue

BACK = OpenSocket(ANA, tab(ANA, "b"))
OPENED = SocketOpened(user=ANA, socket=tab(ANA, "b"))


def test_a_user_who_comes_back_is_paired_with_who_waits_longest() -> None:
    waiting = [*online(ANA, BEN, CLEO), *searching(ANA), *lost(ANA), *searching(CLEO, BEN)]
    scenario().given(*waiting).when(BACK).then(OPENED, new_room("pong", CLEO, ANA))


def test_a_user_who_comes_back_waits_on_while_nobody_else_is_here() -> None:
    waiting = [*online(ANA, BEN, CLEO), *searching(ANA, BEN), *lost(ANA, BEN)]
    scenario().given(*waiting).when(BACK).then(OPENED)
    scenario().given(*waiting, *searching(CLEO, game="relay")).when(BACK).then(OPENED)


def test_a_user_who_comes_back_and_does_not_wait_is_paired_with_nobody() -> None:
    scenario().given(*online(ANA, BEN), *lost(ANA), *searching(BEN)).when(BACK).then(OPENED)


def test_a_user_who_comes_back_is_paired_in_one_queue_only() -> None:
    waiting = [
        *online(ANA, BEN, CLEO),
        *searching(ANA, game="connect_four"),
        *searching(ANA),
        *lost(ANA),
        *searching(BEN),
        *searching(CLEO, game="connect_four"),
    ]
    scenario().given(*waiting).when(BACK).then(OPENED, new_room("connect_four", CLEO, ANA))


def test_a_user_who_comes_back_is_paired_in_the_first_queue_where_somebody_is_here() -> None:
    waiting = [
        *online(ANA, BEN),
        *searching(ANA, game="connect_four"),
        *searching(ANA),
        *lost(ANA),
        *searching(BEN),
    ]
    scenario().given(*waiting).when(BACK).then(OPENED, new_room("pong", BEN, ANA))


def test_nobody_is_paired_for_a_game_that_is_no_longer_available() -> None:
    waiting = [*online(ANA, BEN), *searching(ANA, game="chess"), *searching(ANA), *lost(ANA)]
    scenario().given(*waiting, *searching(BEN, game="chess")).when(BACK).then(OPENED)
    scenario().given(*waiting, *searching(BEN, game="chess"), *searching(BEN)).when(BACK).then(
        OPENED, new_room("pong", BEN, ANA)
    )


def test_one_socket_more_of_a_user_who_waits_pairs_nobody() -> None:
    waiting = [*online(ANA, BEN), *searching(ANA, BEN)]
    scenario().given(*waiting).when(BACK).then(OPENED)
    assert BACK.streams(world_after(*waiting)) == {"user:1"}


def test_a_user_who_comes_back_locks_the_queues_where_they_wait() -> None:
    finished = [*online(ANA, BEN), *pong_room(ANA, BEN, phase="finished")]
    waiting = [*finished, *searching(ANA), *searching(ANA, game="relay"), *lost(ANA)]
    others = searching(BEN, game="connect_four")
    assert BACK.streams(world_after(*waiting, *others)) == {"user:1", "queue:pong", "queue:relay"}


def test_a_user_who_comes_back_locks_the_opponents_of_every_queue_and_the_rooms_that_are_left() -> (
    None
):
    world = world_after(
        *online(ANA, BEN, CLEO, DAN),
        *pong_room(ANA, DAN, phase="finished", room="one"),
        *pong_room(CLEO, DAN, phase="finished", room="two"),
        *searching(ANA),
        *searching(ANA, game="relay"),
        *lost(ANA),
        *searching(BEN),
        *searching(CLEO, DAN, game="relay"),
    )
    users = {"user:1", "user:2", "user:3"}
    assert BACK.streams(world) == users | {"queue:pong", "queue:relay", "room:one", "room:two"}


# The projection

WAITING = [*online(ANA, BEN), *searching(ANA, BEN), *searching(BEN, game="relay")]
FIRST = len(online(ANA, BEN)) + 2
ANA_WAITS = {"pong": {ANA: FIRST}}
BEN_WAITS = {"pong": {BEN: FIRST + 1}, "relay": {BEN: FIRST + 2}}


def test_users_wait_since_their_search_started_in_the_order_of_coming() -> None:
    matchmaking = world_after(*WAITING).matchmaking
    assert {game: list(queue.items()) for game, queue in matchmaking.queues.items()} == {
        "pong": [(ANA, FIRST), (BEN, FIRST + 1)],
        "relay": [(BEN, FIRST + 2)],
    }
    assert matchmaking.waiting_since(BEN, "pong") == FIRST + 1
    assert matchmaking.waiting_since(ANA, "relay") is None
    assert matchmaking.waiting_since(ANA, "connect_four") is None


def test_the_games_for_which_a_user_waits_are_found() -> None:
    matchmaking = world_after(*WAITING).matchmaking
    assert matchmaking.searched_by(BEN) == ["pong", "relay"]
    assert matchmaking.searched_by(ANA) == ["pong"]
    assert matchmaking.searched_by(CLEO) == []


def test_an_opponent_is_another_user_who_is_here() -> None:
    world = world_after(*WAITING)
    assert world.matchmaking.opponents_of(ANA, "pong", world.presence) == [BEN]
    assert world.matchmaking.opponents_of(CLEO, "pong", world.presence) == [ANA]
    assert world.matchmaking.opponents_of(BEN, "relay", world.presence) == []
    assert world.matchmaking.opponents_of(ANA, "connect_four", world.presence) == []


@pytest.mark.parametrize("over", [SearchCancelled, SearchGaveUp])
def test_a_search_that_is_over_ends_for_its_game_only(
    over: type[SearchCancelled | SearchGaveUp],
) -> None:
    queues = world_after(*WAITING, over(user=BEN, game="pong")).matchmaking.queues
    assert queues == {**ANA_WAITS, "relay": {BEN: FIRST + 2}}
    queues = world_after(*WAITING, over(user=BEN, game="relay")).matchmaking.queues
    assert queues == {"pong": {ANA: FIRST, BEN: FIRST + 1}}
    queues = world_after(*WAITING, over(user=CLEO, game="pong")).matchmaking.queues
    assert list(queues) == ["pong", "relay"]
    assert world_after(over(user=CLEO, game="pong")).matchmaking.queues == {}


def test_a_user_who_is_gone_waits_no_longer() -> None:
    gone = [SocketClosed(user=BEN, socket=tab(BEN), code=BROKEN), UserWentOffline(user=BEN)]
    assert world_after(*WAITING, *gone).matchmaking.queues == ANA_WAITS


def test_a_user_who_is_in_their_grace_period_waits_on() -> None:
    queues = world_after(*WAITING, *lost(ANA)).matchmaking.queues
    assert queues == {"pong": {ANA: FIRST, BEN: FIRST + 1}, "relay": {BEN: FIRST + 2}}


def hosted(*users: int) -> list[Event]:
    created = RoomCreated(
        room="hosted", game="pong", players=[], options={}, seats_min=2, seats_max=2, host=99
    )
    seats = [PlayerSeated(room="hosted", user=user, seat=seat) for seat, user in enumerate(users)]
    return [created, *seats]


def test_a_user_who_takes_a_seat_waits_no_longer() -> None:
    assert world_after(*WAITING, *hosted(ANA)).matchmaking.queues == BEN_WAITS


def test_all_who_get_a_room_wait_no_longer() -> None:
    both = world_after(*WAITING, new_room("relay", CLEO, BEN), *searching(CLEO)).matchmaking
    assert list(both.queues["pong"]) == [ANA, CLEO]
    assert world_after(*WAITING, new_room("pong", BEN, ANA)).matchmaking.queues == {}


def test_all_who_play_a_rematch_wait_no_longer() -> None:
    given = [*online(ANA, BEN, CLEO), *pong_room(CLEO, BEN, phase="finished")]
    rematch = MatchStarted(
        match="old-2",
        tick=0,
        game="pong",
        rules_version=1,
        players=[CLEO, BEN],
        seed=7,
        options={},
        pace="ticks",
        turn_s=None,
    )
    queues = world_after(*given, *searching(ANA, BEN, CLEO), rematch).matchmaking.queues
    assert list(queues["pong"]) == [ANA]


def test_a_room_that_closes_brings_nobody_back_to_a_queue() -> None:
    world = world_after(
        *WAITING, new_room("pong", BEN, ANA), RoomClosed(room="room", reason="untaken")
    )
    assert world.matchmaking.queues == {}
