"""Decisions about users who leave a finished room when another one is created for them."""

from __future__ import annotations

from service.domain.commands.matchmaking import JoinQueue
from service.domain.events.matchmaking import SearchStarted
from service.domain.events.rooms import (
    HostChanged,
    RoomClosed,
    SeatLeft,
)
from tests.unit.domain.decisions.histories import (
    ANA,
    BEN,
    CLEO,
    DAN,
    hosted,
    made,
    online,
    over,
    started,
)
from tests.unit.domain.decisions.tag import scenario

SEARCHES = SearchStarted(user=BEN, game="tag")
JOINS = JoinQueue(ANA, "tag")


NEW_ROOM = made(
    BEN,
    ANA,
    options={"duration_s": 30, "reconnect_grace_s": 10, "pause_budget_s": 60},
    spectators_max=2000,
)
"""The room in which Ben, who waited, and Ana are paired."""


def test_a_room_is_created_for_as_many_as_have_found_each_other() -> None:
    scenario().given(*online(ANA, BEN), SEARCHES).when(JOINS).then(*NEW_ROOM)


def test_a_room_that_is_created_takes_its_options_from_the_settings() -> None:
    settings = scenario(match_duration_s=5, reconnect_grace_s=6, pause_budget_s=7, spectators_max=8)
    options = {"duration_s": 5, "reconnect_grace_s": 6, "pause_budget_s": 7}
    settings.given(*online(ANA, BEN), SEARCHES).when(JOINS).then(
        *made(BEN, ANA, options=options, spectators_max=8)
    )


def test_a_finished_room_is_left_by_each_of_those_who_are_paired() -> None:
    old = [*hosted(ANA, BEN, CLEO, room="old"), started(ANA, BEN, CLEO, room="old")]
    ended = over("timeup", None, 3, room="old")
    given = [*online(ANA, BEN, CLEO, DAN), *old, ended, SEARCHES]
    scenario().given(*given).when(JOINS).then(
        SeatLeft(room="old", user=ANA),
        SeatLeft(room="old", user=BEN),
        HostChanged(room="old", user=CLEO),
        *NEW_ROOM,
    )


def test_a_finished_room_that_all_leave_is_closed() -> None:
    old = [*made(ANA, BEN, room="old"), started(ANA, BEN, room="old")]
    given = [*online(ANA, BEN), *old, over("timeup", None, 2, room="old"), SEARCHES]
    scenario().given(*given).when(JOINS).then(
        SeatLeft(room="old", user=ANA),
        SeatLeft(room="old", user=BEN),
        RoomClosed(room="old", reason="left"),
        *NEW_ROOM,
    )


def test_each_leaves_their_own_finished_room() -> None:
    old = [
        event
        for one, other, room in [(ANA, CLEO, "one"), (BEN, DAN, "two")]
        for event in [
            *made(one, other, room=room),
            started(one, other, room=room),
            over("timeup", None, 2, room=room),
        ]
    ]
    scenario().given(*online(ANA, BEN, CLEO, DAN), *old, SEARCHES).when(JOINS).then(
        SeatLeft(room="two", user=BEN), SeatLeft(room="one", user=ANA), *NEW_ROOM
    )
