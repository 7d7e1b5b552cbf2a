"""The one way through the house: lock, decide, append, fold, publish, answer."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Protocol

from service.deliveries import after_fold, before_fold
from service.domain.matches import MatchEvent
from service.log.records import propose
from service.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from service.deliveries import Delivery, Refresh
    from service.domain.command import Command, Context
    from service.domain.event import Event, Position
    from service.domain.ids import UserId
    from service.domain.world import World
    from service.log.log import EventLog
    from service.log.records import Origin, RecordedEvent

logger = get_logger(__name__)


class Gate(Protocol):
    """Keeps a live match from running past an event that is not committed yet."""

    async def settled(self, streams: set[str]) -> None:
        """Wait until the matches of these rooms have written down what they brought about."""

    def hold(self, event: MatchEvent) -> None:
        """Step the match no further than the tick of `event`."""

    def release(self, event: MatchEvent) -> None:
        """Let it run on; the append of `event` was committed, or it failed."""


class Observer(Protocol):
    """Somebody who wants to see each event, when it has been folded."""

    def __call__(self, event: Event, position: Position, /) -> None:
        """See `event`."""


class Engine:
    """Carries out commands; nothing else changes the world."""

    def __init__(
        self,
        log: EventLog,
        world: World,
        names: dict[UserId, str],
        publish: Callable[[Delivery | Refresh], None],
    ) -> None:
        """Change `world` by events of `log`, and tell of it by `publish`."""
        self._log = log
        self._locks = _Locks()
        self._publish = publish
        self._observers: list[Observer] = []
        self.world = world
        self.names = names
        self.context: Context
        self.gate: Gate

    def connect(self, context: Context, gate: Gate, observers: Sequence[Observer]) -> None:
        """Take the parts that themselves need the engine."""
        self.context = context
        self.gate = gate
        self._observers += observers

    async def execute(
        self, command: Command, origin: Origin, *, names: dict[str, str] | None = None
    ) -> list[Event]:
        """Carry `command` out and return its events, which are then committed and folded.

        `names` are display names to keep with the same commit. Raises the `ClientError` of the
        decision, or `Unavailable` when the log can't be written; then nothing has happened.
        """
        async with self._locks.of(command, self.world) as streams:
            await self.gate.settled(streams)
            events = list(command.decide(self.world, self.context))
            if events or names:
                await self.append(events, origin, names=names)
            return events

    async def append(
        self, events: Sequence[Event], origin: Origin, *, names: dict[str, str] | None = None
    ) -> None:
        """Commit decided events; live matches wait for theirs."""
        held = [event for event in events if isinstance(event, MatchEvent)]
        expect = {event.stream: 0 for event in events if event.opens_stream}
        for event in held:
            self.gate.hold(event)
        try:
            await self._log.append(propose(events, origin), expect, names=names)
        finally:
            for event in held:
                self.gate.release(event)

    def committed(self, recorded: Sequence[RecordedEvent]) -> None:
        """Fold what was committed, then tell everybody; the log calls this after each commit."""
        for one in recorded:
            messages: list[Delivery | Refresh] = [*before_fold(one.event, self.world)]
            self.world.fold(one.event, one.position)
            messages += after_fold(one.event, self.world, self.names)
            for message in messages:
                self._publish(message)
            for observe in self._observers:
                observe(one.event, one.position)


class _Locks:
    """One lock for each stream that somebody decides on."""

    def __init__(self) -> None:
        self._locks: dict[str, asyncio.Lock] = {}
        self._users: dict[str, int] = {}

    @asynccontextmanager
    async def of(self, command: Command, world: World) -> AsyncIterator[set[str]]:
        """Hold the locks of all streams of `command`, taken in sorted order.

        Which streams these are may change while waiting for them; then begin again.
        """
        while True:
            streams = command.streams(world)
            async with AsyncExitStack() as stack:
                for stream in sorted(streams):
                    await stack.enter_async_context(self._held(stream))
                if command.streams(world) <= streams:
                    yield streams
                    return

    @asynccontextmanager
    async def _held(self, stream: str) -> AsyncIterator[None]:
        lock = self._locks.setdefault(stream, asyncio.Lock())
        self._users[stream] = self._users.get(stream, 0) + 1
        try:
            async with lock:
                yield
        finally:
            self._users[stream] -= 1
            if not self._users[stream]:
                del self._users[stream], self._locks[stream]
