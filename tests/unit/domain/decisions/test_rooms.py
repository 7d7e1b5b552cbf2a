"""Decisions about lost sockets and members: matches, spectators and hosts without them."""

from __future__ import annotations

import msgspec
import pytest

from service.domain.commands.presence import CloseSocket
from service.domain.events.base import Event
from service.domain.events.matches import MatchPaused
from service.domain.events.presence import SocketClosed
from service.domain.events.rooms import HostChanged, RoomClosed, SeatLeft, SpectatorLeft
from tests.unit.domain.decisions.histories import (
    ANA,
    BEN,
    BROKEN,
    CLEO,
    DAN,
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
    resumed,
    started,
    taken,
    void,
    watching,
)
from tests.unit.domain.decisions.tag import scenario
from tests.unit.domain.story import ROOM

CLOSES = CloseSocket(ANA, "n1.1.1a", BROKEN)
CLOSED = SocketClosed(user=ANA, socket="n1.1.1a", code=BROKEN)


def out_of(room: str = ROOM) -> SpectatorLeft:
    return SpectatorLeft(room=room, user=ANA, reason="offline")


# A tab of a player


@pytest.mark.parametrize(
    "given",
    [
        [],
        [*made(ANA, BEN), *taken(ANA, BEN), READY],
        [*made(ANA, BEN), *taken(ANA, BEN), READY, started(ANA, BEN), over("timeup", None, 2)],
    ],
)
def test_a_lost_socket_means_nothing_more_where_nothing_is_played(given: list[Event]) -> None:
    scenario().given(*online(ANA, BEN), *given).when(CLOSES).then(CLOSED)


def test_a_match_is_paused_when_the_last_socket_of_a_player_is_lost() -> None:
    scenario().given(*playing(ANA, BEN)).when(CLOSES).then(CLOSED, paused(2))


def test_a_match_is_paused_when_the_last_player_too_is_away() -> None:
    given = [*playing(ANA, BEN), *lost(BEN), paused(2)]
    scenario().given(*given).when(CLOSES).then(CLOSED, paused(2))


def test_a_match_is_paused_with_the_keys_of_all_its_players_released() -> None:
    given = [*playing(ANA, BEN), holds(0, "n1.1.1a"), holds(1, "n1.1.2a")]
    scenario().given(*given).when(CLOSES).then(
        CLOSED, holds(0, tick=2), holds(1, tick=2), paused(2, tick=2)
    )


def test_a_match_is_not_paused_while_another_socket_of_the_player_shows_it() -> None:
    given = [*playing(ANA, BEN), *opened(ANA, "b"), *taken(ANA, letter="b")]
    scenario().given(*given).when(CLOSES).then(CLOSED)


def test_a_socket_that_is_lost_releases_its_keys_and_no_others() -> None:
    given = [*playing(BEN, ANA), *opened(ANA, "b"), *taken(ANA, letter="b")]
    held = [holds(0, "n1.1.2a"), holds(1, "n1.1.1a", "n1.1.1b")]
    scenario().given(*given, *held).when(CLOSES).then(CLOSED, holds(1, "n1.1.1b", tick=2))


def test_a_socket_that_does_not_show_the_match_pauses_nothing_when_it_is_lost() -> None:
    given = [*playing(ANA, BEN), *opened(ANA, "b")]
    scenario().given(*given).when(CloseSocket(ANA, "n1.1.1b", BROKEN)).then(
        SocketClosed(user=ANA, socket="n1.1.1b", code=BROKEN)
    )


def test_a_lost_socket_of_a_paused_match_releases_no_keys() -> None:
    given = [*playing(ANA, BEN), *opened(ANA, "b"), *taken(ANA, letter="b"), paused(2)]
    held = holds(0, "n1.1.1a")
    scenario().given(*given, held).when(CLOSES).then(CLOSED)


@pytest.mark.parametrize("tabs", ["a", "ab"])
def test_a_match_with_moves_in_any_order_is_never_paused(tabs: str) -> None:
    relay = started(ANA, BEN, game="relay", rules_version=1, pace="free", turn_s=None)
    given = [*online(ANA, tabs=tabs), *online(BEN), *made(ANA, BEN, game="relay")]
    shown = [event for letter in tabs for event in taken(ANA, letter=letter)]
    held = holds(0, "n1.1.1a")
    relayed = msgspec.structs.replace(
        held, input=msgspec.Raw(b'{"kind":"relayed","seat":0,"move":{}}')
    )
    scenario().given(*given, *shown, *taken(BEN), READY, relay, relayed).when(CLOSES).then(CLOSED)


@pytest.mark.parametrize(("spent_ms", "waits"), [(999, True), (1000, False), (1001, False)])
def test_a_match_waits_for_nobody_who_has_used_their_pauses_up(
    spent_ms: int, *, waits: bool
) -> None:
    given = playing(ANA, BEN, options={"pause_budget_s": 1})
    pause = MatchPaused(match=f"{ROOM}-1", tick=0, turn_left_ms=7_200_000, spent_ms=[spent_ms, 0])
    scenario().given(*given).measured(spent_ms=[spent_ms, 0]).when(CLOSES).then(
        CLOSED, *([pause] if waits else [])
    )


def test_a_paused_match_continues_without_one_more_who_has_used_their_pauses_up() -> None:
    spent = {"spent_ms": [1000, 0, 0]}
    pause, go_on = (msgspec.structs.replace(one, **spent) for one in (paused(3), resumed(3)))
    given = [*playing(ANA, BEN, CLEO, options={"pause_budget_s": 1}), pause]
    scenario().given(*given).when(CLOSES).then(CLOSED, go_on)


def test_a_user_who_has_left_a_match_is_not_missed_in_it() -> None:
    given = [*playing(ANA, BEN, CLEO), SeatLeft(room=ROOM, user=ANA)]
    scenario().given(*given).when(CLOSES).then(CLOSED)


def test_a_match_whose_rules_are_not_available_is_void_when_keys_are_released() -> None:
    given = [*playing(ANA, BEN, rules_version=99), holds(0, "n1.1.1a")]
    scenario().given(*given).when(CLOSES).then(CLOSED, void(2, tick=1))


# A tab of a spectator


def test_a_spectator_is_gone_with_their_last_socket() -> None:
    given = [*online(ANA, BEN), *hosted(BEN), *watching(ANA)]
    scenario().given(*given).when(CLOSES).then(out_of(), CLOSED)


def test_a_spectator_stays_with_another_socket() -> None:
    given = [*online(ANA, tabs="ab"), *online(BEN), *hosted(BEN), *watching(ANA)]
    scenario().given(*given, *watching(ANA, letter="b")).when(CLOSES).then(CLOSED)


def test_a_lost_socket_is_one_of_the_user_who_watches_and_no_other() -> None:
    given = [*online(ANA, BEN), *hosted(BEN), *watching(ANA)]
    closed = SocketClosed(user=BEN, socket="n1.1.2a", code=BROKEN)
    scenario().given(*given).when(CloseSocket(BEN, "n1.1.2a", BROKEN)).then(closed)


def test_a_spectator_is_gone_from_each_room_that_only_the_lost_socket_watched() -> None:
    rooms = [*hosted(BEN, room="r2"), *hosted(CLEO, room="r1"), *hosted(DAN, room="r3")]
    given = [*online(ANA, tabs="ab"), *online(BEN, CLEO, DAN), *rooms]
    watched = [*watching(ANA, room="r2"), *watching(ANA, room="r1"), *watching(ANA, room="r3")]
    scenario().given(*given, *watched, *watching(ANA, room="r3", letter="b")).when(CLOSES).then(
        out_of("r1"), out_of("r2"), CLOSED
    )


def test_a_spectator_is_gone_from_the_rooms_in_the_order_of_their_ids() -> None:
    rooms = [f"r{number}" for number in range(8)]
    given = [
        event for room in rooms for event in [*made(BEN, room=room), *watching(ANA, room=room)]
    ]
    scenario().given(*online(ANA, BEN), *given).when(CLOSES).then(*map(out_of, rooms), CLOSED)


def test_a_host_who_watched_leaves_the_room_to_the_next_spectator() -> None:
    given = [*online(ANA, BEN, CLEO), *hosted(), *watching(ANA, CLEO, BEN)]
    scenario().given(*given).when(CLOSES).then(out_of(), HostChanged(room=ROOM, user=CLEO), CLOSED)


def test_a_host_who_watched_leaves_the_room_to_a_player_first() -> None:
    given = [*online(ANA, BEN, CLEO), *hosted(), *watching(ANA, CLEO)]
    sits = hosted(BEN)[1:]
    scenario().given(*given, *sits).when(CLOSES).then(
        out_of(), HostChanged(room=ROOM, user=BEN), CLOSED
    )


def test_a_room_whose_only_member_watched_has_no_new_host() -> None:
    scenario().given(*online(ANA), *hosted(), *watching(ANA)).when(CLOSES).then(out_of(), CLOSED)


def test_a_room_that_is_closed_is_watched_by_no_socket() -> None:
    given = [*online(ANA, BEN), *hosted(BEN), *watching(ANA)]
    closed = RoomClosed(room=ROOM, reason="empty")
    scenario().given(*given, closed).when(CLOSES).then(CLOSED)


def test_a_socket_that_plays_here_and_watches_there_is_missed_in_both() -> None:
    given = [*online(DAN), *playing(ANA, BEN), *hosted(DAN, room="other")]
    scenario().given(*given, *watching(ANA, room="other")).when(CLOSES).then(
        out_of("other"), CLOSED, paused(2)
    )
