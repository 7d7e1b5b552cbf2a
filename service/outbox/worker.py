"""Deliver finished matches to consumers at least once, in the background.

What waits is a projection of the log (`domain/projections/outbox.py`). A match is sent until the
outcome is known, which is then an event. When the process dies in between, the match is sent again
with the same idempotency key.
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
from service.domain.projections.outbox import reporting_seat
from service.errors import Unavailable
from service.eventstore.read_models.outbox import due, next_due, oldest
from service.eventstore.records import Origin
from service.integrations.user_service import TokenInvalid
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
    from service.integrations.user_service import UserService
    from service.outbox.tokens import UserTokens
    from service.runtime.engine import Engine
    from service.telemetry import Metrics

LOOK_AGAIN_S = 2.0
"""How soon it is noticed that a token has come, or that an operator wants a retry."""

LOG_RETRY_S = 1.0
"""How long to wait with an outcome that could not be written down."""

logger = get_logger(__name__)


class DeliveryPort(Protocol):
    """Takes finished matches to one consumer."""

    async def deliver(self, match: FinishedMatch) -> Outcome:
        """Send a match; the same one may be sent again."""

    async def close(self) -> None:
        """Let go of all connections."""


class Route(msgspec.Struct, frozen=True):
    """The way to one consumer."""

    port: DeliveryPort
    breaker: Breaker


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How often and how many at once."""

    retry_s: float = 1
    retry_max_s: float = 300
    concurrency: int = 8

    def after(self, attempts: int, chance: float) -> float:
        """Return how long to wait after so many failures; `chance` is from 0 to 1.

        The bound doubles each time. Half of the time is chance, so that matches that failed
        together do not come together again.
        """
        bound = min(self.retry_max_s, self.retry_s * 2.0 ** min(attempts - 1, 60))
        return bound * (1 + chance) / 2


class SaveByUserService:
    """The user service as a consumer: chooses the token with which a match is saved."""

    def __init__(self, users: UserService, bearers: UserTokens, service_token: str | None) -> None:
        """Save with the player's own token, or else with `service_token`."""
        self._users = users
        self._bearers = bearers
        self._service_token = service_token

    async def deliver(self, match: FinishedMatch) -> Outcome:
        """Save the match with the first token that is taken."""
        user = match.players[reporting_seat(match.players)]
        token = await self._bearers.for_match(match.id, user)
        if token is not None:
            outcome = await self._users.save(match, token)
            if not isinstance(outcome, TokenInvalid):
                return outcome
            await self._bearers.refused(match.id, user, token)
        if self._service_token is None:
            return AwaitingToken(f"waits for the next token of user {user}")
        outcome = await self._users.save(match, self._service_token)
        if isinstance(outcome, TokenInvalid):
            return Indeterminate("USER_SERVICE_TOKEN is refused", 401)
        return outcome

    async def close(self) -> None:
        """Nothing; whoever made the client closes it."""


class OutboxRunner:
    """Delivers to all consumers, to each at its own pace."""

    def __init__(  # noqa: PLR0913 - the parts are given by the composition root
        self,
        engine: Engine,
        notes: OutboxNotes,
        reader: Reader,
        routes: Mapping[Consumer, Route],
        pace: RetryPolicy,
        *,
        chance: Callable[[], float],
        metrics: Metrics,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Deliver by `routes`; `clock` is in seconds since 1970, since waiting outlives us."""
        self._engine = engine
        self._notes = notes
        self._reader = reader
        self._routes = routes
        self._pace = pace
        self._chance = chance
        self._clock = clock
        self._news = {consumer: asyncio.Event() for consumer in routes}
        self._oldest: dict[Consumer, int] = {}
        self._metrics = metrics
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def waiting(self) -> dict[Consumer, int]:
        """How many matches wait for each consumer, those that are not configured included."""
        waiting = self._engine.world.outbox.waiting
        return {one: len(waiting.get(one, ())) for one in self._routes.keys() | waiting.keys()}

    @property
    def lag_s(self) -> dict[Consumer, float]:
        """How long ago the match ended that waits longest for each consumer; 0 when none does."""
        now = self._now()
        return {
            one: (now - self._oldest.get(one, now)) / 1_000_000 if self.waiting[one] else 0
            for one in self._routes
        }

    async def start(self) -> None:
        """Write down who is configured, and begin to deliver."""
        await self._engine.execute(Subscribe(frozenset(self._routes)), Origin())
        self._tasks = [
            asyncio.create_task(self._run(consumer), name=f"outbox {consumer}")
            for consumer in self._routes
        ]

    async def stop(self) -> None:
        """Deliver no more; what was sent without an answer is sent again by the next process."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for route in self._routes.values():
            await route.port.close()

    def observe(self, event: Event, _position: Position) -> None:
        """Look at once when a match has ended."""
        if isinstance(event, MatchEnded):
            for news in self._news.values():
                news.set()

    async def _run(self, consumer: Consumer) -> None:
        while True:
            try:
                if not await self._deliver_due(consumer):
                    await self._wait(consumer)
            except Unavailable as error:
                logger.warning("outbox not written", metadata={"reason": error.message})
                await asyncio.sleep(LOG_RETRY_S)
            except Exception:
                # Whatever it is: play goes on, and this is tried again.
                logger.exception("outbox failed", error_type="internal_error")
                await asyncio.sleep(LOG_RETRY_S)

    async def _deliver_due(self, consumer: Consumer) -> bool:
        """Deliver some of what is due; return whether there was any that may go now."""
        self._news[consumer].clear()
        breaker = self._routes[consumer].breaker
        if breaker.wait_s > 0:
            return False
        found = await due(self._reader, consumer, self._now(), self._pace.concurrency)
        going = [one for one in found if breaker.ask()]
        # All are awaited, so that an error of one leaves no other on its way.
        ends = await asyncio.gather(
            *(self._attempt(consumer, one) for one in going), return_exceptions=True
        )
        for end in ends:
            if isinstance(end, BaseException):
                raise end
        return bool(going)

    async def _wait(self, consumer: Consumer) -> None:
        """Wait for the end of a match, the next retry, or a look at what others have noted."""
        next_at = await next_due(self._reader, consumer)
        self._oldest[consumer] = await oldest(self._reader, consumer) or self._now()
        wait_s = LOOK_AGAIN_S
        if next_at is not None:
            wait_s = min(wait_s, max(0.0, (next_at - self._now()) / 1_000_000))
        wait_s = max(wait_s, self._routes[consumer].breaker.wait_s)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._news[consumer].wait()

    async def _attempt(self, consumer: Consumer, one: Due) -> None:
        if one.state == "rejected":
            self._routes[consumer].breaker.unused()
            await self._engine.execute(Requeue(consumer, one.match.id), Origin(one.match.id))
            return
        try:
            outcome = await self._routes[consumer].port.deliver(one.match)
        except Exception as error:
            # A fault of ours leaves the outcome just as unknown.
            logger.exception("delivery failed", error_type="internal_error")
            outcome = Indeterminate(f"{type(error).__name__}: {error}")
        await self._record_outcome(consumer, one, outcome)

    async def _record_outcome(self, consumer: Consumer, one: Due, outcome: Outcome) -> None:
        breaker = self._routes[consumer].breaker
        match outcome:
            case Delivered() | Rejected():
                was_ill = breaker.is_open
                breaker.succeeded()
                await self._settle(consumer, one, outcome)
                if was_ill:
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
        """Write an outcome down, however long that takes: to send it again would not help."""
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
        wait_s = self._pace.after(one.attempts + 1, self._chance())
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
