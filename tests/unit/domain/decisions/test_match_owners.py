"""Decisions about a live match where the room has an owner: what others leave to it, and heirs."""

from __future__ import annotations

import pytest

from service.domain.commands.base import Command
from service.domain.commands.deadlines import after_node_change, pending, responsible_for
from service.domain.commands.ending import VoidMatch
from service.domain.commands.hosting import CreateRoom, JoinRoom, RoomPlan
from service.domain.commands.matchmaking import GiveUpSearch
from service.domain.commands.outbox import Subscribe
from service.domain.commands.pauses import TakeOver
from service.domain.commands.presence import CloseSocket, ExpirePresence, ReplaceSocket
from service.domain.commands.rooms import LosePlayer, ReleaseKeys
from service.domain.commands.seats import ForfeitSeat
from service.domain.commands.turns import NoteTurn, TimeOutTurn
from service.domain.events.base import Event
from service.domain.events.matches import (
    MatchEnded,
    MatchInput,
    MatchPaused,
    MatchRewound,
    MatchSuspended,
    MatchTurnNoted,
)
from service.domain.events.outbox import ConsumerSubscribed
from service.domain.events.presence import SocketClosed, SocketOpened
from service.domain.events.rooms import RoomMoved, SeatTaken
from service.games.pong import KeysHeld
from service.runtime.record import Record
from service.settings.sections.play import Times
from tests.unit.domain.decisions.histories import ANA, BEN, CLEO, lost, online, opened, tab
from tests.unit.domain.decisions.plays import (
    MATCH,
    BrokenPong,
    by_rules,
    checkpoint,
    entered,
    last,
    match_of,
    measured,
    over,
    paused,
    play,
    resumed,
)
from tests.unit.domain.decisions.test_nodes import N1, N2, start
from tests.unit.domain.decisions.test_nodes import lost as node_lost
from tests.unit.domain.scenario import Scenario, scenario
from tests.unit.domain.story import ROOM

ELSEWHERE = [start("n2"), RoomMoved(room=ROOM, to="n2", to_incarnation=1)]
HELD = {0: {tab(ANA): ["up"], tab(ANA, "b"): ["down"]}}
NONE = KeysHeld(0, up=False, down=False)


def elsewhere(one: Scenario) -> Scenario:
    """Let another node own the room."""
    return one.given(*ELSEWHERE)


def second_tab(one: Scenario) -> Scenario:
    """Let Ana play in a second tab as well."""
    return one.given(*opened(ANA, "b"), SeatTaken(room=ROOM, user=ANA, socket=tab(ANA, "b")))


# What another node than the owner decides


def test_the_end_of_a_socket_is_all_that_another_node_decides() -> None:
    elsewhere(measured(play())).when(CloseSocket(ANA, tab(ANA), 1006)).then(*lost(ANA))


def test_another_node_does_not_release_keys() -> None:
    one = elsewhere(second_tab(measured(play(), held=HELD)))
    one.when(CloseSocket(ANA, tab(ANA), 1006)).then(*lost(ANA))


def test_another_node_does_not_pause_for_a_socket_that_is_replaced() -> None:
    one = elsewhere(measured(play()))
    for letter in "bcdefghijklmnopqrstuvwxyz":
        one.given(*opened(ANA, letter))
    replace = ReplaceSocket(ANA, "n1.1.99", frozenset({tab(ANA)}), 4504)
    one.when(replace).then_types("socket.opened", "socket.closed")


@pytest.mark.parametrize(
    "command",
    [
        JoinRoom(ANA, tab(ANA), "other", "spectator", None, RoomPlan(game="pong")),
        CreateRoom(ANA, tab(ANA), None, RoomPlan(game="pong")),
    ],
)
def test_keys_of_a_tab_that_goes_to_another_room_are_left_to_the_owner(command: Command) -> None:
    one = elsewhere(second_tab(measured(play(), held=HELD)))
    outcome = one.when(command)
    assert not any(isinstance(event, MatchInput) for event in outcome.events)


def test_another_node_voids_nothing() -> None:
    elsewhere(play()).when(VoidMatch(MATCH, 0)).then_nothing()


def test_what_was_recorded_for_a_match_that_was_moved_is_dropped() -> None:
    mine = SocketClosed(user=ANA, socket=tab(ANA), code=1000)
    play().when(Record([checkpoint(3), mine])).then(checkpoint(3), mine)
    elsewhere(play()).when(Record([checkpoint(3), mine])).then(mine)


# LosePlayer


def away(*users: int, game: str = "pong", **options: float) -> Scenario:
    """Begin with a match whose players lost their sockets elsewhere, which the owner folds."""
    return measured(play(game, ANA, BEN, CLEO, **options)).given(*lost(*users))


def test_the_owner_pauses_for_a_player_whose_socket_was_closed_elsewhere() -> None:
    one = away(ANA)
    one.when(LosePlayer(MATCH, ANA, last(one))).then(paused(5, spent=[0, 0, 0]))


def test_it_is_decided_once() -> None:
    one = away(ANA)
    lose = LosePlayer(MATCH, ANA, last(one))
    one.given(lose).when(lose).then_nothing()


def test_a_match_pauses_for_one_player_more() -> None:
    one = away(ANA)
    one.given(LosePlayer(MATCH, ANA, last(one)), *lost(BEN))
    one.when(LosePlayer(MATCH, BEN, last(one))).then(paused(5, spent=[0, 0, 0]))


def test_a_player_who_is_back_is_not_lost() -> None:
    one = away(ANA)
    since = last(one)
    one.given(*opened(ANA, "b"), SeatTaken(room=ROOM, user=ANA, socket=tab(ANA, "b")))
    one.when(LosePlayer(MATCH, ANA, since)).then_nothing()
    one.given(SocketClosed(user=ANA, socket=tab(ANA, "b"), code=1006))
    one.when(LosePlayer(MATCH, ANA, since)).then_nothing()
    one.when(LosePlayer(MATCH, ANA, last(one))).then_types("match.paused")


def test_nobody_is_lost_for_a_match_that_is_over_or_never_waits() -> None:
    one = away(ANA)
    since = last(one)
    one.given(over()).when(LosePlayer(MATCH, ANA, since)).then_nothing()
    free = away(ANA, game="relay")
    free.when(LosePlayer(MATCH, ANA, last(free))).then_nothing()
    one.when(LosePlayer("nowhere-1", ANA, 1)).then_nothing()
    one = away(ANA)
    one.when(LosePlayer(MATCH, 99, last(one))).then_nothing()


def test_a_player_without_pause_left_is_not_waited_for() -> None:
    one = away(ANA, pause_budget_s=0)
    one.measured(held={0: {tab(ANA): ["up"]}})
    one.when(LosePlayer(MATCH, ANA, last(one))).then(entered(NONE, tick=9))


def test_a_player_whose_node_is_lost_is_waited_for_without_pause_left() -> None:
    """That their node is gone is no fault of the player."""
    one = measured(play("pong", ANA, BEN, pause_budget_s=0))
    away_tab = SeatTaken(room=ROOM, user=BEN, socket="n2.1.7")
    closes = SocketClosed(user=BEN, socket=tab(BEN), code=1006)
    one.given(start("n2"), SocketOpened(user=BEN, socket="n2.1.7"), away_tab, closes)
    one.given(node_lost("n2"))
    one.when(LosePlayer(MATCH, BEN, last(one))).then(paused(5, spent=[0, 0]))


def test_a_lost_player_locks_the_room() -> None:
    world = scenario().story.world
    assert LosePlayer(MATCH, ANA, 1).streams(world) == {f"room:{ROOM}"}
    assert ReleaseKeys(MATCH, ANA, "t").streams(world) == {f"room:{ROOM}"}


# ReleaseKeys


def test_the_owner_releases_the_keys_of_a_socket_alone() -> None:
    one = measured(play(), held=HELD)
    rest = {tab(ANA): ["up"]}
    one.when(ReleaseKeys(MATCH, ANA, tab(ANA, "b"))).then(
        entered(KeysHeld(0, up=True, down=False), tick=9, held=rest)
    )


def test_a_socket_without_keys_releases_none() -> None:
    measured(play(), held=HELD).when(ReleaseKeys(MATCH, BEN, tab(BEN))).then_nothing()


@pytest.mark.parametrize(("match", "user"), [("nowhere-1", ANA), (f"{ROOM}-2", ANA), (MATCH, CLEO)])
def test_keys_are_released_in_a_live_match_of_the_player(match: str, user: int) -> None:
    measured(play(), held=HELD).when(ReleaseKeys(match, user, tab(ANA))).then_nothing()


# TakeOver


def taken_over(one: Scenario) -> Scenario:
    """Let this node inherit the match of a node that is lost."""
    return elsewhere(one).given(node_lost("n2"))


def test_a_match_whose_players_are_all_connected_goes_on() -> None:
    one = taken_over(measured(play()))
    one.when(TakeOver(MATCH)).then(MatchRewound(match=MATCH, tick=5), resumed(5, 1, [0, 0]))


def test_a_turn_based_match_goes_on_without_a_rewind() -> None:
    one = taken_over(measured(play("connect_four")))
    one.when(TakeOver(MATCH)).then(resumed(5, 1, [0, 0]))


def test_a_match_that_was_suspended_in_order_goes_on_without_a_rewind_and_may_crash_later() -> None:
    one = taken_over(measured(play()).given(MatchSuspended(match=MATCH, tick=5)))
    one.when(TakeOver(MATCH)).then(resumed(5, 1, [0, 0]))
    assert not match_of(one).suspended


def test_keys_of_sockets_that_are_gone_are_released() -> None:
    one = taken_over(measured(play(), held=HELD))
    rest = {tab(ANA): ["up"]}
    one.when(TakeOver(MATCH)).then(
        MatchRewound(match=MATCH, tick=5),
        entered(KeysHeld(0, up=True, down=False), tick=9, held=rest),
        resumed(5, 1, [0, 0]),
    )


def test_a_match_over_whose_keys_the_rules_fail_is_void() -> None:
    one = taken_over(measured(play(), held=HELD))
    by_rules(one, BrokenPong("hold"))
    events = one.when(TakeOver(MATCH)).events
    assert [type(event) for event in events] == [MatchRewound, MatchEnded]


def test_a_match_waits_for_a_player_whose_socket_was_on_the_lost_node() -> None:
    one = taken_over(measured(play()))
    one.given(*lost(BEN))
    one.when(TakeOver(MATCH)).then(
        MatchRewound(match=MATCH, tick=5), MatchPaused(match=MATCH, tick=5, spent_ms=[0, 0])
    )


def test_a_paused_match_stays_paused() -> None:
    taken_over(measured(play()).given(paused())).when(TakeOver(MATCH)).then_nothing()


def test_a_match_that_never_waits_just_goes_on() -> None:
    taken_over(measured(play("relay"))).when(TakeOver(MATCH)).then_nothing()


# Deadlines of several nodes


TIMES = Times(restart_grace_s=60)


@pytest.mark.parametrize(
    ("command", "stream"),
    [
        (ExpirePresence(ANA, 1), f"user:{ANA}"),
        (GiveUpSearch(ANA, "pong", 1), "queue:pong"),
        (ForfeitSeat(ANA, "nowhere", 1), "room:nowhere"),
    ],
)
def test_what_concerns_no_room_is_done_at_a_home(command: Command, stream: str) -> None:
    world = elsewhere(play()).story.world
    assert responsible_for(command, world) == world.nodes.home(stream)


@pytest.mark.parametrize(
    "command", [ForfeitSeat(ANA, ROOM, 1), NoteTurn(MATCH, 1), TimeOutTurn(MATCH, 1)]
)
def test_what_concerns_a_room_is_done_by_its_owner(command: Command) -> None:
    assert responsible_for(command, elsewhere(play()).story.world) == N2
    assert responsible_for(command, play().story.world) == N1


def anew(one: Scenario) -> dict[Command, float]:
    found = after_node_change(one.story.world, TIMES)
    return {deadline.command: deadline.after_s for deadline in found}


def test_deadlines_count_anew_for_who_becomes_responsible() -> None:
    one = play(reconnect_grace_s=10).given(*lost(ANA))
    assert anew(one) == {
        deadline.command: deadline.after_s for deadline in pending(one.story.world, TIMES)
    }
    assert anew(one)[ForfeitSeat(ANA, ROOM, last(one))] == 10


def test_only_seats_whose_players_were_on_a_lost_node_wait_for_longer() -> None:
    one = play(reconnect_grace_s=10).given(start("n2"), *lost(ANA))
    since = last(one)
    one.given(node_lost("n1"))
    found = anew(one)
    assert found[ForfeitSeat(ANA, ROOM, since)] == 10
    assert found[ForfeitSeat(BEN, ROOM, last(one))] == 60
    # Who comes back is online again at once.
    assert found[ExpirePresence(BEN, last(one))] == TIMES.presence_grace_s


def test_a_turn_that_was_noted_goes_on_with_what_is_left() -> None:
    one = play("connect_four")
    since = last(one)
    one.given(MatchTurnNoted(match=MATCH, tick=0, turn_left_ms=4_500))
    expected: dict[Command, float] = {
        NoteTurn(MATCH, since + 1): 2,
        TimeOutTurn(MATCH, since): 4.5,
    }
    assert anew(one) == expected
    assert not anew(one.given(paused(0, 4_500, [0, 0]))).keys() & {TimeOutTurn(MATCH, since)}


def test_a_turn_that_was_not_noted_is_started_once() -> None:
    one = play("connect_four")
    found = list(after_node_change(one.story.world, TIMES))
    expected: list[Command] = [NoteTurn(MATCH, last(one)), TimeOutTurn(MATCH, last(one))]
    assert [deadline.command for deadline in found] == expected


# Consumers of several nodes


def subscribed(*consumers: str) -> list[Event]:
    return [ConsumerSubscribed(consumer=one) for one in consumers]


def test_a_node_that_joins_unsubscribes_nobody() -> None:
    one = scenario().given(start("n2"), *online(ANA), *subscribed("old"))
    one.when(Subscribe(frozenset({"new"}))).then(*subscribed("new"))
