"""Connections are admitted at once, wait in order, or get 503."""

import asyncio
from typing import Any, cast

import pytest
import structlog
from aiohttp import web

from service.edge.admission_control import AdmissionControl
from service.edge.admission_rate import BURST, LATE_S
from service.settings.sections.http import AdmissionLimits
from service.telemetry import Metrics


class Transport:
    """What is asked of a transport."""

    def __init__(self) -> None:
        self.closing = False

    def is_closing(self) -> bool:
        return self.closing


class Request:
    """What is asked of a request."""

    def __init__(self) -> None:
        self.transport = Transport()


class Door:
    """An admission control by a clock of its own."""

    def __init__(self, **limits: Any) -> None:
        self.now = 0.0
        self.lateness_s = 0.0
        self.metrics = Metrics()
        self.control = AdmissionControl(
            AdmissionLimits(**limits), lambda: self.lateness_s, self.metrics, lambda: self.now
        )
        self.order: list[str] = []

    async def fill(self) -> None:
        """Admit as many as are admitted at once."""
        for _ in range(BURST):
            await self.control.admit(cast("web.Request", Request()), "first")

    def arrive(self, name: str, address: str, request: Request | None = None) -> asyncio.Task[None]:
        """Let a connection arrive."""

        async def come() -> None:
            await self.control.admit(cast("web.Request", request or Request()), address)
            self.order.append(name)

        return asyncio.create_task(come(), name=name)

    def value(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, labels)


async def settled(door: Door, waiting: int) -> None:
    """Let tasks begin until so many wait."""
    while len(door.control) != waiting:  # noqa: ASYNC110 - a task that begins tells nobody
        await asyncio.sleep(0)


async def test_a_quiet_service_admits_without_giving_the_loop_away() -> None:
    door = Door()
    coroutine = door.control.admit(cast("web.Request", Request()), "a")
    with pytest.raises(StopIteration):
        coroutine.send(None)
    assert door.value("ws_admission_wait_seconds_count") == 1


async def test_those_who_wait_are_admitted_in_turn() -> None:
    door = Door()
    await door.fill()
    tasks = [door.arrive(name, name[0]) for name in ("a1", "a2", "a3", "b1")]
    await settled(door, 4)
    door.now = 1.0
    await asyncio.gather(*tasks)
    assert door.order == ["a1", "b1", "a2", "a3"]
    assert door.value("ws_admission_wait_seconds_sum") == 4


async def test_who_does_not_fit_is_refused_at_once_with_the_time_to_come_back() -> None:
    door = Door(queue_max=1)
    await door.fill()
    waiting = door.arrive("a", "a")
    await settled(door, 1)
    with pytest.raises(web.HTTPServiceUnavailable) as refused:
        await door.control.admit(cast("web.Request", Request()), "b")
    assert refused.value.headers["Retry-After"] == "1"
    assert door.value("ws_handshakes_refused_total", error_code="ADMISSION_QUEUE_FULL") == 1
    door.now = 1.0
    await waiting


async def test_a_flood_gives_way_to_another_address() -> None:
    door = Door(queue_max=3)
    await door.fill()
    flood = [door.arrive(f"f{number}", "f") for number in range(3)]
    await settled(door, 3)
    player = door.arrive("p", "p")
    with pytest.raises(web.HTTPServiceUnavailable):
        await flood[2]
    door.now = 1.0
    await asyncio.gather(player, *flood[:2])
    assert door.order == ["f0", "p", "f1"]


async def test_who_has_waited_too_long_is_refused_also_behind_others() -> None:
    door = Door(wait_s=5)
    await door.fill()
    door.lateness_s = 10 * LATE_S
    tasks = [door.arrive(f"a{number}", "a") for number in range(3)]
    await settled(door, 3)
    door.now = 5.5
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [web.HTTPServiceUnavailable] * 3
    assert door.value("ws_handshakes_refused_total", error_code="ADMISSION_TIMED_OUT") == 3
    assert len(door.control) == 0


async def test_a_client_that_left_takes_nobodys_place() -> None:
    door = Door()
    await door.fill()
    request = Request()
    gone = door.arrive("gone", "a", request)
    await settled(door, 1)
    request.transport.closing = True
    await gone
    assert door.value("ws_admission_wait_seconds_count") == BURST


async def test_a_cancelled_request_no_longer_waits() -> None:
    door = Door()
    await door.fill()
    task = door.arrive("a", "a")
    await settled(door, 1)
    task.cancel()
    await asyncio.wait([task])
    assert len(door.control) == 0


async def test_a_stop_lets_all_go_on_so_that_they_are_refused_as_usual() -> None:
    door = Door()
    await door.fill()
    tasks = [door.arrive(f"a{number}", "a") for number in range(3)]
    await settled(door, 3)
    door.control.stop()
    await asyncio.gather(*tasks)
    await door.control.admit(cast("web.Request", Request()), "b")


async def test_an_episode_is_logged_once_and_not_for_each_connection() -> None:
    door = Door(queue_max=2)
    await door.fill()
    with structlog.testing.capture_logs() as logs:
        tasks = [door.arrive(f"a{number}", "a") for number in range(20)]
        await asyncio.wait(tasks[2:])
        door.now = 1.5
        await asyncio.gather(*tasks[:2])
    assert [(log["event"], log["metadata"]) for log in logs] == [
        ("connections wait", {"waiting": 2}),
        ("connections wait no longer", {"admitted": 2, "refused": 18, "longest_ms": 1500}),
    ]


async def test_a_short_wait_is_not_logged() -> None:
    door = Door()
    await door.fill()
    with structlog.testing.capture_logs() as logs:
        task = door.arrive("a", "a")
        await settled(door, 1)
        door.now = 0.5
        await task
    assert logs == []
