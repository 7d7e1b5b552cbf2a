"""Admission control: new connections wait their turn while live matches are late.

A connection that finds nobody waiting and a token in the bucket is admitted at once. The others
wait in a fair queue, before their upgrade and before anything is allocated for them. Whoever does
not fit, or has waited too long, gets 503 with `Retry-After`.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from aiohttp import web

from service.edge.admission_rate import AdmissionRate
from service.edge.fair_queue import FairQueue
from service.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.settings.sections.http import AdmissionLimits
    from service.telemetry import Metrics

PERIOD_S = 0.002
"""How often the queue is served while anybody waits, in seconds."""

RETRY_MAX_S = 30
"""The longest `Retry-After`, in seconds."""

LOGGED_WAIT_S = 1.0
"""How long somebody has to wait before an episode is logged, in seconds."""

QUEUE_FULL = "ADMISSION_QUEUE_FULL"
TIMED_OUT = "ADMISSION_TIMED_OUT"

logger = get_logger(__name__)


class _Waiter:
    """A connection that waits."""

    __slots__ = ("_done", "since", "transport")

    def __init__(
        self,
        transport: asyncio.BaseTransport | None,
        since: float,
        done: Callable[[bool], None],
    ) -> None:
        self.transport = transport
        self.since = since
        self._done: Callable[[bool], None] | None = done

    def settle(self, *, is_admitted: bool) -> None:
        """Tell it, once, whether it may go on."""
        done, self._done = self._done, None
        if done is not None:
            done(is_admitted)

    @property
    def is_gone(self) -> bool:
        """Whether the client has closed the connection."""
        return self.transport is None or self.transport.is_closing()


class AdmissionControl:
    """Admits connections at a rate that lets live matches keep their ticks."""

    def __init__(
        self,
        limits: AdmissionLimits,
        lateness_s: Callable[[], float],
        metrics: Metrics,
        clock: Callable[[], float],
    ) -> None:
        """Ask `lateness_s` how late the last tick was; `clock` is monotonic, in seconds."""
        self._limits = limits
        self._lateness_s = lateness_s
        self._metrics = metrics
        self._clock = clock
        self._rate = AdmissionRate(clock())
        self._queue: FairQueue[_Waiter] = FairQueue(limits.queue_max)
        self._timer: asyncio.TimerHandle | None = None
        self._episode = _Episode()
        self._is_stopped = False

    def __len__(self) -> int:
        """Count those who wait."""
        return len(self._queue)

    async def admit(self, request: web.Request, address: str) -> None:
        """Return when the connection of `request` may go on; raise 503 if it may not."""
        admitted: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        def settle(is_admitted: bool) -> None:  # noqa: FBT001 - a callback
            if not admitted.done():
                admitted.set_result(is_admitted)

        waiter = self.enter(request.transport, address, settle)
        if waiter is None:
            return
        try:
            is_admitted = await admitted
        finally:
            self._queue.discard(waiter)
        if not is_admitted:
            raise self.refusal()

    def enter(
        self,
        transport: asyncio.BaseTransport | None,
        address: str,
        done: Callable[[bool], None],
    ) -> _Waiter | None:
        """Return None if a connection may go on now; else `done` is called with whether it may."""
        now = self._clock()
        if self._timer is None:
            self._rate.update(now, self._lateness_s())
            if self._is_stopped or self._rate.take():
                self._metrics.admitted(0.0)
                return None
        waiter = _Waiter(transport, now, done)
        removed = self._queue.put(address, waiter)
        if removed is not None:
            self._refuse(removed, QUEUE_FULL)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(PERIOD_S, self._serve)
        return waiter

    def stop(self) -> None:
        """Let everybody go on, now and later: a service that stops refuses them by itself."""
        self._is_stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while (waiter := self._queue.next()) is not None:
            self._settle(waiter, is_admitted=True)

    def _serve(self) -> None:
        """Refuse those who have waited too long, and admit those whose turn it is."""
        now = self._clock()
        self._rate.update(now, self._lateness_s())
        oldest = self._queue.oldest()
        while oldest is not None and now - oldest.since > self._limits.wait_s:
            self._refuse(oldest, TIMED_OUT)
            oldest = self._queue.oldest()
        while (waiter := self._queue.next()) is not None:
            if waiter.is_gone:
                # It costs nothing to let it find out by itself.
                self._settle(waiter, is_admitted=True)
                continue
            if not self._rate.take():
                break
            waited_s = now - waiter.since
            self._metrics.admitted(waited_s)
            self._episode.admitted(waited_s, len(self._queue))
            self._settle(waiter, is_admitted=True)
        if len(self._queue):
            self._timer = asyncio.get_running_loop().call_later(PERIOD_S, self._serve)
        else:
            self._timer = None
            self._episode.end()
            self._episode = _Episode()

    def _settle(self, waiter: _Waiter, *, is_admitted: bool) -> None:
        if is_admitted:
            self._queue.take(waiter)
        else:
            self._queue.discard(waiter)
        waiter.settle(is_admitted=is_admitted)

    def _refuse(self, waiter: _Waiter, error_code: str) -> None:
        self._metrics.handshake_refused(error_code)
        self._episode.refused(len(self._queue))
        self._settle(waiter, is_admitted=False)

    def refusal(self) -> web.HTTPServiceUnavailable:
        """Return the response to a connection that may not go on."""
        wait_s = math.ceil(self._rate.wait_s(len(self._queue)))
        retry = {"Retry-After": str(min(RETRY_MAX_S, max(1, wait_s)))}
        return web.HTTPServiceUnavailable(headers=retry, text="too many connections, try again")


class _Episode:
    """A time in which connections wait; logged at its begin and its end if they wait for long."""

    def __init__(self) -> None:
        """Begin with nobody waiting."""
        self._admitted = 0
        self._refused = 0
        self._longest_s = 0.0
        self._is_logged = False

    def admitted(self, waited_s: float, waiting: int) -> None:
        """Count a connection that was admitted after it has waited."""
        self._admitted += 1
        self._longest_s = max(self._longest_s, waited_s)
        if waited_s >= LOGGED_WAIT_S:
            self._begin(waiting)

    def refused(self, waiting: int) -> None:
        """Count a refusal."""
        self._refused += 1
        self._begin(waiting)

    def _begin(self, waiting: int) -> None:
        if not self._is_logged:
            self._is_logged = True
            metadata = {"waiting": waiting}
            logger.warning("connections wait", error_type="websocket_error", metadata=metadata)

    def end(self) -> None:
        """Log the counts, if the begin was logged."""
        if self._is_logged:
            logger.info(
                "connections wait no longer",
                metadata={
                    "admitted": self._admitted,
                    "refused": self._refused,
                    "longest_ms": round(1000 * self._longest_s),
                },
            )
