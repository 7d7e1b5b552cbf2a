"""Deliver finished matches to consumers, at least once, in the background.

Pending deliveries are a projection of the log (`domain/projections/outbox.py`). A match is sent
until its outcome is known; the outcome is appended as an event. If the process dies in between, the
match is sent again with the same idempotency key.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Protocol, assert_never

import msgspec

from service.domain.commands.outbox import (
    AwaitingToken,
    Delivered,
    Indeterminate,
    Rejected,
    Requeue,
    Settle,
    Subscribe,
)
from service.domain.events.matches import MatchEnded
from service.domain.events.nodes import NodeDraining, NodeLost, NodeStarted
from service.domain.events.outbox import outbox_stream
from service.errors import Unavailable
from service.eventstore.read_models.outbox import due, next_due, oldest
from service.eventstore.records import Origin
from service.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from service.domain.commands.outbox import FinishedMatch, Outcome
    from service.domain.events.base import Event, Position
    from service.domain.events.outbox import Consumer
    from service.eventstore.read_models.outbox import Due
    from service.eventstore.read_models.outbox_notes import OutboxNotes
    from service.eventstore.reader import Reader
    from service.integrations.breaker import Breaker
    from service.runtime.engine import Engine
    from service.settings.sections.integrations import RetryPolicy
    from service.telemetry import Metrics

POLL_S = 2.0
"""Poll interval of the table, for new tokens and for retries by an operator, in seconds."""

LOG_RETRY_S = 1.0
"""Wait before the next try after an outcome could not be appended."""

CONCURRENCY = 8
"""Finished matches on their way to one consumer at once."""

_WAKING = frozenset((MatchEnded, NodeStarted, NodeLost, NodeDraining))
"""Types of events after which there may be something to deliver."""

logger = get_logger(__name__)


class DeliveryPort(Protocol):
    """Delivers finished matches to one consumer."""

    async def deliver(self, match: FinishedMatch) -> Outcome:
        """Send a match and return the outcome; the same match may be sent more than once."""

    async def close(self) -> None:
        """Close all connections."""


class ConsumerRoute(msgspec.Struct, frozen=True):
    """How one consumer is reached: its port, behind a circuit breaker."""

    port: DeliveryPort
    breaker: Breaker


class OutboxRunner:
    """Delivers to all consumers, with one task for each.

    Of several nodes, the home of a consumer's stream delivers to it. During a handover two may,
    with the same idempotency key.
    """

    def __init__(  # noqa: PLR0913 - the parts are given by the composition root
        self,
        engine: Engine,
        notes: OutboxNotes,
        reader: Reader,
        routes: Mapping[Consumer, ConsumerRoute],
        retry: RetryPolicy,
        *,
        is_home: Callable[[str], bool],
        jitter: Callable[[], float],
        metrics: Metrics,
        clock: Callable[[], float] = time.time,
        concurrency: int = CONCURRENCY,
    ) -> None:
        """Deliver by `routes`.

        `is_home` returns whether this node does what is done once for a stream. `clock` is in
        seconds since 1970: due times are stored and outlive the process. `jitter` returns a random
        number from 0 to 1.
        """
        self._engine = engine
        self._notes = notes
        self._reader = reader
        self._routes = routes
        self._retry = retry
        self._is_home = is_home
        self._jitter = jitter
        self._concurrency = concurrency
        self._clock = clock
        self._wakeups = {consumer: asyncio.Event() for consumer in routes}
        self._oldest: dict[Consumer, int] = {}
        self._metrics = metrics
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def waiting(self) -> dict[Consumer, int]:
        """Pending deliveries by consumer, including consumers that are no longer configured."""
        waiting = self._engine.world.outbox.waiting
        return {one: len(waiting.get(one, ())) for one in self._routes.keys() | waiting.keys()}

    @property
    def lag_s(self) -> dict[Consumer, float]:
        """Age of the oldest pending match by consumer, in seconds since its end.

        0 without one, and for consumers that another node delivers to.
        """
        now = self._now()
        return {
            one: (now - self._oldest.get(one, now)) / 1_000_000
            if self.waiting[one] and self._is_home(outbox_stream(one))
            else 0
            for one in self._routes
        }

    async def start(self) -> None:
        """Append which consumers are configured, and start to deliver."""
        await self._engine.execute(Subscribe(frozenset(self._routes)), Origin())
        self._tasks = [
            asyncio.create_task(self._run(consumer), name=f"outbox {consumer}")
            for consumer in self._routes
        ]

    async def stop(self) -> None:
        """Stop delivering; deliveries without an outcome are repeated by the next process."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for route in self._routes.values():
            await route.port.close()

    def observe(self, event: Event, _position: Position) -> None:
        """Wake all consumers when a match has ended, or their homes may have changed."""
        if type(event) in _WAKING:
            for wakeup in self._wakeups.values():
                wakeup.set()

    async def _run(self, consumer: Consumer) -> None:
        while True:
            try:
                if not self._is_home(outbox_stream(consumer)):
                    self._wakeups[consumer].clear()
                    await self._wakeups[consumer].wait()
                elif not await self._deliver_due(consumer):
                    await self._wait(consumer)
            except Unavailable as error:
                logger.warning("outbox not written", metadata={"reason": error.message})
                await asyncio.sleep(LOG_RETRY_S)
            except Exception:
                # A fault of one consumer must stop neither matches nor other consumers.
                logger.exception("outbox failed", error_type="internal_error")
                await asyncio.sleep(LOG_RETRY_S)

    async def _deliver_due(self, consumer: Consumer) -> bool:
        """Deliver a batch of what is due; return whether anything was sent."""
        self._wakeups[consumer].clear()
        breaker = self._routes[consumer].breaker
        if breaker.wait_s > 0:
            return False
        found = await due(self._reader, consumer, self._now(), self._concurrency)
        going = [one for one in found if breaker.allow()]
        # All are awaited, so that an error of one leaves no other request running.
        ends = await asyncio.gather(
            *(self._attempt(consumer, one) for one in going), return_exceptions=True
        )
        for end in ends:
            if isinstance(end, BaseException):
                raise end
        return bool(going)

    async def _wait(self, consumer: Consumer) -> None:
        """Wait for the end of a match, the next due time, or the next poll of the table."""
        next_at = await next_due(self._reader, consumer)
        self._oldest[consumer] = await oldest(self._reader, consumer) or self._now()
        wait_s = POLL_S
        if next_at is not None:
            wait_s = min(wait_s, max(0.0, (next_at - self._now()) / 1_000_000))
        wait_s = max(wait_s, self._routes[consumer].breaker.wait_s)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._wakeups[consumer].wait()

    async def _attempt(self, consumer: Consumer, one: Due) -> None:
        if one.state == "rejected":
            self._routes[consumer].breaker.unused()
            await self._engine.execute(Requeue(consumer, one.match.id), Origin(one.match.id))
            return
        try:
            outcome = await self._routes[consumer].port.deliver(one.match)
        except Exception as error:
            # After a fault of this service the outcome is unknown as well.
            logger.exception("delivery failed", error_type="internal_error")
            outcome = Indeterminate(f"{type(error).__name__}: {error}")
        await self._record_outcome(consumer, one, outcome)

    async def _record_outcome(self, consumer: Consumer, one: Due, outcome: Outcome) -> None:
        breaker = self._routes[consumer].breaker
        match outcome:
            case Delivered() | Rejected():
                was_open = breaker.is_open
                breaker.succeeded()
                await self._settle(consumer, one, outcome)
                if was_open:
                    await self._notes.reset_backoff(consumer)
            case Indeterminate():
                self._metrics.delivery_failed()
                breaker.failed()
                await self._note_failure(consumer, one, outcome)
            case AwaitingToken(reason):
                breaker.unused()
                await self._notes.record_blocked(consumer, one.match.id, reason)
            case _:
                assert_never(outcome)

    async def _settle(self, consumer: Consumer, one: Due, outcome: Delivered | Rejected) -> None:
        """Append an outcome, however long that takes: sending the match again would not help."""
        match = one.match.id
        if isinstance(outcome, Rejected):
            self._metrics.delivery_refused()
            self._log_failure(consumer, one, outcome)
            await self._notes.record_reason(consumer, match, outcome.reason)
        while True:
            try:
                await self._engine.execute(Settle(consumer, match, outcome), Origin(match))
            except Unavailable:
                await asyncio.sleep(LOG_RETRY_S)
            else:
                return

    async def _note_failure(self, consumer: Consumer, one: Due, outcome: Indeterminate) -> None:
        self._log_failure(consumer, one, outcome)
        wait_s = self._retry.after(one.attempts + 1, self._jitter())
        next_at = self._now() + int(wait_s * 1_000_000)
        await self._notes.record_failure(consumer, one.match.id, outcome.reason, next_at)

    def _log_failure(self, consumer: Consumer, one: Due, outcome: Rejected | Indeterminate) -> None:
        final = isinstance(outcome, Rejected)
        status = {} if outcome.status is None else {"http_status": outcome.status}
        (logger.error if final else logger.warning)(
            "match refused" if final else "match not delivered yet",
            correlation_id=one.match.id,
            error_type="external_service_error",
            error_code="MATCH_SAVE_FAILED" if final else "MATCH_SAVE_DELAYED",
            **status,
            metadata={
                "consumer": consumer,
                "match": one.match.id,
                "attempts": one.attempts + 1,
                "reason": outcome.reason,
            },
        )

    def _now(self) -> int:
        return int(self._clock() * 1_000_000)
