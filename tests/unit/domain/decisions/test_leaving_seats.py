"""Decisions about leaving and forfeiting seats, and what follows for room and match."""

from __future__ import annotations

import pytest

from service.domain.commands.seats import ForfeitSeat, LeaveRoom
from service.domain.errors import NotInRoom
from service.domain.events.base import Event
from service.domain.events.rooms import (
    CloseReason,
    HostChanged,
    RoomClosed,
    SeatForfeited,
    SeatLeft,
    SpectatorLeft,
)
from tests.unit.domain.decisions.histories import (
    ANA,
    BEN,
    CLEO,
    READY,
    holds,
    hosted,
    lost,
    made,
    online,
    opened,
    over,
    paused,
    playing,
    playing_hosted,
    resumed,
    seated,
    started,
    taken,
    void,
    watching,
    wishes,
)
from tests.unit.domain.decisions.tag import scenario
from tests.unit.domain.scenario import Outcome
from tests.unit.domain.story import ROOM

LEAVES = LeaveRoom(ANA, ROOM)
LEFT = SeatLeft(room=ROOM, user=ANA)
FORFEITED = SeatForfeited(room=ROOM, user=ANA)
BEN_IS_HOST = HostChanged(room=ROOM, user=BEN)
OVER = over("timeup", None, 2)


def closed(reason: CloseReason) -> RoomClosed:
    return RoomClosed(room=ROOM, reason=reason)


def forfeit(*given: Event, since: int = 0) -> Outcome:
    """Let the grace end that the last of the given events, or another one `since` it, began."""
    outcome = scenario().given(*given)
    return outcome.when(ForfeitSeat(ANA, ROOM, outcome.story.world.position + since))


# LeaveRoom, while nothing is played


@pytest.mark.parametrize("ready", [[], [READY]])
def test_a_player_who_leaves_a_room_that_was_created_for_them_closes_it(ready: list[Event]) -> None:
    given = [*online(ANA, BEN), *made(ANA, BEN), *taken(ANA, BEN), *ready]
    scenario().given(*given).when(LEAVES).then(LEFT, closed("left"))


def test_a_finished_room_stays_open_for_the_player_who_stays() -> None:
    scenario().given(*playing(ANA, BEN), OVER).when(LEAVES).then(LEFT)


def test_the_last_player_who_leaves_a_finished_room_closes_it() -> None:
    given = [*playing(ANA, BEN), OVER, SeatLeft(room=ROOM, user=BEN)]
    scenario().given(*given).when(LEAVES).then(LEFT, closed("left"))


def test_a_finished_room_stays_open_for_those_who_watch() -> None:
    given = [*online(CLEO), *playing(ANA, BEN), OVER, SeatLeft(room=ROOM, user=BEN)]
    scenario().given(*given, *watching(CLEO)).when(LEAVES).then(LEFT)


def test_the_last_one_in_a_hosts_room_closes_it() -> None:
    scenario().given(*online(ANA), *hosted(ANA)).when(LEAVES).then(LEFT, closed("left"))


def test_the_next_player_is_the_host_when_the_host_leaves() -> None:
    given = [*online(ANA, BEN, CLEO), *hosted(ANA, BEN, CLEO), READY]
    scenario().given(*given).when(LEAVES).then(LEFT, BEN_IS_HOST)


def test_a_spectator_is_the_host_when_the_last_player_leaves() -> None:
    given = [*online(ANA, BEN), *hosted(ANA), *watching(BEN)]
    scenario().given(*given).when(LEAVES).then(LEFT, BEN_IS_HOST)


def test_the_host_stays_the_host_when_another_player_leaves() -> None:
    given = [*online(ANA, BEN), *hosted(BEN), *seated(ANA, first=1), READY]
    scenario().given(*given).when(LEAVES).then(LEFT)


def test_a_room_becomes_ready_when_only_the_one_who_leaves_was_missing() -> None:
    given = [*online(ANA, BEN, CLEO), *hosted(BEN, CLEO), *seated(ANA, first=2), *lost(ANA)]
    scenario().given(*given).when(LEAVES).then(LEFT, READY)


def test_a_room_does_not_become_ready_while_another_one_is_missing() -> None:
    given = [*online(ANA, BEN, CLEO), *hosted(BEN, CLEO), *seated(ANA, first=2), *lost(ANA, CLEO)]
    scenario().given(*given).when(LEAVES).then(LEFT)


def test_a_room_does_not_become_ready_with_fewer_than_a_match_needs() -> None:
    given = [*online(ANA, BEN), *hosted(BEN), *seated(ANA, first=1), *lost(ANA)]
    scenario().given(*given).when(LEAVES).then(LEFT)


def test_a_match_starts_when_all_who_stay_have_asked_for_it() -> None:
    given = [*online(ANA, BEN, CLEO), *hosted(ANA, BEN, CLEO), READY, *wishes(BEN, CLEO)]
    scenario().given(*given).when(LEAVES).then(LEFT, BEN_IS_HOST, started(BEN, CLEO))


def test_a_match_does_not_start_when_only_the_one_who_leaves_has_asked_for_it() -> None:
    given = [*online(ANA, BEN, CLEO), *hosted(ANA, BEN, CLEO), READY, *wishes(ANA, CLEO)]
    scenario().given(*given).when(LEAVES).then(LEFT, BEN_IS_HOST)


def test_a_match_does_not_start_with_fewer_than_it_needs() -> None:
    given = [*online(ANA, BEN), *hosted(ANA, BEN), READY, *wishes(BEN)]
    scenario().given(*given).when(LEAVES).then(LEFT, BEN_IS_HOST)


def test_rules_that_fail_keep_nobody_from_leaving() -> None:
    room = hosted(ANA, BEN, CLEO, options={"teams": 13})
    given = [*online(ANA, BEN, CLEO), *room, READY, *wishes(BEN, CLEO)]
    scenario().given(*given).when(LEAVES).then(LEFT, BEN_IS_HOST)


def test_to_leave_once_more_is_fine() -> None:
    given = [*online(ANA, BEN), *hosted(BEN), *seated(ANA, first=1)]
    scenario().given(*given, LEFT).when(LEAVES).then_nothing()
    scenario().given(*given, LEFT, closed("left")).when(LEAVES).then_nothing()
    scenario().given(*given, closed("empty")).when(LEAVES).then_nothing()


def test_to_leave_the_room_before_the_last_one_is_not_fine() -> None:
    given = [*online(ANA, BEN), *hosted(BEN), *seated(ANA, first=1), LEFT]
    later = [*hosted(ANA, room="later"), SeatLeft(room="later", user=ANA)]
    scenario().given(*given, *later).when(LEAVES).then_refused(NotInRoom)


def test_a_user_who_has_left_and_has_a_seat_elsewhere_leaves_nothing_there() -> None:
    given = [*online(ANA, BEN), *hosted(BEN), *seated(ANA, first=1), LEFT]
    scenario().given(*given, *hosted(ANA, room="other")).when(LEAVES).then_nothing()


def test_a_user_who_has_come_back_leaves_again() -> None:
    given = [*online(ANA, BEN), *hosted(BEN), *seated(ANA, first=1), LEFT]
    scenario().given(*given, *seated(ANA, first=1)).when(LEAVES).then(LEFT)


# LeaveRoom, for those who watch


def test_a_spectator_leaves_with_all_their_sockets() -> None:
    given = [*online(BEN), *online(ANA, tabs="ab"), *hosted(BEN), *watching(ANA)]
    scenario().given(*given, *watching(ANA, letter="b")).when(LEAVES).then(
        SpectatorLeft(room=ROOM, user=ANA, reason="left")
    )


def test_the_last_spectator_of_an_empty_room_closes_it() -> None:
    given = [*online(ANA), *hosted(), *watching(ANA)]
    scenario().given(*given).when(LEAVES).then(
        SpectatorLeft(room=ROOM, user=ANA, reason="left"), closed("left")
    )


def test_a_spectator_who_is_the_host_leaves_the_room_to_the_next_member() -> None:
    given = [*online(ANA, BEN), *hosted(), *watching(ANA, BEN)]
    scenario().given(*given).when(LEAVES).then(
        SpectatorLeft(room=ROOM, user=ANA, reason="left"), BEN_IS_HOST
    )


# LeaveRoom, in a match


@pytest.mark.parametrize(("leaves", "winner"), [(ANA, 1), (BEN, 0)])
def test_in_a_match_of_two_the_other_one_wins(leaves: int, winner: int) -> None:
    scenario().given(*playing(ANA, BEN)).when(LeaveRoom(leaves, ROOM)).then(
        SeatLeft(room=ROOM, user=leaves), over("left", winner, 2)
    )


def test_the_host_of_a_match_of_two_leaves_the_room_to_the_other_one() -> None:
    scenario().given(*playing_hosted(ANA, BEN)).when(LEAVES).then(
        LEFT, BEN_IS_HOST, over("left", 1, 2)
    )


def test_the_other_one_wins_while_away_too() -> None:
    given = [*playing(ANA, BEN), *lost(BEN), paused(2)]
    scenario().given(*given).when(LEAVES).then(LEFT, over("left", 1, 2))


def test_a_match_of_three_continues_with_two() -> None:
    scenario().given(*playing(ANA, BEN, CLEO)).when(LEAVES).then(LEFT)


def test_the_keys_of_who_leaves_a_match_are_released() -> None:
    given = [*playing(ANA, BEN, CLEO), holds(0, "n1.1.1a", by="n1.1.1a"), holds(1, "n1.1.2a")]
    scenario().given(*given).when(LEAVES).then(LEFT, holds(0, tick=2))


def test_the_last_but_one_who_leaves_a_match_of_three_lets_the_last_one_win() -> None:
    given = [*playing(ANA, BEN, CLEO), SeatLeft(room=ROOM, user=BEN)]
    scenario().given(*given).when(LEAVES).then(LEFT, over("left", 2, 3))


def test_a_paused_match_continues_when_the_one_leaves_whom_it_waited_for() -> None:
    given = [*playing(ANA, BEN, CLEO), *lost(ANA), paused(3)]
    scenario().given(*given).when(LEAVES).then(LEFT, resumed(3))


def test_a_paused_match_still_waits_for_another_one() -> None:
    given = [*playing(ANA, BEN, CLEO), *lost(ANA, CLEO), paused(3)]
    scenario().given(*given).when(LEAVES).then(LEFT)


def test_a_match_of_one_that_is_left_is_abandoned_and_its_room_closed() -> None:
    given = [*online(ANA), *hosted(ANA, game="relay", seats_min=1), READY]
    begun = started(ANA, game="relay", rules_version=1, pace="free", turn_s=None)
    events = scenario().given(*given, begun).when(LEAVES)
    _, ended, end = events.then_types("seat.left", "match.ended", "room.closed")
    assert (ended.reason, ended.winner) == ("abandoned", None)  # type: ignore[attr-defined]  # match.ended
    assert end == closed("forfeited")


def test_the_room_of_an_abandoned_match_stays_open_for_those_who_watch() -> None:
    given = [*online(ANA, BEN), *hosted(ANA, game="relay", seats_min=1), *watching(BEN), READY]
    begun = started(ANA, game="relay", rules_version=1, pace="free", turn_s=None)
    scenario().given(*given, begun).when(LEAVES).then_types(
        "seat.left", "host.changed", "match.ended"
    )


def test_a_match_whose_rules_are_not_available_is_void_when_a_player_leaves() -> None:
    scenario().given(*playing(ANA, BEN, CLEO, rules_version=99)).when(LEAVES).then(LEFT, void(3))


def test_a_user_who_has_left_a_match_leaves_it_once_more_without_effect() -> None:
    scenario().given(*playing(ANA, BEN, CLEO), LEFT).when(LEAVES).then_nothing()


# ForfeitSeat


def test_a_grace_period_in_a_room_that_is_not_there_ends_without_effect() -> None:
    scenario().when(ForfeitSeat(ANA, ROOM, 1)).then_nothing()


def test_a_grace_period_of_a_user_without_a_seat_ends_without_effect() -> None:
    scenario().given(*online(BEN), *hosted(BEN)).when(ForfeitSeat(ANA, ROOM, 1)).then_nothing()


@pytest.mark.parametrize("since", [-1, 1])
def test_a_grace_period_that_another_event_started_ends_without_effect(since: int) -> None:
    forfeit(*playing(ANA, BEN), *lost(ANA), since=since).then_nothing()


def test_a_player_who_came_back_forfeits_nothing() -> None:
    back = [*opened(ANA, "b"), *taken(ANA, letter="b")]
    forfeit(*playing(ANA, BEN), *lost(ANA), *back, since=-2).then_nothing()


def test_a_user_who_forfeits_a_seat_of_a_room_that_was_created_for_them_closes_it() -> None:
    given = [*online(ANA, BEN), *made(ANA, BEN), *taken(ANA, BEN), READY, *lost(ANA)]
    forfeit(*given).then(FORFEITED, closed("forfeited"))


def test_a_user_who_forfeits_a_seat_of_a_hosts_room_leaves_it_to_the_others() -> None:
    given = [*online(ANA, BEN, CLEO), *hosted(ANA, BEN, CLEO), *lost(ANA)]
    forfeit(*given).then(FORFEITED, BEN_IS_HOST, READY)


def test_a_match_starts_when_the_one_forfeits_who_kept_it_from_starting() -> None:
    given = [*online(ANA, BEN, CLEO), *hosted(BEN, CLEO), *seated(ANA, first=2), READY]
    forfeit(*given, *wishes(BEN, CLEO), *lost(ANA)).then(FORFEITED, started(BEN, CLEO))


def test_the_last_player_who_forfeits_a_seat_of_a_hosts_room_leaves_it_open() -> None:
    forfeit(*online(ANA), *hosted(ANA), *lost(ANA)).then(FORFEITED)


def test_the_connected_player_wins_when_the_other_one_forfeits() -> None:
    forfeit(*playing(ANA, BEN), paused(2), *lost(ANA)).then(FORFEITED, over("forfeit", 1, 2))


def test_the_host_who_forfeits_a_match_leaves_the_room_to_the_other_one() -> None:
    given = [*playing_hosted(ANA, BEN), paused(2), *lost(ANA)]
    forfeit(*given).then(FORFEITED, BEN_IS_HOST, over("forfeit", 1, 2))


def test_a_match_does_not_end_while_all_the_others_are_away() -> None:
    forfeit(*playing(ANA, BEN), *lost(BEN), paused(2), *lost(ANA)).then(FORFEITED)


def test_a_match_in_which_all_have_forfeited_is_abandoned_and_its_room_closed() -> None:
    given = [*playing(ANA, BEN), *lost(BEN), paused(2), SeatForfeited(room=ROOM, user=BEN)]
    forfeit(*given, *lost(ANA)).then(FORFEITED, over("abandoned", None, 2), closed("forfeited"))


def test_the_room_of_a_match_in_which_all_have_forfeited_stays_for_those_who_watch() -> None:
    given = [*online(CLEO), *playing(ANA, BEN), *watching(CLEO), *lost(BEN), paused(2)]
    forfeit(*given, SeatForfeited(room=ROOM, user=BEN), *lost(ANA)).then(
        FORFEITED, over("abandoned", None, 2)
    )


def test_a_match_of_three_continues_with_those_who_are_connected() -> None:
    forfeit(*playing(ANA, BEN, CLEO), paused(3), *lost(ANA)).then(FORFEITED, resumed(3))


def test_a_match_of_three_waits_on_for_another_one_who_is_away() -> None:
    forfeit(*playing(ANA, BEN, CLEO), *lost(CLEO), paused(3), *lost(ANA)).then(FORFEITED)


def test_a_match_of_three_continues_without_another_one_whose_pauses_are_used_up() -> None:
    given = playing(ANA, BEN, CLEO, options={"pause_budget_s": 0})
    forfeit(*given, *lost(CLEO), paused(3), *lost(ANA)).then(FORFEITED, resumed(3))


def test_a_match_that_nobody_paused_goes_on_as_before() -> None:
    forfeit(*playing(ANA, BEN, CLEO), *lost(ANA)).then(FORFEITED)
