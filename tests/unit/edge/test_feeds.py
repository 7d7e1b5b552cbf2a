"""The broadcast interval of presence."""

import asyncio

import pytest

from service.domain.events.rooms import RoomCreated, SpectatorJoined
from service.domain.projections.world import World
from service.edge.feeds import BROADCAST_CPU_SHARE_MAX, RoomFeed, broadcast_interval_s
from service.fanout.profiles import Profiles

LEAST_S = 0.1


@pytest.mark.parametrize("sockets", [0, 1, 100, 1000])
def test_the_broadcast_interval_is_the_setting_with_few_sockets(sockets: int) -> None:
    assert broadcast_interval_s(LEAST_S, sockets) == LEAST_S


def test_the_broadcast_interval_grows_with_the_number_of_sockets() -> None:
    half = broadcast_interval_s(LEAST_S, 20_000)
    assert broadcast_interval_s(LEAST_S, 40_000) == pytest.approx(2 * half)
    assert half == pytest.approx(20_000 * 10e-6 / BROADCAST_CPU_SHARE_MAX)


def test_the_broadcast_interval_grows_with_the_message_size() -> None:
    short = broadcast_interval_s(LEAST_S, 2000, 32_000)
    assert broadcast_interval_s(LEAST_S, 2000, 64_000) > short > LEAST_S


async def test_the_room_list_interval_grows_with_subscribers_and_entries() -> None:
    world = World()
    world.fold(
        RoomCreated(
            room="r",
            game="relay",
            players=[],
            options={},
            seats_min=1,
            seats_max=2,
            host=1,
            metadata={"a": "x" * 4000},
            spectators_max=10_000,
        ),
        1,
    )
    for number in range(2000):
        world.fold(SpectatorJoined(room="r", user=number, socket=f"n1.1.{number}"), 2 + number)
    told = asyncio.Event()
    feed = RoomFeed(world, Profiles(), 0.001, lambda *_: told.set())
    feed.change("r")
    await asyncio.wait_for(told.wait(), 5)
    told.clear()
    feed.change("r")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(told.wait(), 0.05)
