"""Decisions about seats: joining with sockets, readiness, and the start of a match."""

from __future__ import annotations

import msgspec
import pytest

from service.domain.commands.base import Command
from service.domain.commands.seats import BeginMatch, ForfeitSeat, LeaveRoom, SetReady, TakeSeat
from service.domain.errors import (
    MatchAlreadyStarted,
    NotConnected,
    NotInRoom,
    RoomNotFound,
    RoomNotReady,
    UnknownGame,
)
from service.domain.events.base import Event
from service.domain.events.matches import ClockState, MatchResumed
from service.domain.events.rooms import PlayerReadied, SeatForfeited, SeatLeft, SeatTaken
from service.domain.projections.world import World
from service.games.catalogue import GAMES
from tests.unit.domain.decisions.histories import (
    ANA,
    BEN,
    CLEO,
    DAN,
    READY,
    hosted,
    lost,
    made,
    online,
    opened,
    over,
    paused,
    playing,
    resumed,
    seated,
    started,
    taken,
    void,
    wishes,
)
from tests.unit.domain.decisions.tag import scenario
from tests.unit.domain.story import ROOM

TAKES = TakeSeat(ANA, "n1.1.1a", ROOM)
BEGINS = BeginMatch(ANA, ROOM)
READIES = SetReady(ANA, ROOM, ready=True)
RELENTS = SetReady(ANA, ROOM, ready=False)

TAKEN = SeatTaken(room=ROOM, user=ANA, socket="n1.1.1a")
READIED = PlayerReadied(room=ROOM, user=ANA, ready=True)
RELENTED = PlayerReadied(room=ROOM, user=ANA, ready=False)

ALL_HERE = [*online(ANA, BEN), *made(ANA, BEN), *taken(ANA, BEN), READY]
"""A room that was made for two, who are both here."""

IN_A_HOSTS_ROOM = [*online(ANA, BEN), *hosted(ANA, BEN), READY]
"""A host's room for two to four, with two who are both here."""


@pytest.mark.parametrize(
    ("command", "locks"),
    [
        (TAKES, {"user:1", "room:room"}),
        (BEGINS, {"room:room"}),
        (READIES, {"room:room"}),
        (LeaveRoom(ANA, ROOM), {"user:1", "room:room"}),
        (ForfeitSeat(ANA, ROOM, 5), {"user:1", "room:room"}),
    ],
)
def test_each_command_locks_the_room_and_the_user_whose_seat_may_change(
    command: Command, locks: set[str]
) -> None:
    assert command.streams(World()) == locks


# TakeSeat


@pytest.mark.parametrize("command", [TAKES, BEGINS, READIES, RELENTS, LeaveRoom(ANA, ROOM)])
def test_a_room_that_is_not_there_is_not_found(command: Command) -> None:
    scenario().given(*online(ANA)).when(command).then_refused(RoomNotFound)


@pytest.mark.parametrize("command", [TAKES, BEGINS, READIES, RELENTS, LeaveRoom(ANA, ROOM)])
def test_those_without_a_seat_are_refused(command: Command) -> None:
    scenario().given(*online(ANA, BEN, CLEO), *made(BEN, CLEO)).when(command).then_refused(
        NotInRoom
    )


def test_the_first_player_takes_their_seat_and_waits() -> None:
    scenario().given(*online(ANA, BEN), *made(ANA, BEN)).when(TAKES).then(TAKEN)


def test_the_last_player_to_come_makes_the_room_ready() -> None:
    scenario().given(*online(ANA, BEN), *made(ANA, BEN), *taken(BEN)).when(TAKES).then(TAKEN, READY)


def test_one_of_the_others_is_enough_to_wait_for() -> None:
    given = [*online(ANA, BEN, CLEO), *made(ANA, BEN, CLEO), *taken(BEN)]
    scenario().given(*given).when(TAKES).then(TAKEN)


def test_a_socket_that_shows_the_game_takes_nothing_again() -> None:
    scenario().given(*online(ANA, BEN), *made(ANA, BEN), *taken(ANA)).when(TAKES).then_nothing()


def test_a_second_socket_of_a_player_is_no_second_player() -> None:
    given = [*online(ANA, tabs="ab"), *online(BEN), *made(ANA, BEN), *taken(ANA, letter="b")]
    scenario().given(*given).when(TAKES).then(TAKEN)


def test_a_second_socket_in_a_room_that_is_ready_makes_nothing_ready_again() -> None:
    scenario().given(*ALL_HERE, *opened(ANA, "b")).when(TakeSeat(ANA, "n1.1.1b", ROOM)).then(
        SeatTaken(room=ROOM, user=ANA, socket="n1.1.1b")
    )


@pytest.mark.parametrize("given", [online(BEN), [*online(ANA, BEN), *lost(ANA)]])
def test_a_closed_connection_takes_no_seat(given: list[Event]) -> None:
    scenario().given(*given, *made(ANA, BEN)).when(TAKES).then_refused(NotConnected)


def test_a_socket_of_another_user_takes_no_seat() -> None:
    scenario().given(*online(ANA, BEN), *made(ANA, BEN)).when(
        TakeSeat(ANA, "n1.1.2a", ROOM)
    ).then_refused(NotConnected)


def test_too_few_players_make_no_room_ready() -> None:
    given = [*online(ANA), *hosted(ANA, seats_min=2), *lost(ANA), *opened(ANA, "b")]
    scenario().given(*given).when(TakeSeat(ANA, "n1.1.1b", ROOM)).then(
        SeatTaken(room=ROOM, user=ANA, socket="n1.1.1b")
    )


@pytest.mark.parametrize(("seats_min", "events"), [(2, [READY]), (3, [])])
def test_as_many_players_as_a_match_needs_make_the_room_ready(
    seats_min: int, events: list[Event]
) -> None:
    given = [*online(ANA, BEN), *hosted(ANA, BEN, seats_min=seats_min), *lost(ANA)]
    scenario().given(*given, *opened(ANA, "b")).when(TakeSeat(ANA, "n1.1.1b", ROOM)).then(
        SeatTaken(room=ROOM, user=ANA, socket="n1.1.1b"), *events
    )


def test_a_match_that_all_have_asked_for_starts_when_the_last_one_is_back() -> None:
    given = [*IN_A_HOSTS_ROOM, *lost(ANA), *opened(ANA, "b"), *wishes(ANA, BEN)]
    scenario().given(*given).when(TakeSeat(ANA, "n1.1.1b", ROOM)).then(
        SeatTaken(room=ROOM, user=ANA, socket="n1.1.1b"), started(ANA, BEN)
    )


def test_a_rematch_that_all_have_asked_for_starts_when_the_last_one_is_back() -> None:
    given = [*playing(ANA, BEN), over("timeup", None, 2), *lost(ANA), *opened(ANA, "b")]
    scenario().given(*given, *wishes(ANA, BEN)).when(TakeSeat(ANA, "n1.1.1b", ROOM)).then(
        SeatTaken(room=ROOM, user=ANA, socket="n1.1.1b"), started(ANA, BEN, number=2)
    )


@pytest.mark.parametrize("asked", [[], [ANA], [BEN]])
def test_a_match_that_only_some_have_asked_for_does_not_start(asked: list[int]) -> None:
    given = [*IN_A_HOSTS_ROOM, *lost(ANA), *opened(ANA, "b"), *wishes(*asked)]
    scenario().given(*given).when(TakeSeat(ANA, "n1.1.1b", ROOM)).then(
        SeatTaken(room=ROOM, user=ANA, socket="n1.1.1b")
    )


@pytest.mark.parametrize(("seats_min", "begins"), [(2, True), (3, False)])
def test_a_match_starts_only_with_as_many_as_it_needs(seats_min: int, *, begins: bool) -> None:
    given = [*online(ANA, BEN), *hosted(ANA, BEN, seats_min=seats_min), READY]
    scenario().given(*given, *wishes(ANA, BEN), *lost(ANA), *opened(ANA, "b")).when(
        TakeSeat(ANA, "n1.1.1b", ROOM)
    ).then(
        SeatTaken(room=ROOM, user=ANA, socket="n1.1.1b"), *([started(ANA, BEN)] if begins else [])
    )


def test_rules_that_fail_keep_no_player_from_coming_back() -> None:
    given = [*online(ANA, BEN), *hosted(ANA, BEN, options={"teams": 13}), READY]
    scenario().given(*given, *lost(ANA), *opened(ANA, "b"), *wishes(ANA, BEN)).when(
        TakeSeat(ANA, "n1.1.1b", ROOM)
    ).then(SeatTaken(room=ROOM, user=ANA, socket="n1.1.1b"))


# TakeSeat in a match

TAKES_B = TakeSeat(ANA, "n1.1.1b", ROOM)
TAKEN_B = SeatTaken(room=ROOM, user=ANA, socket="n1.1.1b")


def test_a_second_socket_in_a_match_changes_nothing_of_it() -> None:
    scenario().given(*playing(ANA, BEN), *opened(ANA, "b")).when(TAKES_B).then(TAKEN_B)


def test_a_paused_match_continues_when_the_player_who_was_missed_is_back() -> None:
    given = [*playing(ANA, BEN), *lost(ANA), paused(2), *opened(ANA, "b")]
    scenario().given(*given).when(TAKES_B).then(TAKEN_B, resumed(2))


def test_a_paused_match_waits_for_everybody_who_is_missed() -> None:
    given = [*playing(ANA, BEN), *lost(ANA, BEN), paused(2), *opened(ANA, "b")]
    scenario().given(*given).when(TAKES_B).then(TAKEN_B)


def test_a_match_waits_for_nobody_who_has_left_it() -> None:
    left = [SeatLeft(room=ROOM, user=CLEO)]
    given = [*playing(ANA, BEN, CLEO), *left, *lost(ANA), paused(3), *opened(ANA, "b")]
    scenario().given(*given).when(TAKES_B).then(TAKEN_B, resumed(3))


@pytest.mark.parametrize(("comes", "winner"), [(ANA, 0), (BEN, 1)])
def test_a_user_who_comes_back_first_after_the_other_has_forfeited_wins(
    comes: int, winner: int
) -> None:
    forfeited = SeatForfeited(room=ROOM, user=ANA + BEN - comes)
    given = [*playing(ANA, BEN), *lost(ANA, BEN), paused(2), forfeited, *opened(comes, "b")]
    scenario().given(*given).when(TakeSeat(comes, f"n1.1.{comes}b", ROOM)).then(
        SeatTaken(room=ROOM, user=comes, socket=f"n1.1.{comes}b"), over("forfeit", winner, 2)
    )


def test_as_many_as_the_game_needs_go_on_without_the_others() -> None:
    forfeited = [SeatForfeited(room=ROOM, user=CLEO)]
    given = [*playing(ANA, BEN, CLEO), *lost(ANA, BEN, CLEO), paused(3), *forfeited]
    scenario().given(*given, *opened(ANA, "b"), *opened(BEN, "b"), *taken(BEN, letter="b")).when(
        TAKES_B
    ).then(TAKEN_B, MatchResumed(match="room-1", tick=0, run=1, spent_ms=[0, 0, 0]))


def test_a_match_whose_rules_are_not_available_needs_all_its_players_and_is_void() -> None:
    forfeited = [SeatForfeited(room=ROOM, user=CLEO)]
    given = [*playing(ANA, BEN, CLEO, rules_version=99), *lost(ANA), *forfeited]
    scenario().given(*given, *opened(ANA, "b")).when(TAKES_B).then(TAKEN_B, void(3))


def test_a_match_whose_rules_are_not_available_goes_on_while_nobody_has_left_it() -> None:
    given = [*playing(ANA, BEN, CLEO, rules_version=99), *lost(ANA), paused(3)]
    scenario().given(*given, *opened(ANA, "b")).when(TAKES_B).then(TAKEN_B, resumed(3))


# BeginMatch


def test_any_player_starts_the_match_of_a_room_that_was_created_for_them() -> None:
    scenario().given(*ALL_HERE).when(BEGINS).then(started(ANA, BEN))


def test_the_seed_the_options_and_the_number_of_players_set_the_match_up() -> None:
    options = {"teams": 3, "reconnect_grace_s": 1}
    given = [*online(ANA, BEN), *made(ANA, BEN, options=options), *taken(ANA, BEN), READY]
    scenario().given(*given).when(BEGINS).then(started(ANA, BEN, options=options, turn_s=7203.0))


@pytest.mark.parametrize(
    ("game", "pace", "turn_s"),
    [("pong", "ticks", None), ("connect_four", "turns", 30), ("relay", "free", None)],
)
def test_the_game_says_what_moves_the_match_on(game: str, pace: str, turn_s: float | None) -> None:
    given = [*online(ANA, BEN), *made(ANA, BEN, game=game), *taken(ANA, BEN), READY]
    is_timed = turn_s is not None
    begun = started(ANA, BEN, game=game, rules_version=1 + is_timed, pace=pace, turn_s=turn_s)
    if is_timed:
        # The seed says who begins.
        begun = msgspec.structs.replace(begun, clock=ClockState(30_000, running=[1]))
    scenario().given(*given).when(BEGINS).then(begun)


@pytest.mark.parametrize("command", [BEGINS, READIES])
def test_a_match_of_a_game_that_is_no_longer_available_does_not_start(command: Command) -> None:
    given = [*online(ANA, BEN), *made(ANA, BEN, game="ludo" * 11), *taken(ANA, BEN), READY]
    outcome = scenario().given(*given, *wishes(BEN)).when(command)
    outcome.then_refused(UnknownGame)
    assert outcome.refused is not None
    assert outcome.refused.message == (
        f"There is no game '{'ludo' * 10}': {', '.join([*GAMES, 'tag'])}."
    )


@pytest.mark.parametrize("command", [BEGINS, READIES, RELENTS])
def test_a_match_that_is_played_does_not_start_again(command: Command) -> None:
    scenario().given(*playing(ANA, BEN)).when(command).then_refused(MatchAlreadyStarted)


@pytest.mark.parametrize("away", [[ANA], [BEN], [ANA, BEN]])
def test_nobody_starts_a_match_while_a_player_is_missing(away: list[int]) -> None:
    scenario().given(*ALL_HERE, *lost(*away)).when(BEGINS).then_refused(RoomNotReady)


@pytest.mark.parametrize("seats_min", [2, 3])
def test_nobody_starts_a_match_with_fewer_players_than_it_needs(seats_min: int) -> None:
    outcome = scenario().given(*online(ANA, BEN), *hosted(ANA, BEN, seats_min=seats_min), READY)
    if seats_min == 3:
        outcome.when(BEGINS).then_refused(RoomNotReady)
    else:
        outcome.when(BEGINS).then(READIED)


def test_in_a_hosts_room_to_begin_is_to_be_ready() -> None:
    scenario().given(*IN_A_HOSTS_ROOM).when(BEGINS).then(READIED)
    scenario().given(*IN_A_HOSTS_ROOM, *wishes(ANA)).when(BEGINS).then_nothing()
    scenario().given(*IN_A_HOSTS_ROOM, *wishes(BEN)).when(BEGINS).then(READIED, started(ANA, BEN))


def test_a_rematch_starts_when_all_have_asked_for_it() -> None:
    given = [*playing(ANA, BEN), over("timeup", None, 2)]
    scenario().given(*given).when(BEGINS).then(READIED)
    scenario().given(*given, *wishes(BEN)).when(BEGINS).then(READIED, started(ANA, BEN, number=2))


def test_a_room_whose_players_have_not_all_come_is_not_begun_by_one_of_them() -> None:
    given = [*online(ANA, BEN), *made(ANA, BEN), *taken(ANA, BEN)]
    scenario().given(*given).when(BEGINS).then(READIED)


def test_matches_of_a_room_whose_id_a_client_chose_count_from_the_position_of_its_making() -> None:
    given = [*online(ANA, BEN), *hosted(ANA, BEN, named=True), READY, *wishes(BEN)]
    scenario().given(*given).when(READIES).then(READIED, started(ANA, BEN, number=7))


def test_the_players_of_a_match_are_in_the_order_of_their_seats() -> None:
    given = [*online(ANA, BEN, DAN), *hosted(BEN), *seated(DAN, first=3), *seated(ANA, first=1)]
    scenario().given(*given, READY, *wishes(BEN, DAN)).when(READIES).then(
        READIED, started(BEN, ANA, DAN)
    )


# SetReady


@pytest.mark.parametrize("given", [ALL_HERE, IN_A_HOSTS_ROOM])
def test_a_player_is_ready_or_not_as_often_as_they_change_their_mind(given: list[Event]) -> None:
    scenario().given(*given).when(READIES).then(READIED)
    scenario().given(*given, *wishes(ANA)).when(READIES).then_nothing()
    scenario().given(*given, *wishes(ANA)).when(RELENTS).then(RELENTED)
    scenario().given(*given).when(RELENTS).then_nothing()


def test_the_last_player_who_is_ready_starts_the_match() -> None:
    scenario().given(*IN_A_HOSTS_ROOM, *wishes(BEN)).when(READIES).then(READIED, started(ANA, BEN))


def test_one_who_is_not_ready_keeps_the_match_from_starting() -> None:
    given = [*online(ANA, BEN, CLEO), *hosted(ANA, BEN, CLEO), READY]
    scenario().given(*given, *wishes(BEN)).when(READIES).then(READIED)


def test_a_player_who_is_missing_keeps_the_match_from_starting() -> None:
    scenario().given(*IN_A_HOSTS_ROOM, *wishes(BEN), *lost(BEN)).when(READIES).then(READIED)


@pytest.mark.parametrize(("seats_min", "begins"), [(2, True), (3, False)])
def test_those_who_are_ready_wait_for_as_many_as_a_match_needs(
    seats_min: int, *, begins: bool
) -> None:
    given = [*online(ANA, BEN), *hosted(ANA, BEN, seats_min=seats_min), *wishes(BEN)]
    scenario().given(*given).when(READIES).then(READIED, *([started(ANA, BEN)] if begins else []))


def test_one_who_is_ready_no_longer_starts_nothing() -> None:
    scenario().given(*IN_A_HOSTS_ROOM, *wishes(ANA, BEN)).when(RELENTS).then(RELENTED)
