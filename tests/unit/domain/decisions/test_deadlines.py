"""Deadlines: which are pending, and which event starts each of them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from service.domain.commands.base import Command
from service.domain.commands.deadlines import (
    PAUSE_SLACK_MS,
    Deadline,
    pending,
    started_by,
    with_restart_grace,
)
from service.domain.commands.hosting import CloseEmptyRoom, CloseUntakenRoom
from service.domain.commands.invites import EndInviteCooldown, ExpireInvite
from service.domain.commands.matchmaking import GiveUpSearch
from service.domain.commands.pauses import EndPause
from service.domain.commands.presence import ExpirePresence
from service.domain.commands.seats import ForfeitSeat
from service.domain.commands.turns import NoteTurn, TimeOutTurn
from service.domain.events.base import Event
from service.domain.events.invites import (
    InviteCooldownEnded,
    InviteDeclined,
    InviteExpired,
    InviteSent,
)
from service.domain.events.matches import MatchTurnNoted
from service.domain.events.matchmaking import SearchCancelled, SearchStarted
from service.domain.events.nodes import NodeStarted
from service.domain.events.presence import SocketClosed, SocketOpened, UserWentOffline
from service.domain.events.rooms import (
    PlayerSeated,
    RoomClosed,
    RoomCreated,
    SeatForfeited,
    SeatTaken,
    SpectatorJoined,
    SpectatorLeft,
)
from service.games.connect_four import Dropped
from service.settings.sections.play import Times
from tests.unit.domain.decisions.histories import ANA, BEN, CLEO, lost, online, tab
from tests.unit.domain.decisions.plays import (
    MATCH,
    OPTIONS,
    entered,
    last,
    left,
    over,
    paused,
    play,
    resumed,
    room,
    started,
    watches,
)
from tests.unit.domain.scenario import Scenario, scenario
from tests.unit.domain.story import ROOM

TIMES = Times(
    presence_grace_s=1,
    invite_ttl_s=2,
    invite_cooldown_s=3,
    seat_take_s=4,
    room_empty_s=6,
    matchmaking_timeout_s=7,
    restart_grace_s=60,
)
RESTARTED = NodeStarted(node="n1", incarnation=2)


def pending_deadlines(one: Scenario) -> list[Deadline]:
    return list(pending(one.story.world, TIMES))


def started_by_last(one: Scenario) -> list[Deadline]:
    """Return the deadlines that the last event has started."""
    return started_by(one.story.events[-1], last(one), one.story.world, TIMES)


def agrees(one: Scenario, *deadlines: tuple[float, Command]) -> None:
    """Check that the last event has started exactly these, and that they are pending."""
    expected = [Deadline(last(one), after_s, command) for after_s, command in deadlines]
    assert started_by_last(one) == expected
    assert [
        deadline for deadline in pending_deadlines(one) if deadline.since == last(one)
    ] == expected


def hosted(*happened: Event) -> Scenario:
    """Begin with a host's room, opened by Ana, and what has happened since."""
    created = RoomCreated(
        room=ROOM,
        game="pong",
        players=[ANA],
        options=OPTIONS,
        seats_min=2,
        seats_max=2,
        host=ANA,
        spectators_max=9,
    )
    taken = SeatTaken(room=ROOM, user=ANA, socket=tab(ANA))
    return scenario().given(*online(ANA, BEN), created, taken, *happened)


# Presence


def test_a_lost_connection_starts_the_grace_period_of_its_user() -> None:
    one = scenario().given(*online(ANA), *lost(ANA))
    agrees(one, (1, ExpirePresence(ANA, last(one))))


def test_a_lost_socket_starts_no_deadline_while_another_one_is_open() -> None:
    agrees(scenario().given(*online(ANA, tabs="ab"), *lost(ANA)))


@pytest.mark.parametrize(
    "event", [SocketOpened(user=ANA, socket="n1.1.1b"), UserWentOffline(user=ANA)]
)
def test_the_grace_period_ends_when_its_user_comes_back_or_is_gone(event: Event) -> None:
    assert pending_deadlines(scenario().given(*online(ANA), *lost(ANA), event)) == []


def test_every_user_has_a_grace_period_of_their_own() -> None:
    one = scenario().given(*online(ANA, BEN), *lost(BEN, ANA))
    now = last(one)
    assert pending_deadlines(one) == [
        Deadline(now - 1, 1, ExpirePresence(BEN, now - 1)),
        Deadline(now, 1, ExpirePresence(ANA, now)),
    ]


# Invites and searches


INVITED = InviteSent(inviter=ANA, invitee=BEN, game="pong")
DECLINED = InviteDeclined(inviter=ANA, invitee=BEN)


def test_an_invite_expires() -> None:
    one = scenario().given(*online(ANA, BEN), INVITED)
    agrees(one, (2, ExpireInvite(ANA, BEN, last(one))))


def test_a_declined_invite_starts_the_time_in_which_there_is_no_other() -> None:
    one = scenario().given(*online(ANA, BEN), INVITED, DECLINED)
    agrees(one, (3, EndInviteCooldown(ANA, BEN, last(one))))


@pytest.mark.parametrize(
    "events",
    [
        [InviteExpired(inviter=ANA, invitee=BEN)],
        [DECLINED, InviteCooldownEnded(inviter=ANA, invitee=BEN)],
    ],
)
def test_what_has_become_of_an_invite_ends_its_deadlines(events: list[Event]) -> None:
    assert pending_deadlines(scenario().given(*online(ANA, BEN), INVITED, *events)) == []


def test_a_search_is_given_up() -> None:
    one = scenario().given(*online(ANA), SearchStarted(user=ANA, game="pong"))
    agrees(one, (7, GiveUpSearch(ANA, "pong", last(one))))


def test_each_search_of_a_user_is_given_up_by_itself() -> None:
    one = scenario().given(
        *online(ANA),
        SearchStarted(user=ANA, game="relay"),
        SearchStarted(user=ANA, game="pong"),
        SearchCancelled(user=ANA, game="relay"),
    )
    since = last(one) - 1
    assert pending_deadlines(one) == [Deadline(since, 7, GiveUpSearch(ANA, "pong", since))]


# Rooms


def untaken() -> Scenario:
    created = RoomCreated(
        room=ROOM,
        game="pong",
        players=[ANA, BEN],
        options=OPTIONS,
        seats_min=2,
        seats_max=2,
        spectators_max=9,
    )
    return scenario().given(*online(ANA, BEN), created)


def test_seats_of_a_room_that_was_created_for_players_have_to_be_taken() -> None:
    agrees(untaken(), (4, CloseUntakenRoom(ROOM)))


def test_the_time_to_take_seats_counts_from_the_room() -> None:
    one = untaken()
    since = last(one)
    one.given(SeatTaken(room=ROOM, user=ANA, socket=tab(ANA)))
    assert pending_deadlines(one) == [Deadline(since, 4, CloseUntakenRoom(ROOM))]
    assert started_by_last(one) == []


def test_a_user_who_is_away_before_all_seats_are_taken_has_no_grace_period_of_the_room() -> None:
    one = untaken().given(SeatTaken(room=ROOM, user=ANA, socket=tab(ANA)), *lost(ANA))
    commands = [type(deadline.command) for deadline in started_by_last(one)]
    assert ForfeitSeat not in commands
    assert CloseEmptyRoom in commands


def test_a_room_that_is_ready_waits_for_no_seat() -> None:
    assert pending_deadlines(scenario().given(*room("pong", ANA, BEN))) == []


def test_a_hosts_room_waits_for_players_as_long_as_they_like() -> None:
    agrees(hosted())
    assert pending_deadlines(hosted()) == []


@pytest.mark.parametrize("phase", ["ready", "playing"])
def test_a_player_who_is_away_forfeits_the_seat_after_the_grace_period_of_the_room(
    phase: str,
) -> None:
    given = room("pong", ANA, BEN, reconnect_grace_s=11)
    if phase == "playing":
        given.append(started("pong", ANA, BEN))
    one = scenario().given(*given, *lost(ANA))
    now = last(one)
    agrees(one, (1, ExpirePresence(ANA, now)), (11, ForfeitSeat(ANA, ROOM, now)))


def test_a_player_of_a_hosts_room_who_is_away_forfeits_the_seat_at_any_time() -> None:
    one = hosted(
        PlayerSeated(room=ROOM, user=BEN, seat=1),
        SeatTaken(room=ROOM, user=BEN, socket=tab(BEN)),
        *lost(ANA),
    )
    now = last(one)
    agrees(one, (1, ExpirePresence(ANA, now)), (10, ForfeitSeat(ANA, ROOM, now)))


def test_a_user_who_is_away_after_the_match_keeps_the_seat() -> None:
    one = play().given(over(), *lost(ANA))
    agrees(one, (1, ExpirePresence(ANA, last(one))))


def test_a_user_who_has_left_forfeits_nothing() -> None:
    one = play("relay", ANA, BEN, CLEO).given(*lost(ANA), left(ANA))
    commands = [deadline.command for deadline in pending_deadlines(one)]
    assert commands == [ExpirePresence(ANA, last(one) - 1)]


def test_a_player_who_came_back_forfeits_nothing() -> None:
    one = play().given(
        *lost(ANA),
        SocketOpened(user=ANA, socket=tab(ANA, "b")),
        SeatTaken(room=ROOM, user=ANA, socket=tab(ANA, "b")),
    )
    assert pending_deadlines(one) == []


def test_a_hosts_room_that_nobody_is_in_is_closed() -> None:
    one = hosted(*lost(ANA))
    now = last(one)
    agrees(
        one,
        (1, ExpirePresence(ANA, now)),
        (10, ForfeitSeat(ANA, ROOM, now)),
        (6, CloseEmptyRoom(ROOM, now)),
    )


def test_the_end_of_a_match_that_nobody_watches_starts_the_end_of_the_room() -> None:
    one = play().given(*lost(ANA, BEN), over())
    agrees(one, (6, CloseEmptyRoom(ROOM, last(one))))


def test_the_last_spectator_to_leave_starts_the_end_of_the_room() -> None:
    one = play().given(over(), *watches(CLEO), *lost(ANA, BEN))
    one.given(SpectatorLeft(room=ROOM, user=CLEO, reason="left"))
    agrees(one, (6, CloseEmptyRoom(ROOM, last(one))))


def test_a_lost_socket_of_a_spectator_starts_only_the_grace_period_of_its_user() -> None:
    one = play().given(*watches(CLEO), *lost(CLEO))
    assert [type(deadline.command) for deadline in started_by_last(one)] == [ExpirePresence]


@pytest.mark.parametrize("event", [left(ANA), SeatForfeited(room=ROOM, user=ANA)])
def test_the_last_player_to_go_starts_the_end_of_the_room(event: Event) -> None:
    one = play().given(over(), *lost(BEN), event)
    agrees(one, (6, CloseEmptyRoom(ROOM, last(one))))


def test_a_room_that_somebody_joins_again_stays() -> None:
    one = play().given(over(), *lost(ANA, BEN))
    one.given(*online(CLEO), SpectatorJoined(room=ROOM, user=CLEO, socket=tab(CLEO)))
    assert CloseEmptyRoom not in [type(one.command) for one in pending_deadlines(one)]


def test_a_room_that_is_closed_has_no_deadlines() -> None:
    assert pending_deadlines(untaken().given(RoomClosed(room=ROOM, reason="left"))) == []


# Turns


def turn(**options: Any) -> Scenario:
    return play("connect_four", **options)


def both(one: Scenario, note_s: float, turn_s: float) -> list[tuple[float, Command]]:
    now = last(one)
    return [(note_s, NoteTurn(MATCH, now)), (turn_s, TimeOutTurn(MATCH, now))]


def test_a_turn_starts_with_its_match() -> None:
    agrees(turn(), *both(turn(), 2, 20))


def test_a_move_starts_the_next_turn() -> None:
    one = turn().given(entered(Dropped(0, 3)))
    agrees(one, *both(one, 2, 20))
    assert len(pending_deadlines(one)) == 2


def test_a_turn_continues_after_a_pause_with_what_was_left() -> None:
    one = turn().given(paused(0, 13_500, [0, 0]), resumed())
    agrees(one, *both(one, 2, 13.5))


def test_a_note_starts_the_time_to_the_next_one_and_no_more() -> None:
    one = turn()
    since = last(one)
    one.given(MatchTurnNoted(match=MATCH, tick=0, turn_left_ms=18_000))
    agrees(one, (2, NoteTurn(MATCH, last(one))))
    assert pending_deadlines(one) == [Deadline(since + 1, 2, NoteTurn(MATCH, since + 1))]


def test_no_turn_runs_in_a_pause() -> None:
    one = turn(pause_budget_s=None).given(paused(0, 13_500, [0, 0]))
    assert pending_deadlines(one) == []


@pytest.mark.parametrize("game", ["pong", "relay"])
def test_a_game_without_turns_has_no_turn_clock(game: str) -> None:
    assert pending_deadlines(play(game)) == started_by_last(play(game)) == []


def test_a_match_that_is_over_has_no_deadlines() -> None:
    assert pending_deadlines(turn().given(over())) == []
    commands = [
        one.command for one in pending_deadlines(play().given(*lost(ANA), paused(), over()))
    ]
    assert [type(command) for command in commands] == [ExpirePresence]


@pytest.mark.parametrize(
    "event", [paused(), resumed(), entered(Dropped(0, 3)), started("pong", ANA, BEN)]
)
def test_what_was_under_way_when_a_match_ended_starts_no_deadline(event: Event) -> None:
    one = turn().given(over())
    assert started_by(event, last(one), one.story.world, TIMES) == []


# Pauses


def pause(*users: int, spent: list[int] | None = None, **options: Any) -> Scenario:
    return play(**options).given(*lost(*users), paused(spent=spent or [0, 0]))


def test_a_pause_ends_a_little_after_the_budget_of_who_is_away() -> None:
    assert PAUSE_SLACK_MS == 20
    agrees(pause(ANA, spent=[58_000, 0]), (2.02, EndPause(MATCH)))


def test_a_pause_may_end_by_the_budget_of_each_who_is_away() -> None:
    one = pause(ANA, BEN, spent=[58_000, 59_999])
    agrees(one, (2.02, EndPause(MATCH)), (0.021, EndPause(MATCH)))


def test_one_more_who_is_away_starts_the_end_of_the_pause_anew() -> None:
    one = pause(ANA).given(*lost(BEN), paused(spent=[1_000, 0]))
    agrees(one, (59.02, EndPause(MATCH)), (60.02, EndPause(MATCH)))


def test_a_user_who_has_no_pause_left_ends_none() -> None:
    agrees(pause(ANA, spent=[60_000, 0]))


def test_a_pause_without_a_limit_does_not_end() -> None:
    agrees(pause(ANA, pause_budget_s=None))


def test_a_user_who_is_away_since_the_service_was_ends_no_pause() -> None:
    agrees(play().given(RESTARTED, paused(spent=[0, 0])))


def test_a_user_who_has_left_ends_no_pause() -> None:
    one = play("pong", ANA, BEN, CLEO).given(*lost(ANA, BEN), left(ANA), paused(spent=[0, 0, 0]))
    agrees(one, (60.02, EndPause(MATCH)))


def test_a_match_that_goes_on_has_no_pause_to_end() -> None:
    one = pause(ANA).given(resumed())
    assert EndPause not in [type(deadline.command) for deadline in pending_deadlines(one)]


# After a start


@pytest.mark.parametrize(("after_s", "waits_s"), [(0, 60), (59.9, 60), (60, 60), (61, 61)])
def test_deadlines_pending_at_a_start_last_at_least_the_restart_grace(
    after_s: float, waits_s: float
) -> None:
    deadline = Deadline(3, after_s, EndPause(MATCH))
    assert with_restart_grace(deadline, TIMES) == msgspec.structs.replace(deadline, after_s=waits_s)


def test_all_pending_deadlines_are_listed() -> None:
    one = turn().given(
        *online(CLEO, 4),
        InviteSent(inviter=CLEO, invitee=4, game="pong"),
        InviteDeclined(inviter=CLEO, invitee=4),
        InviteSent(inviter=4, invitee=CLEO, game="pong"),
        SearchStarted(user=CLEO, game="relay"),
        *lost(4),
    )
    assert sorted(type(deadline.command).__name__ for deadline in pending_deadlines(one)) == [
        "EndInviteCooldown",
        "ExpireInvite",
        "ExpirePresence",
        "GiveUpSearch",
        "NoteTurn",
        "TimeOutTurn",
    ]


@pytest.mark.parametrize("event", [RESTARTED, SearchCancelled(user=ANA, game="pong")])
def test_other_events_start_no_deadline(event: Event) -> None:
    assert started_by_last(scenario().given(*online(ANA), event)) == []


def test_a_socket_of_nobody_starts_no_deadline() -> None:
    event = SocketClosed(user=CLEO, socket=tab(CLEO), code=1006)
    one = play()
    assert started_by(event, last(one), one.story.world, TIMES) == []


def test_how_long_deadlines_are_by_default() -> None:
    assert Times() == Times(
        presence_grace_s=5,
        invite_ttl_s=60,
        invite_cooldown_s=30,
        seat_take_s=15,
        room_empty_s=60,
        matchmaking_timeout_s=120,
        restart_grace_s=60,
    )
