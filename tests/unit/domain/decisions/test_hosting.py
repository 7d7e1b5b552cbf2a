"""Decisions of hosts: kick, lock; and closing rooms that are empty or not joined."""

from __future__ import annotations

import pytest

from service.domain.commands.base import Command
from service.domain.commands.hosting import (
    CloseEmptyRoom,
    CloseUntakenRoom,
    KickFromRoom,
    LockRoom,
)
from service.domain.errors import (
    MatchAlreadyStarted,
    NotHost,
    NotInRoom,
    RoomNotFound,
)
from service.domain.events.base import Event
from service.domain.events.rooms import (
    HostChanged,
    RoomClosed,
    RoomLocked,
    SeatLeft,
    SpectatorLeft,
)
from service.domain.projections.world import World
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
    playing,
    playing_hosted,
    seated,
    started,
    taken,
    watching,
    wishes,
)
from tests.unit.domain.decisions.tag import scenario
from tests.unit.domain.story import ROOM


@pytest.mark.parametrize(
    ("command", "locks"),
    [
        (KickFromRoom(ANA, ROOM, CLEO), {"room:room", "user:3"}),
        (LockRoom(ANA, ROOM, locked=True), {"room:room"}),
        (CloseUntakenRoom(ROOM), {"room:room"}),
        (CloseEmptyRoom(ROOM, 3), {"room:room"}),
    ],
)
def test_each_command_locks_the_room_and_the_member_who_is_kicked(
    command: Command, locks: set[str]
) -> None:
    assert command.streams(World()) == locks


# KickFromRoom


def kicks(target: int = CLEO) -> KickFromRoom:
    return KickFromRoom(ANA, ROOM, target)


THREE = [*online(ANA, BEN, CLEO), *hosted(ANA, BEN, CLEO)]
KICKED = SeatLeft(room=ROOM, user=CLEO, reason="kicked")


@pytest.mark.parametrize("command", [kicks(), LockRoom(ANA, ROOM, locked=True)])
def test_a_room_that_is_not_there_has_no_host(command: Command) -> None:
    scenario().given(*online(ANA)).when(command).then_refused(RoomNotFound)


@pytest.mark.parametrize("command", [kicks(), LockRoom(ANA, ROOM, locked=True)])
@pytest.mark.parametrize(
    "given",
    [
        [*hosted(BEN, CLEO), *seated(ANA, first=2)],
        [*made(ANA, CLEO), *taken(ANA, CLEO)],
        [*hosted(BEN, CLEO)],
        [*hosted(), *watching(CLEO)],
    ],
)
def test_only_a_host_who_is_in_the_room_decides_about_it(
    command: Command, given: list[Event]
) -> None:
    scenario().given(*online(ANA, BEN, CLEO), *given).when(command).then_refused(NotHost)


def test_the_host_kicks_a_player() -> None:
    scenario().given(*THREE, READY).when(kicks()).then(KICKED)


def test_the_host_kicks_a_player_of_a_finished_room() -> None:
    given = [*playing_hosted(ANA, BEN, CLEO), over("timeup", None, 3)]
    scenario().given(*given).when(kicks()).then(KICKED)


def test_the_host_kicks_nobody_of_a_match() -> None:
    outcome = scenario().given(*playing_hosted(ANA, BEN, CLEO)).when(kicks())
    outcome.then_refused(MatchAlreadyStarted)
    assert outcome.refused is not None
    assert (
        outcome.refused.message == "Players cannot be kicked during a match; wait until it is over."
    )


def test_the_host_kicks_nobody_who_is_not_there() -> None:
    outcome = scenario().given(*THREE, *online(DAN)).when(kicks(DAN))
    outcome.then_refused(NotInRoom)
    assert outcome.refused is not None
    assert outcome.refused.message == "That user is not in this room."


def test_a_user_who_has_left_a_match_is_not_there_to_be_kicked() -> None:
    left = [SeatLeft(room=ROOM, user=CLEO)]
    scenario().given(*playing_hosted(ANA, BEN, CLEO), *left).when(kicks()).then_refused(NotInRoom)


def test_a_room_becomes_ready_when_the_one_is_kicked_who_was_missing() -> None:
    scenario().given(*THREE, *lost(CLEO)).when(kicks()).then(KICKED, READY)


def test_a_match_starts_when_the_one_is_kicked_who_kept_it_from_starting() -> None:
    scenario().given(*THREE, READY, *wishes(ANA, BEN)).when(kicks()).then(KICKED, started(ANA, BEN))


def test_a_match_does_not_start_when_another_one_keeps_it_from_starting() -> None:
    scenario().given(*THREE, READY, *wishes(ANA, CLEO)).when(kicks()).then(KICKED)


def test_the_host_kicks_themselves_and_another_one_is_the_host() -> None:
    scenario().given(*THREE, READY).when(kicks(ANA)).then(
        SeatLeft(room=ROOM, user=ANA, reason="kicked"), HostChanged(room=ROOM, user=BEN)
    )


@pytest.mark.parametrize("begun", [[], [READY, started(ANA, BEN)]])
def test_the_host_kicks_a_spectator_at_any_time(begun: list[Event]) -> None:
    given = [*online(ANA, BEN, CLEO), *hosted(ANA, BEN), *watching(CLEO), *begun]
    scenario().given(*given).when(kicks()).then(
        SpectatorLeft(room=ROOM, user=CLEO, reason="kicked")
    )


# LockRoom


def test_the_host_locks_and_unlocks_the_room() -> None:
    given, locked = THREE, RoomLocked(room=ROOM, locked=True)
    lock, unlock = LockRoom(ANA, ROOM, locked=True), LockRoom(ANA, ROOM, locked=False)
    scenario().given(*given).when(lock).then(locked)
    scenario().given(*given, locked).when(lock).then_nothing()
    scenario().given(*given, locked).when(unlock).then(RoomLocked(room=ROOM, locked=False))
    scenario().given(*given).when(unlock).then_nothing()


def test_a_host_who_only_watches_locks_the_room_as_well() -> None:
    locked = RoomLocked(room=ROOM, locked=True)
    given = [*online(ANA), *hosted(), *watching(ANA)]
    scenario().given(*given).when(LockRoom(ANA, ROOM, locked=True)).then(locked)


# CloseUntakenRoom


def test_a_room_to_which_somebody_never_came_is_closed() -> None:
    given = [*online(ANA, BEN), *made(ANA, BEN), *taken(ANA)]
    scenario().given(*given).when(CloseUntakenRoom(ROOM)).then(
        RoomClosed(room=ROOM, reason="untaken")
    )


@pytest.mark.parametrize(
    "given",
    [
        [],
        [*online(ANA), *hosted(ANA)],
        [*online(ANA, BEN), *made(ANA, BEN), *taken(ANA, BEN), READY],
        playing(ANA, BEN),
        [*playing(ANA, BEN), over("timeup", None, 2)],
    ],
)
def test_a_room_that_is_hosted_or_was_ready_or_is_not_there_is_not_untaken(
    given: list[Event],
) -> None:
    scenario().given(*given).when(CloseUntakenRoom(ROOM)).then_nothing()


# CloseEmptyRoom

EMPTIED = [*online(ANA), *hosted(ANA), *lost(ANA)]
EMPTY_SINCE = 1 + len(EMPTIED)


def test_a_room_that_nobody_has_come_back_to_is_closed() -> None:
    scenario().given(*EMPTIED).when(CloseEmptyRoom(ROOM, EMPTY_SINCE)).then(
        RoomClosed(room=ROOM, reason="empty")
    )


def test_what_happens_in_an_empty_room_does_not_postpone_its_end() -> None:
    locked = RoomLocked(room=ROOM, locked=True)
    scenario().given(*EMPTIED, locked).when(CloseEmptyRoom(ROOM, EMPTY_SINCE)).then(
        RoomClosed(room=ROOM, reason="empty")
    )
    scenario().given(*EMPTIED, locked).when(CloseEmptyRoom(ROOM, EMPTY_SINCE + 1)).then_nothing()


@pytest.mark.parametrize(
    ("given", "since"),
    [
        ([], EMPTY_SINCE),
        (EMPTIED, EMPTY_SINCE - 1),
        (EMPTIED, EMPTY_SINCE + 1),
        ([*EMPTIED, *opened(ANA, "b"), *taken(ANA, letter="b")], EMPTY_SINCE),
    ],
)
def test_a_room_that_is_not_there_or_not_empty_since_then_is_not_closed(
    given: list[Event], since: int
) -> None:
    scenario().given(*given).when(CloseEmptyRoom(ROOM, since)).then_nothing()
