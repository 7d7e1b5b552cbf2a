"""The figures of the last quarter of an hour, for operators: one sample every few seconds."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.domain.events.base import Position
    from service.domain.projections.world import World
    from service.telemetry import Metrics

EVERY_S = 5.0
"""The time between two samples, in seconds."""

SAMPLES_MAX = 180
"""How many samples are kept: a quarter of an hour."""

QUANTILE = 0.99


class Sample(msgspec.Struct, frozen=True, rename="camel"):
    """What was measured at a time; rates and latencies are those since the sample before.

    Sockets, users, rooms, matches and events are of all nodes; latencies and slow consumers are of
    this node. Latencies are 99th percentiles in ms, null when nothing has been measured.
    """

    at_ms: int
    """Milliseconds since 1970."""
    sockets: int
    users: int
    rooms: int
    matches: int
    events_per_s: float
    commit_ms: float | None
    tick_ms: float | None
    slow_consumers: int


class Figures:
    """Takes the samples, and keeps the latest of them."""

    def __init__(
        self,
        world: World,
        position: Callable[[], Position],
        metrics: Metrics,
        *,
        now: Callable[[], float],
    ) -> None:
        """Count what is in `world`; `position` is the end of the log, `now` seconds since 1970."""
        self._world = world
        self._position = position
        self._metrics = metrics
        self._now = now
        self.samples: deque[Sample] = deque(maxlen=SAMPLES_MAX)
        """The latest samples, the oldest first."""
        self._note()

    async def run(self) -> None:
        """Take samples until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            self.take()

    def take(self) -> None:
        """Keep a sample; the next one counts from now on."""
        self.samples.append(self.present())
        self._note()

    def present(self) -> Sample:
        """Return what is measured now, since the latest kept sample."""
        metrics, world, now = self._metrics, self._world, self._now()
        passed_s = max(now - self._at, 0.001)
        return Sample(
            at_ms=int(now * 1000),
            sockets=sum(map(len, world.presence.sockets.values())),
            users=len(world.presence.sockets),
            rooms=len(world.rooms.rooms),
            matches=len(world.matches.live),
            events_per_s=round((self._position() - self._events) / passed_s, 1),
            commit_ms=_ms(metrics.commit.quantile_since(self._commits, QUANTILE)),
            tick_ms=_ms(metrics.tick.quantile_since(self._ticks, QUANTILE)),
            slow_consumers=metrics.slow_clients - self._slow,
        )

    def _note(self) -> None:
        """Note from where on the next sample counts."""
        self._at = self._now()
        self._events = self._position()
        self._commits = self._metrics.commit.counts()
        self._ticks = self._metrics.tick.counts()
        self._slow = self._metrics.slow_clients


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)
