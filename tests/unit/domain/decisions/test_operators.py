"""Decisions of operators: kick, close, void, revoke; each is logged with its reason."""

from __future__ import annotations

import pytest

from service.domain.commands.base import Command
from service.domain.commands.operators import (
    CloseRoom,
    EndMatch,
    KickMember,
    NoteAction,
    RevokeSessions,
)
from service.domain.errors import MatchNotRunning, NodesTooOld, NotInRoom, RoomNotFound
from service.domain.events.access import SessionsRevoked
from service.domain.events.base import Event
from service.domain.events.nodes import NodeStarted
from service.domain.events.operators import OperatorActed
from service.domain.events.rooms import (
    HostChanged,
    RoomClosed,
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
    online,
    over,
    playing,
    playing_hosted,
    started,
    void,
    watching,
    wishes,
    world_after,
)
from tests.unit.domain.decisions.tag import scenario
from tests.unit.domain.story import ROOM

WHY = "they asked for it"
MATCH = f"{ROOM}-1"
THREE = [*online(ANA, BEN, CLEO), *hosted(ANA, BEN, CLEO)]
CLOSED = RoomClosed(room=ROOM, reason="operator")
OLD_NODE = NodeStarted(node="n2", incarnation=1, level=2, rules=[])


def acted(user: int | None = None, **fields: str) -> OperatorActed:
    return OperatorActed(**{"room": ROOM, "user": user, "reason": WHY, **fields})  # type: ignore[arg-type]  # of the fields


def kicked(user: int) -> list[Event]:
    return [acted(user, action="kick"), SeatLeft(room=ROOM, user=user, reason="kicked")]


def kicks(target: int) -> KickMember:
    return KickMember(ROOM, target, WHY)


# KickMember


@pytest.mark.parametrize(
    ("command", "locks"),
    [
        (kicks(CLEO), {"room:room", "user:3"}),
        (CloseRoom(ROOM), {"room:room"}),
        (EndMatch(ROOM, MATCH), {"room:room"}),
        (RevokeSessions(ANA, 1), {"user:1"}),
        (NoteAction("message"), set()),
    ],
)
def test_each_command_locks_what_it_changes(command: Command, locks: set[str]) -> None:
    assert command.streams(World()) == locks


def test_an_operator_kicks_a_player() -> None:
    scenario().given(*THREE, READY).when(kicks(CLEO)).then(*kicked(CLEO))


def test_another_member_becomes_host_when_the_host_is_kicked() -> None:
    scenario().given(*THREE, READY).when(kicks(ANA)).then(
        *kicked(ANA), HostChanged(room=ROOM, user=BEN)
    )


def test_who_is_kicked_from_a_match_of_two_has_lost_it() -> None:
    scenario().given(*playing(ANA, BEN)).when(kicks(BEN)).then(*kicked(BEN), over("left", 0, 2))


def test_the_others_play_on_without_who_is_kicked_from_a_match() -> None:
    scenario().given(*playing_hosted(ANA, BEN, CLEO)).when(kicks(CLEO)).then(*kicked(CLEO))


def test_the_last_member_who_is_kicked_closes_the_room() -> None:
    scenario().given(*online(ANA), *hosted(ANA)).when(kicks(ANA)).then(*kicked(ANA), CLOSED)


def test_the_match_starts_when_the_one_is_kicked_who_kept_it_from_starting() -> None:
    scenario().given(*THREE, READY, *wishes(ANA, BEN)).when(kicks(CLEO)).then(
        *kicked(CLEO), started(ANA, BEN)
    )


def test_the_room_is_ready_when_the_one_is_kicked_who_was_missing() -> None:
    scenario().given(*THREE, *lost(CLEO)).when(kicks(CLEO)).then(*kicked(CLEO), READY)


def test_an_operator_kicks_a_spectator() -> None:
    scenario().given(*THREE, *online(DAN), *watching(DAN)).when(kicks(DAN)).then(
        acted(DAN, action="kick"), SpectatorLeft(room=ROOM, user=DAN, reason="kicked")
    )


def test_nobody_is_kicked_who_is_not_in_the_room() -> None:
    scenario().given(*THREE, *online(DAN)).when(kicks(DAN)).then_refused(NotInRoom)


# CloseRoom


def test_a_room_is_closed_with_its_members() -> None:
    outcome = scenario().given(*THREE).when(CloseRoom(ROOM, WHY))
    outcome.then(acted(action="close_room"), CLOSED)


def test_the_match_of_a_closed_room_is_void() -> None:
    outcome = scenario().given(*playing(ANA, BEN)).when(CloseRoom(ROOM, WHY))
    outcome.then(acted(action="close_room"), void(2), CLOSED)


# EndMatch


def test_a_match_is_voided_at_its_present_tick() -> None:
    outcome = scenario().given(*playing(ANA, BEN)).measured(tick=7).when(EndMatch(ROOM, MATCH, WHY))
    outcome.then(acted(action="void_match", match=MATCH), void(2, tick=7))


@pytest.mark.parametrize("match", [MATCH, f"{ROOM}-2"])
def test_a_match_that_is_over_cannot_be_voided(match: str) -> None:
    given = [*playing(ANA, BEN), over("timeup", None, 2)]
    scenario().given(*given).when(EndMatch(ROOM, match)).then_refused(MatchNotRunning)


def test_a_match_of_another_room_cannot_be_voided() -> None:
    scenario().given(*playing(ANA, BEN)).when(EndMatch("other", MATCH)).then_refused(
        MatchNotRunning
    )


# NoteAction


def test_a_message_is_noted_without_its_text() -> None:
    scenario().given(*THREE).when(NoteAction("message", user=BEN, reason=WHY)).then(
        OperatorActed(action="message", user=BEN, reason=WHY)
    )


def test_a_retried_delivery_is_noted() -> None:
    scenario().when(NoteAction("retry_delivery", match=MATCH)).then(
        OperatorActed(action="retry_delivery", match=MATCH)
    )


@pytest.mark.parametrize("command", [kicks(ANA), CloseRoom(ROOM), NoteAction("message", room=ROOM)])
def test_a_room_that_is_not_there_is_refused(command: Command) -> None:
    scenario().given(*online(ANA)).when(command).then_refused(RoomNotFound)


@pytest.mark.parametrize(
    "command", [kicks(BEN), CloseRoom(ROOM), EndMatch(ROOM, MATCH), NoteAction("message")]
)
def test_nothing_is_done_that_a_live_node_could_not_read(command: Command) -> None:
    scenario().given(*playing(ANA, BEN), OLD_NODE).when(command).then_refused(NodesTooOld)


# RevokeSessions


REVOKED = [
    OperatorActed(action="revoke", user=ANA, reason=WHY),
    SessionsRevoked(user=ANA, until_s=1000),
]


def test_sessions_are_revoked_until_now() -> None:
    scenario().when(RevokeSessions(ANA, 1000, WHY)).then(*REVOKED)


def test_sessions_that_are_revoked_already_are_revoked_again() -> None:
    command = RevokeSessions(ANA, 1000, WHY)
    scenario().given(command).when(command).then(*REVOKED)


def test_a_revocation_does_not_wait_for_nodes_that_cannot_read_who_did_it() -> None:
    scenario().given(OLD_NODE).when(RevokeSessions(ANA, 1000, WHY)).then(REVOKED[1])


def test_a_revocation_locks_the_user() -> None:
    assert RevokeSessions(ANA, 1000).streams(World()) == {"user:1"}


@pytest.mark.parametrize(
    ("issued_at_s", "is_allowed"), [(None, False), (999, False), (1000, False), (1000.5, True)]
)
def test_a_token_issued_up_to_the_revocation_is_refused(
    issued_at_s: float | None, *, is_allowed: bool
) -> None:
    world = world_after(SessionsRevoked(user=ANA, until_s=1000))
    assert world.access.allows(ANA, issued_at_s) == is_allowed


@pytest.mark.parametrize("issued_at_s", [None, 0, 1000])
def test_a_user_whose_sessions_were_never_revoked_may_use_any_token(
    issued_at_s: float | None,
) -> None:
    world = world_after(SessionsRevoked(user=ANA, until_s=1000))
    assert world.access.allows(BEN, issued_at_s)


def test_the_last_revocation_counts() -> None:
    world = world_after(RevokeSessions(ANA, 1000), RevokeSessions(ANA, 2000))
    assert not world.access.allows(ANA, 2000)
    assert world.access.allows(ANA, 2001)
