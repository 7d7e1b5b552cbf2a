"""The projection of presence: online users, grace periods, statuses."""

import pytest

from service.domain.errors import NotConnected, UserOffline
from service.domain.events.base import Event
from service.domain.events.nodes import NodeStarted
from service.domain.events.presence import (
    OwnStatus,
    SocketClosed,
    SocketOpened,
    UserCameOnline,
    UserStatusSet,
    UserWentOffline,
)
from service.domain.projections.presence import Presence
from tests.unit.domain.decisions.histories import (
    ANA,
    BEN,
    BROKEN,
    CLEO,
    DAN,
    lost,
    online,
    tab,
    world_after,
)
from tests.unit.domain.scenario import scenario

GONE = UserWentOffline(user=ANA)


def opened(letter: str, *, user: int = ANA) -> SocketOpened:
    return SocketOpened(user=user, socket=tab(user, letter))


def closed(letter: str, code: int = BROKEN, *, user: int = ANA) -> SocketClosed:
    return SocketClosed(user=user, socket=tab(user, letter), code=code)


def status(value: OwnStatus, *, hidden: bool = False, user: int = ANA) -> UserStatusSet:
    return UserStatusSet(user=user, status=value, hidden=hidden)


def presence_after(*happened: Event) -> Presence:
    return world_after(*happened).presence


def test_users_are_online_from_their_first_socket_to_going_offline() -> None:
    came = presence_after(*online(BEN), UserCameOnline(user=ANA))
    assert came.sockets == {BEN: {tab(BEN)}, ANA: set()}
    assert list(came.online()) == [BEN, ANA]
    assert came.is_online(ANA)
    assert not came.is_connected(ANA)
    assert not came.is_online(CLEO)
    gone = presence_after(*online(BEN, ANA), *lost(ANA), GONE)
    assert gone.sockets == {BEN: {tab(BEN)}}
    assert not gone.is_online(ANA)


def test_a_grace_period_starts_with_the_loss_of_the_last_socket() -> None:
    one = presence_after(*online(ANA, tabs="ab"), closed("a"))
    assert (one.sockets, one.in_grace) == ({ANA: {tab(ANA, "b")}}, {})
    none = presence_after(*online(ANA, tabs="ab"), closed("a"), closed("b"))
    assert (none.sockets, none.in_grace) == ({ANA: set()}, {ANA: 6})


def test_a_socket_ends_the_grace_period() -> None:
    back = presence_after(*online(ANA, BEN), *lost(BEN), *lost(ANA), opened("b"))
    assert back.sockets == {ANA: {tab(ANA, "b")}, BEN: set()}
    assert back.in_grace == {BEN: 6}


def test_going_offline_ends_the_grace_period_and_the_status_but_not_the_hiding() -> None:
    gone = presence_after(
        *online(ANA, BEN),
        status("away", hidden=True),
        status("busy", user=BEN),
        *lost(ANA),
        GONE,
    )
    assert gone.in_grace == {}
    assert gone.statuses == {BEN: "busy"}
    assert gone.hidden == {ANA: None}
    farewell = presence_after(*online(ANA), closed("a", 1000), GONE)
    assert (farewell.sockets, farewell.in_grace) == ({}, {})


def test_going_offline_without_a_loss_leaves_nothing_either() -> None:
    gone = presence_after(*online(ANA), GONE)
    assert (gone.sockets, gone.in_grace) == ({}, {})


def test_a_start_puts_the_users_of_the_earlier_incarnations_of_a_node_in_their_grace_period() -> (
    None
):
    elsewhere = [
        SocketOpened(user=BEN, socket="n2.1.1"),
        UserCameOnline(user=CLEO),
        SocketOpened(user=CLEO, socket="n2.1.2"),
    ]
    given = [*online(DAN), *lost(DAN), *online(ANA, BEN), *elsewhere]
    world = world_after(*given, NodeStarted(node="n1", incarnation=2))
    restarted = world.presence
    assert restarted.sockets == {DAN: set(), ANA: set(), BEN: {"n2.1.1"}, CLEO: {"n2.1.2"}}
    assert restarted.in_grace == {DAN: 4, ANA: len(given) + 2}
    assert world.nodes.incarnations == {"n1": 2}
    assert restarted.is_connected(BEN)


def test_users_without_a_socket_come_to_no_grace_period_by_a_start() -> None:
    restarted = presence_after(
        UserCameOnline(user=ANA), *online(BEN), NodeStarted(node="n1", incarnation=2)
    )
    assert restarted.in_grace == {BEN: 5}


def test_incarnations_are_counted_for_each_node() -> None:
    started = [NodeStarted(node="n2", incarnation=1), NodeStarted(node="n1", incarnation=2)]
    assert world_after(*started).nodes.incarnations == {"n1": 2, "n2": 1}


def test_a_status_is_remembered_where_it_is_not_online() -> None:
    both = [*online(ANA, BEN), status("away"), status("busy", user=BEN)]
    assert presence_after(*both).statuses == {ANA: "away", BEN: "busy"}
    assert presence_after(*both, status("online")).statuses == {BEN: "busy"}
    assert presence_after(status("online")).statuses == {}


def test_hidden_users_are_seen_by_nobody_until_they_show_themselves() -> None:
    hidden = presence_after(*online(ANA, BEN), status("online", hidden=True))
    assert list(hidden.online()) == [BEN]
    assert not hidden.is_online(ANA)
    assert hidden.is_connected(ANA)
    shown = presence_after(*online(ANA), status("online", hidden=True), status("online"))
    assert shown.is_online(ANA)
    assert shown.hidden == {}
    assert presence_after(status("online")).hidden == {}


def test_a_user_who_hides_again_is_evicted_last() -> None:
    hiding = [status("online", hidden=True, user=user) for user in (ANA, BEN, ANA)]
    assert list(presence_after(*hiding).hidden) == [BEN, ANA]


@pytest.mark.parametrize(("others", "is_forgotten"), [(99_998, False), (99_999, True)])
def test_a_hundred_thousand_hidden_users_are_kept(others: int, *, is_forgotten: bool) -> None:
    full = scenario().given(status("online", hidden=True))
    hidden = full.story.world.presence.hidden
    hidden.update(dict.fromkeys(range(1000, 1000 + others)))
    full.given(status("online", hidden=True, user=BEN))
    assert len(hidden) == 100_000
    assert (ANA not in hidden) == is_forgotten
    assert BEN in hidden


def test_users_are_connected_with_a_socket_open() -> None:
    presence = presence_after(*online(ANA, BEN, CLEO), *lost(BEN))
    assert presence.is_connected(ANA)
    assert not presence.is_connected(BEN)
    assert not presence.is_connected(DAN)
    presence.check_connected([])
    presence.check_connected([ANA, CLEO])
    for missing in ([BEN], [DAN], [ANA, BEN], [BEN, ANA]):
        with pytest.raises(UserOffline):
            presence.check_connected(missing)


def test_a_socket_is_open_until_it_is_closed() -> None:
    presence = presence_after(*online(ANA, tabs="ab"), *online(BEN), closed("a"))
    presence.check_socket_open(ANA, tab(ANA, "b"))
    for user, one in [(ANA, tab(ANA)), (BEN, tab(ANA, "b")), (DAN, tab(DAN))]:
        with pytest.raises(NotConnected):
            presence.check_socket_open(user, one)
