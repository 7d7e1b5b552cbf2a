"""Decisions about pauses: which players a match waits for, how long, and on whose budget."""

from __future__ import annotations

import msgspec
import pytest

from service.domain.commands.pauses import (
    EndPause,
    TakeOver,
    handle_lost_player,
    is_waited_for,
    resume_match_without,
)
from service.domain.commands.pauses import pause_match as pause_of
from service.domain.commands.pauses import resume_match as resumption_of
from service.domain.commands.presence import CloseSocket
from service.domain.events.base import Event
from service.domain.events.matches import MatchEnded, MatchRewound, MatchSuspended
from service.domain.events.nodes import NodeStarted
from service.domain.events.presence import SocketClosed
from service.domain.projections.matches import pause_left_ms
from service.domain.projections.room import Seat
from service.domain.projections.room_options import RoomOptions
from service.games.pong import KeysHeld
from tests.unit.domain.decisions.histories import ANA, BEN, CLEO, lost, tab
from tests.unit.domain.decisions.plays import (
    MATCH,
    BrokenPong,
    FailsForSeat,
    by_rules,
    context_of,
    entered,
    left,
    match_of,
    measured,
    over,
    paused,
    play,
    pong_state,
    resumed,
    snapshot,
)
from tests.unit.domain.scenario import Scenario, scenario
from tests.unit.domain.story import ROOM

VOID = MatchEnded(match=MATCH, tick=5, reason="void", winner=None, scores=[0, 0], hash="")
RESTARTED = NodeStarted(node="n1", incarnation=2)


def away(*users: int, spent: list[int] | None = None, game: str = "pong") -> Scenario:
    """Begin with a match of three that is paused since these users lost their connections."""
    one = measured(play(game, ANA, BEN, CLEO))
    return one.given(*lost(*users), paused(spent=spent or [0, 0, 0]))


def spent(one: Scenario, *ms: int) -> Scenario:
    return one.measured(spent_ms=list(ms))


# What a seat has left


@pytest.mark.parametrize(
    ("budget_s", "spent_ms", "left"),
    [
        (60, 0, 60_000),
        (5, 4_999, 1),
        (5, 5_000, 0),
        (5, 5_001, 0),
        (0, 0, 0),
        (0.0016, 0, 2),
        (None, 9_999, None),
    ],
)
def test_a_seat_has_left_of_its_budget_what_it_has_not_spent(
    budget_s: float | None, spent_ms: int, left: int | None
) -> None:
    match = match_of(play(pause_budget_s=budget_s))
    assert pause_left_ms(match, 1, [99, spent_ms]) == left


def test_a_match_of_an_old_room_has_no_limit() -> None:
    match = msgspec.structs.replace(match_of(play()), options=RoomOptions())
    assert pause_left_ms(match, 0, []) is None


@pytest.mark.parametrize(
    ("seat", "spent_ms", "waits"),
    [
        (Seat(ANA), 0, True),
        (Seat(ANA), 4_999, True),
        (Seat(ANA), 5_000, False),
        (Seat(ANA, excused=True), 5_000, True),
        (Seat(ANA, sockets={"t"}), 0, False),
        (Seat(ANA, sockets={"t"}, excused=True), 0, False),
        (Seat(ANA, gone=True), 0, False),
        (Seat(ANA, gone=True, excused=True), 0, False),
    ],
)
def test_a_match_waits_for_who_is_away_and_has_pause_left(
    seat: Seat, spent_ms: int, *, waits: bool
) -> None:
    one = play(pause_budget_s=5)
    room = one.story.world.rooms.rooms[ROOM]
    room.seats[0] = seat
    assert is_waited_for(room, match_of(one), 0, [spent_ms, 0]) is waits


# Who is missed


def lose(user: int, code: int = 1006) -> CloseSocket:
    return CloseSocket(user, tab(user), code)


def test_a_match_is_paused_when_a_player_loses_their_last_socket() -> None:
    one = measured(play(), spent_ms=[1, 2], turn_left_ms=7)
    one.when(lose(ANA)).then(*lost(ANA), paused(5, 7, [1, 2]))


def test_a_pause_releases_the_keys_of_every_seat_first() -> None:
    one = measured(play(), held={1: {"u": ["up"]}, 0: {"t": ["down"]}})
    none = KeysHeld(0, up=False, down=False)
    assert pause_of(match_of(one), context_of(one)) == [
        entered(KeysHeld(1, up=False, down=False), tick=9, seat=1),
        entered(none, tick=9),
        paused(5, spent=[0, 0]),
    ]


def test_a_pause_over_which_the_rules_fail_is_the_end_of_the_match() -> None:
    one = measured(play(), held={0: {"t": ["down"]}, 1: {"u": ["up"]}})
    failures = by_rules(one, BrokenPong("hold"))
    assert pause_of(match_of(one), context_of(one)) == [VOID]
    assert len(failures) == 1


def test_nothing_else_is_decided_when_the_rules_fail_over_a_later_seat() -> None:
    one = measured(play(), held={1: {"u": ["up"]}, 0: {"t": ["down"]}})
    by_rules(one, FailsForSeat(0))
    assert pause_of(match_of(one), context_of(one)) == [VOID]


def test_a_match_pauses_again_for_one_player_more() -> None:
    one = spent(away(ANA), 3, 0, 0)
    one.when(lose(BEN)).then(*lost(BEN), paused(5, spent=[3, 0, 0]))


def test_a_match_does_not_pause_for_who_has_no_pause_left() -> None:
    one = measured(play(pause_budget_s=5), spent_ms=[5_000, 0], held={0: {"t": ["up"]}})
    one.when(lose(ANA)).then(*lost(ANA), entered(KeysHeld(0, up=False, down=False), tick=9))


def test_a_match_pauses_for_the_last_millisecond() -> None:
    one = measured(play(pause_budget_s=5), spent_ms=[4_999, 0])
    one.when(lose(ANA)).then(*lost(ANA), paused(5, spent=[4_999, 0]))


def test_a_pause_continues_without_who_has_no_pause_left_either() -> None:
    """All who were waited for have come back but for one, whose pause is used up."""
    one = spent(away(BEN), 60_000, 0, 0)
    one.when(lose(ANA)).then(*lost(ANA))


def test_a_match_that_waits_for_nobody_goes_on_when_somebody_without_pause_goes() -> None:
    one = spent(measured(play()).given(paused(spent=[60_000, 0])), 60_000, 0)
    room = one.story.world.rooms.rooms[ROOM]
    assert handle_lost_player(room, match_of(one), 0, context_of(one)) == [
        resumed(5, 1, [60_000, 0])
    ]


@pytest.mark.parametrize("code", [1000, 1001, 1006])
def test_it_is_the_same_how_the_connection_ended(code: int) -> None:
    one = measured(play())
    events = one.when(lose(ANA, code)).events
    assert SocketClosed(user=ANA, socket=tab(ANA), code=code) in events
    assert paused(5, spent=[0, 0]) in events


def test_a_game_with_moves_in_any_order_does_not_pause() -> None:
    play("relay").when(lose(ANA)).then(*lost(ANA))


# Going on


def test_the_second_before_the_clock_continues_is_paid_by_who_was_waited_for() -> None:
    one = away(ANA, spent=[10, 20, 30])
    stands = snapshot(spent_ms=[11, 20, 31])
    assert resumption_of(match_of(one), stands) == resumed(5, 1, [1_011, 20, 1_031])


def test_a_turn_based_game_continues_at_once() -> None:
    one = play("connect_four").given(paused(spent=[10, 20]))
    stands = snapshot(spent_ms=[11, 20])
    assert resumption_of(match_of(one), stands) == resumed(5, 1, [11, 20])


def test_each_time_that_a_match_continues_is_counted() -> None:
    one = play().given(paused(spent=[0, 0]), resumed(run=4), paused())
    assert resumption_of(match_of(one), snapshot()) == resumed(5, 5, [0, 0])


def without(one: Scenario, *here: int) -> list[Event]:
    room = one.story.world.rooms.rooms[ROOM]
    return resume_match_without(room, match_of(one), here, context_of(one))


def test_a_paused_match_continues_when_everybody_else_is_there() -> None:
    one = spent(away(ANA), 0, 0, 0)
    assert without(one, 0) == [resumed(5, 1, [0, 0, 0])]
    assert without(one) == []
    assert without(one, 1) == []


def test_a_paused_match_waits_for_each_who_is_away() -> None:
    one = spent(away(ANA, BEN), 0, 0, 0)
    assert without(one, 0) == []
    assert without(one, 0, 1) == [resumed(5, 1, [0, 0, 0])]


def test_a_paused_match_does_not_wait_for_who_has_left() -> None:
    one = spent(away(ANA, BEN).given(left(BEN)), 0, 0, 0)
    assert without(one, 0) == [resumed(5, 1, [0, 0, 0])]


# EndPause


@pytest.mark.parametrize("command", [EndPause("a-b-1"), TakeOver("a-b-1")])
def test_a_pause_locks_the_room(command: EndPause | TakeOver) -> None:
    assert command.streams(scenario().story.world) == {"room:a-b"}


def test_a_match_continues_when_all_who_are_away_have_used_their_pause_up() -> None:
    one = spent(away(ANA, BEN), 60_000, 60_000, 0)
    one.when(EndPause(MATCH)).then(resumed(5, 1, [61_000, 61_000, 0]))


@pytest.mark.parametrize("ms", [(59_999, 60_000), (60_000, 59_999)])
def test_a_match_waits_as_long_as_one_who_is_away_has_pause_left(ms: tuple[int, int]) -> None:
    spent(away(ANA, BEN), *ms, 0).when(EndPause(MATCH)).then_nothing()


def test_a_match_waits_for_who_is_away_since_the_service_was() -> None:
    one = measured(play()).given(RESTARTED, paused())
    spent(one, 60_000, 60_000).when(EndPause(MATCH)).then_nothing()


@pytest.mark.parametrize(
    "one", [scenario(), play(), play().given(paused(), resumed()), play().given(paused(), over())]
)
def test_only_a_pause_can_end(one: Scenario) -> None:
    one.when(EndPause(MATCH)).then_nothing()


# TakeOver


def test_a_match_with_ticks_is_rewound_and_paused_after_a_crash() -> None:
    one = measured(play().given(RESTARTED), held={0: {"t": ["up"]}}, state=pong_state())
    one.when(TakeOver(MATCH)).then(
        MatchRewound(match=MATCH, tick=5),
        entered(KeysHeld(0, up=False, down=False), tick=9),
        paused(5, spent=[0, 0]),
    )


def test_a_match_with_ticks_is_only_paused_after_a_graceful_stop() -> None:
    one = measured(play()).given(MatchSuspended(match=MATCH, tick=5), RESTARTED)
    one.when(TakeOver(MATCH)).then(paused(5, spent=[0, 0]))


def test_a_turn_based_game_is_only_paused_after_a_crash() -> None:
    one = measured(play("connect_four")).given(RESTARTED)
    one.when(TakeOver(MATCH)).then(paused(5, 20_000, [0, 0]))


@pytest.mark.parametrize(
    "one",
    [scenario(), play("relay"), play().given(paused()), play().given(over())],
    ids=["no match", "free moves", "paused", "over"],
)
def test_a_match_that_does_not_run_is_not_paused_after_a_restart(one: Scenario) -> None:
    one.given(RESTARTED).when(TakeOver(MATCH)).then_nothing()


def test_a_match_whose_rules_fail_after_a_restart_is_void() -> None:
    one = measured(play().given(RESTARTED), held={0: {"t": ["up"]}})
    by_rules(one, BrokenPong("hold"))
    one.when(TakeOver(MATCH)).then(MatchRewound(match=MATCH, tick=5), VOID)
