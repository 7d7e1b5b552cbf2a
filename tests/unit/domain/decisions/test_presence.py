"""Decisions about presence: incarnations of nodes, sockets, going offline, statuses."""

import pytest

from service.domain.commands.base import Command
from service.domain.commands.presence import (
    CloseSocket,
    ExpirePresence,
    OpenSocket,
    ReplaceSocket,
    SetStatus,
)
from service.domain.errors import TooManySockets
from service.domain.events.base import Event
from service.domain.events.matchmaking import SearchStarted
from service.domain.events.presence import (
    OwnStatus,
    SocketClosed,
    SocketOpened,
    UserCameOnline,
    UserStatusSet,
    UserWentOffline,
)
from service.domain.events.rooms import HostChanged, SeatForfeited, SpectatorJoined, SpectatorLeft
from service.domain.projections.world import World
from tests.unit.domain.decisions.histories import (
    ANA,
    BEN,
    BROKEN,
    lost,
    new_room,
    online,
    pong_room,
    tab,
    watched_room,
    world_after,
)
from tests.unit.domain.scenario import Scenario, scenario

GONE = UserWentOffline(user=ANA)


def opened(letter: str, *, user: int = ANA, kicked: bool = False) -> SocketOpened:
    return SocketOpened(user=user, socket=tab(user, letter), kicked=kicked)


def closed(letter: str, code: int = BROKEN, *, user: int = ANA) -> SocketClosed:
    return SocketClosed(user=user, socket=tab(user, letter), code=code)


def playing(*, tabs: str = "a") -> Scenario:
    """Begin with a match of Ana and Ben, with further tabs of Ana's that do not show it."""
    stage = scenario(sockets_per_user_max=2)
    stage.story.match("pong", ANA, BEN)
    return stage.given(*(opened(letter) for letter in tabs if letter != "a"))


# OpenSocket


def test_a_user_comes_online_with_their_first_socket() -> None:
    scenario().given(*online(BEN)).when(OpenSocket(ANA, tab(ANA))).then(
        UserCameOnline(user=ANA), opened("a")
    )


def test_a_user_who_went_offline_comes_online_again() -> None:
    scenario().given(*online(ANA), *lost(ANA), GONE).when(OpenSocket(ANA, tab(ANA, "b"))).then(
        UserCameOnline(user=ANA), opened("b")
    )


def test_a_second_socket_is_opened_besides_the_first() -> None:
    scenario().given(*online(ANA)).when(OpenSocket(ANA, tab(ANA, "b"))).then(opened("b"))


def test_a_user_comes_back_in_their_grace_period() -> None:
    scenario().given(*online(ANA), *lost(ANA)).when(OpenSocket(ANA, tab(ANA, "b"))).then(
        opened("b")
    )


@pytest.mark.parametrize(
    ("tabs", "is_refused"), [("a", False), ("ab", False), ("abc", True), ("abcd", True)]
)
def test_a_user_opens_as_many_sockets_as_the_rules_allow(tabs: str, *, is_refused: bool) -> None:
    outcome = (
        scenario(sockets_per_user_max=3)
        .given(*online(ANA, tabs=tabs), *online(BEN, tabs="abc"))
        .when(OpenSocket(ANA, tab(ANA, "z")))
    )
    if is_refused:
        outcome.then_refused(TooManySockets)
    else:
        outcome.then(opened("z"))


def test_a_user_who_lost_a_seat_while_away_is_told_by_their_next_socket_only() -> None:
    kicked = [*online(ANA, BEN), *pong_room(ANA, BEN, phase="playing"), *lost(ANA)]
    forfeited = SeatForfeited(room="old", user=ANA)
    stage = scenario().given(*kicked, forfeited)
    stage.when(OpenSocket(ANA, tab(ANA, "b"))).then(opened("b", kicked=True))
    stage.when(OpenSocket(ANA, tab(ANA, "c"))).then(opened("c"))
    scenario().given(*kicked, forfeited, GONE).when(OpenSocket(ANA, tab(ANA, "b"))).then(
        UserCameOnline(user=ANA), opened("b", kicked=True)
    )


def test_a_user_who_comes_back_to_a_queue_is_paired_with_who_waits_there() -> None:
    waiting = [SearchStarted(user=user, game="pong") for user in (ANA, BEN)]
    scenario().given(*online(ANA, BEN), *waiting, *lost(ANA)).when(
        OpenSocket(ANA, tab(ANA, "b"))
    ).then(opened("b"), new_room("pong", BEN, ANA))


def test_opening_a_socket_locks_the_user_and_the_queues_to_which_they_come_back() -> None:
    assert OpenSocket(ANA, tab(ANA)).streams(World()) == {"user:1"}
    back = OpenSocket(ANA, tab(ANA, "b"))
    waiting = [SearchStarted(user=user, game="pong") for user in (ANA, BEN)]
    world = world_after(*online(ANA, BEN), *waiting, *lost(ANA))
    assert back.streams(world) == {"user:1", "user:2", "queue:pong"}


# ReplaceSocket


def replace(*silent: str, code: int = 4504) -> ReplaceSocket:
    return ReplaceSocket(ANA, tab(ANA, "z"), frozenset(silent), code)


def numbered(*numbers: int) -> list[Event]:
    opening = [SocketOpened(user=ANA, socket=f"n1.1.{number}") for number in numbers]
    return [UserCameOnline(user=ANA), *opening]


@pytest.mark.parametrize(
    ("given", "silent", "replaced"),
    [
        (numbered(10, 9), (), "n1.1.9"),
        (numbered(9, 10), (), "n1.1.9"),
        (numbered(9, 10, 11), (), "n1.1.9"),
        (numbered(9, 10), ("n1.1.10",), "n1.1.10"),
        (numbered(9, 10), ("n1.1.9", "n1.1.10"), "n1.1.9"),
        (numbered(9, 10), ("n1.1.8", "n1.1.10"), "n1.1.10"),
        (numbered(9, 10), ("n1.1.8",), "n1.1.9"),
    ],
)
def test_the_oldest_silent_socket_is_replaced_or_else_the_oldest_of_all(
    given: list[Event], silent: tuple[str, ...], replaced: str
) -> None:
    scenario(sockets_per_user_max=2).given(*given).when(replace(*silent)).then(
        opened("z"), SocketClosed(user=ANA, socket=replaced, code=4504)
    )


def test_the_end_of_a_replaced_socket_is_recorded_with_the_code_that_was_given() -> None:
    scenario(sockets_per_user_max=1).given(*online(ANA)).when(replace(code=1000)).then(
        opened("z"), closed("a", 1000)
    )


@pytest.mark.parametrize("given", [online(ANA), [*online(ANA, tabs="ab"), closed("b")]])
def test_nothing_is_replaced_where_there_is_room_again(given: list[Event]) -> None:
    scenario(sockets_per_user_max=2).given(*given).when(replace()).then(opened("z"))


def test_a_user_without_a_socket_replaces_none() -> None:
    stage = scenario(sockets_per_user_max=1)
    stage.when(replace()).then(UserCameOnline(user=ANA), opened("z"))
    stage = scenario(sockets_per_user_max=1).given(*online(ANA), *lost(ANA))
    stage.when(replace()).then(opened("z"))


def test_a_socket_that_replaces_another_tells_of_a_lost_seat() -> None:
    kicked = [*online(ANA, BEN), *pong_room(ANA, BEN, phase="playing"), *lost(ANA)]
    back = [SeatForfeited(room="old", user=ANA), opened("b")]
    scenario(sockets_per_user_max=1).given(*kicked, *back).when(replace()).then(
        opened("z", kicked=True), closed("b", 4504)
    )


def test_a_match_shown_only_by_the_replaced_socket_is_paused() -> None:
    playing(tabs="ab").when(replace(tab(ANA))).then_types(
        "socket.opened", "socket.closed", "match.paused"
    )


def test_a_match_continues_when_a_socket_that_does_not_show_it_is_replaced() -> None:
    playing(tabs="ab").when(replace(tab(ANA, "b"))).then(opened("z"), closed("b", 4504))


def test_a_user_who_watches_in_the_replaced_socket_only_watches_no_longer() -> None:
    scenario(sockets_per_user_max=1).given(*online(ANA), *watched_room(ANA)).when(replace()).then(
        opened("z"),
        SpectatorLeft(room="watched", user=ANA, reason="offline"),
        closed("a", 4504),
    )


def test_replacing_locks_the_user_and_every_room_that_they_have_joined() -> None:
    assert replace().streams(World()) == {"user:1"}
    world = world_after(
        *online(ANA, tabs="ab"),
        *online(BEN),
        *pong_room(ANA, BEN, phase="playing"),
        *watched_room(ANA, room="one"),
        *watched_room(BEN, room="two"),
    )
    world.fold(SpectatorJoined(room="two", user=ANA, socket=tab(ANA, "b")), world.position + 1)
    assert replace().streams(world) == {"user:1", "room:old", "room:one", "room:two"}
    waiting = [SearchStarted(user=user, game="pong") for user in (ANA, BEN)]
    world = world_after(*online(ANA, BEN), *waiting, *lost(ANA))
    assert replace().streams(world) == {"user:1", "user:2", "queue:pong"}


# CloseSocket

CLOSE = CloseSocket(ANA, tab(ANA), BROKEN)


@pytest.mark.parametrize("code", [1000, 1005, 4503])
def test_a_clean_close_of_the_last_socket_takes_the_user_offline(code: int) -> None:
    stage = scenario().given(*online(ANA, tabs="ab"), *online(BEN))
    stage.when(CloseSocket(ANA, tab(ANA), code)).then(closed("a", code))
    stage.when(CloseSocket(ANA, tab(ANA, "b"), code)).then(closed("b", code), GONE)


NOT_CLEAN = [999, 1001, 1004, 1006, 1008, 1009, 1011, 4000, 4001, 4005, 4008, 4012, 4013]


@pytest.mark.parametrize("code", [*NOT_CLEAN, 4502, 4504])
def test_every_other_close_of_the_last_socket_starts_a_grace_period(code: int) -> None:
    scenario().given(*online(ANA)).when(CloseSocket(ANA, tab(ANA), code)).then(closed("a", code))


@pytest.mark.parametrize(
    "given",
    [
        [],
        online(BEN),
        online(ANA, tabs="b"),
        [*online(ANA), *lost(ANA)],
        [*online(ANA), *lost(ANA), GONE],
    ],
)
@pytest.mark.parametrize("code", [1000, BROKEN])
def test_a_socket_that_is_not_open_is_not_closed(given: list[Event], code: int) -> None:
    scenario().given(*given).when(CloseSocket(ANA, tab(ANA), code)).then_nothing()


def test_the_loss_of_the_only_socket_of_a_player_pauses_their_match() -> None:
    playing().when(CLOSE).then_types("socket.closed", "match.paused")
    playing().when(CloseSocket(ANA, tab(ANA), 1000)).then_types(
        "socket.closed", "match.paused", "user.went_offline"
    )


def test_the_loss_of_a_socket_that_does_not_show_the_match_changes_nothing_there() -> None:
    playing(tabs="ab").when(CloseSocket(ANA, tab(ANA, "b"), BROKEN)).then(closed("b"))


def test_a_user_who_closes_the_only_socket_that_watches_a_room_watches_it_no_longer() -> None:
    left = [SpectatorLeft(room=room, user=ANA, reason="offline") for room in ("one", "two")]
    watching = [*online(ANA), *watched_room(ANA, room="two"), *watched_room(ANA, room="one")]
    scenario().given(*watching).when(CLOSE).then(*left, closed("a"))
    scenario().given(*watching).when(CloseSocket(ANA, tab(ANA), 1000)).then(
        *left, closed("a", 1000), GONE
    )


def test_a_user_who_watches_in_two_sockets_keeps_watching_in_the_other() -> None:
    second = SpectatorJoined(room="watched", user=ANA, socket=tab(ANA, "b"))
    scenario().given(*online(ANA, tabs="ab"), *watched_room(ANA), second).when(CLOSE).then(
        closed("a")
    )


def test_a_host_who_watched_and_is_gone_leaves_the_room_to_the_next_member() -> None:
    host = HostChanged(room="watched", user=ANA)
    scenario().given(*online(ANA, BEN), *watched_room(ANA, BEN), host).when(CLOSE).then(
        SpectatorLeft(room="watched", user=ANA, reason="offline"),
        HostChanged(room="watched", user=BEN),
        closed("a"),
    )


def test_closing_a_socket_locks_the_user_and_the_rooms_that_the_socket_has_joined() -> None:
    assert CLOSE.streams(World()) == {"user:1"}
    second = SpectatorJoined(room="two", user=ANA, socket=tab(ANA, "b"))
    world = world_after(
        *online(ANA, tabs="ab"),
        *online(BEN),
        *pong_room(BEN, ANA, phase="ready"),
        *watched_room(ANA, room="one"),
        *watched_room(BEN, room="two"),
        second,
    )
    assert CLOSE.streams(world) == {"user:1", "room:old", "room:one"}


# SetStatus


def status(value: OwnStatus, *, hidden: bool = False, user: int = ANA) -> UserStatusSet:
    return UserStatusSet(user=user, status=value, hidden=hidden)


@pytest.mark.parametrize(
    ("before", "command", "after"),
    [
        ([], SetStatus(ANA, "away", None), status("away")),
        ([], SetStatus(ANA, None, hidden=True), status("online", hidden=True)),
        ([], SetStatus(ANA, "busy", hidden=True), status("busy", hidden=True)),
        ([status("away")], SetStatus(ANA, "busy", None), status("busy")),
        ([status("away")], SetStatus(ANA, "online", None), status("online")),
        ([status("away")], SetStatus(ANA, None, hidden=True), status("away", hidden=True)),
        ([status("away", hidden=True)], SetStatus(ANA, None, hidden=False), status("away")),
        ([status("away", hidden=True)], SetStatus(ANA, "busy", None), status("busy", hidden=True)),
        ([status("away", hidden=True)], SetStatus(ANA, "online", hidden=False), status("online")),
        ([status("away", hidden=True)], SetStatus(ANA, "away", hidden=False), status("away")),
    ],
)
def test_a_user_is_seen_as_they_want_and_what_they_leave_out_stays(
    before: list[Event], command: SetStatus, after: UserStatusSet
) -> None:
    scenario().given(*online(ANA), *before).when(command).then(after)


@pytest.mark.parametrize(
    ("before", "command"),
    [
        ([], SetStatus(ANA, None, None)),
        ([], SetStatus(ANA, "online", None)),
        ([], SetStatus(ANA, None, hidden=False)),
        ([], SetStatus(ANA, "online", hidden=False)),
        ([status("busy", hidden=True, user=BEN)], SetStatus(ANA, "online", hidden=False)),
        ([status("away", hidden=True)], SetStatus(ANA, None, None)),
        ([status("away", hidden=True)], SetStatus(ANA, "away", None)),
        ([status("away", hidden=True)], SetStatus(ANA, None, hidden=True)),
        ([status("away", hidden=True)], SetStatus(ANA, "away", hidden=True)),
    ],
)
def test_a_status_that_is_set_already_is_not_set_again(
    before: list[Event], command: SetStatus
) -> None:
    scenario().given(*online(ANA, BEN), *before).when(command).then_nothing()


# ExpirePresence

AWAY = [*online(ANA), *lost(ANA)]
AWAY_AT = len(AWAY) + 1
"""The position of the loss that begins the grace; the start of the node is at 1."""


def test_a_user_goes_offline_when_their_grace_period_is_over() -> None:
    scenario().given(*AWAY).when(ExpirePresence(ANA, AWAY_AT)).then(GONE)


@pytest.mark.parametrize(
    ("user", "since"), [(ANA, AWAY_AT - 1), (ANA, AWAY_AT + 1), (BEN, AWAY_AT)]
)
def test_another_grace_period_does_not_end(user: int, since: int) -> None:
    scenario().given(*AWAY).when(ExpirePresence(user, since)).then_nothing()


@pytest.mark.parametrize("then", [[opened("b")], [GONE], [opened("b"), closed("b")]])
def test_a_grace_period_that_has_ended_takes_nobody_offline(then: list[Event]) -> None:
    scenario().given(*AWAY, *then).when(ExpirePresence(ANA, AWAY_AT)).then_nothing()


@pytest.mark.parametrize("command", [SetStatus(ANA, "away", None), ExpirePresence(ANA, 2)])
def test_a_status_and_the_end_of_a_grace_period_lock_the_user(command: Command) -> None:
    assert command.streams(World()) == {"user:1"}


def test_a_paused_match_stays_so_when_its_player_goes_offline() -> None:
    stage = playing().given(CLOSE)
    since = stage.story.world.presence.in_grace[ANA]
    stage.when(ExpirePresence(ANA, since)).then(GONE)
    (match,) = stage.story.world.matches.live.values()
    assert match.paused
