"""Folding events into the world: each into all projections that want it, at its position."""

from __future__ import annotations

import pytest

from service.domain.events.presence import SocketOpened, UserCameOnline
from service.domain.events.rooms import RoomClosed
from service.domain.projections.world import FoldFailed, World

ONLINE = UserCameOnline(user=7)


def test_a_new_world_is_at_position_zero() -> None:
    assert World().position == 0


def test_a_world_is_at_the_position_of_its_last_folded_event() -> None:
    world = World()
    world.fold(ONLINE, 3)
    world.fold(SocketOpened(user=7, socket="n1.1.1"), 4)
    assert world.position == 4
    assert world.presence.sockets == {7: {"n1.1.1"}}


def test_an_event_is_folded_into_each_projection_that_wants_it() -> None:
    world = World()
    world.fold(ONLINE, 1)
    world.fold(SocketOpened(user=7, socket="n1.1.1", kicked=True), 2)
    world.rooms.kicked[7] = "room"
    world.fold(SocketOpened(user=7, socket="n1.1.2", kicked=True), 3)
    assert world.presence.sockets == {7: {"n1.1.1", "n1.1.2"}}
    assert world.rooms.kicked == {}


def test_an_event_that_can_not_be_folded_is_named_with_what_to_do() -> None:
    world = World()
    with pytest.raises(FoldFailed) as failed:
        world.fold(RoomClosed(room="none", reason="left"), 5)
    assert failed.value.position == 5
    assert isinstance(failed.value.__cause__, KeyError)
    assert str(failed.value) == (
        "the event at position 5 (room.closed) can't be folded: KeyError('none'). Start the "
        "version that wrote it, or leave this one event out, for good, by `ws-service log skip 5 "
        "--reason TEXT`"
    )
    assert world.position == 0
