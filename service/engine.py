"""The one way through the house: lock, decide, append, fold, publish, answer."""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Protocol

import msgspec

from service.answers import Answer, Answers, answer_of
from service.deliveries import after_fold, before_fold
from service.domain.event import Event
from service.domain.matches import MatchEvent
from service.log.records import NOTHING, propose
from service.telemetry import get_logger, traces

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from service.answers import CommandKey
    from service.deliveries import Message, People
    from service.domain.command import Command, Context
    from service.domain.event import Position
    from service.domain.world import World
    from service.log.log import EventLog
    from service.log.records import Beside, Origin, RecordedEvent
    from service.log.store import Committed

logger = get_logger(__name__)


class Gate(Protocol):
    """Keeps a live match from running past an event that is not committed yet."""

    async def settled(self, streams: set[str]) -> None:
        """Wait until the matches of these rooms have written down what they brought about."""

    def hold(self, event: MatchEvent) -> None:
        """Step the match no further than the tick of `event`."""

    def release(self, event: MatchEvent) -> None:
        """Let it run on; the append of `event` was committed, or it failed."""


class Publisher(Protocol):
    """Tells clients what has happened."""

    def publish(self, message: Message, position: Position = 0, /) -> None:
        """Tell those whom `message` is for; `position` is that of its event."""

    def published(self, position: Position, /) -> None:
        """Know that all messages of the event at `position` were published."""


class Observer(Protocol):
    """Somebody who wants to see each event, when it has been folded."""

    def __call__(self, event: Event, position: Position, /) -> None:
        """See `event`."""


class Done(msgspec.Struct, frozen=True):
    """What a command has come to."""

    events: list[Event]
    """None when it changed nothing, or was carried out before."""
    answer: Answer


class Engine:
    """Carries out commands; nothing else changes the world."""

    def __init__(
        self,
        log: EventLog,
        world: World,
        people: People,
        publisher: Publisher,
    ) -> None:
        """Change `world` by events of `log`, and tell of it by `publisher`."""
        self._log = log
        self._locks = _Locks()
        self._publisher = publisher
        self._observers: list[Observer] = []
        self._answers = Answers()
        self._under_way: dict[CommandKey, asyncio.Future[None]] = {}
        self.world = world
        self.people = people
        self.context: Context
        self.gate: Gate

    def connect(self, context: Context, gate: Gate, observers: Sequence[Observer]) -> None:
        """Take the parts that themselves need the engine."""
        self.context = context
        self.gate = gate
        self._observers += observers

    async def execute(self, command: Command, origin: Origin, *, beside: Beside = NOTHING) -> Done:
        """Carry `command` out; its events are then committed and folded.

        `beside` is kept with the same commit. A command with an id (`origin.command`) that its
        actor has given before is answered as it was then, and changes nothing. Raises the
        `ClientError` of the decision, or `Unavailable` when the log can't be written; then
        nothing has happened.
        """
        if origin.command is None:
            return await self._carry_out(command, origin, beside)
        key = (str(origin.actor), origin.command)
        while key in self._under_way:
            await asyncio.wait([self._under_way[key]])
        answer = self._answers.find(key)
        if answer is not None:
            return Done([], answer)
        self._under_way[key] = asyncio.get_running_loop().create_future()
        try:
            return await self._carry_out(command, origin, beside)
        finally:
            self._under_way.pop(key).set_result(None)

    async def append(
        self, events: Sequence[Event], origin: Origin, *, beside: Beside = NOTHING
    ) -> list[Position]:
        """Commit decided events and return their positions; live matches wait for theirs."""
        self._hold(events)
        try:
            proposed = propose(events, origin)
            return await self._log.append(proposed, _opening(events), beside=beside)
        finally:
            self._release(events)

    def submit(
        self, command: Command, origin: Origin, then: Callable[[Exception | None], None]
    ) -> bool:
        """Carry `command` out without waiting, and call `then` when its events are folded.

        Returns False, and does nothing, when it has to be executed: it wants a lock, or it has an
        id. Raises the `ClientError` of the decision; what keeps the events from being written is
        given to `then`.
        """
        if origin.command is not None or command.streams(self.world):
            return False
        with _span(command):
            events = command.decide(self.world, self.context)
            if events:
                self.append_soon(events, origin, then)
            else:
                then(None)
        return True

    def append_soon(
        self, events: Sequence[Event], origin: Origin, then: Callable[[Exception | None], None]
    ) -> None:
        """Do as `append`, without waiting: `then` gets what has kept it from being done, or None.

        Raises `Unavailable` when the log is closing.
        """

        def settle(answer: Committed | Exception) -> None:
            self._release(events)
            then(answer if isinstance(answer, Exception) else None)

        self._log.submit(propose(events, origin), settle, _opening(events))
        self._hold(events)

    def committed(self, recorded: Sequence[RecordedEvent]) -> None:
        """Fold what was committed, then tell everybody; the log calls this after each commit."""
        for one in recorded:
            self.fold(one)
            for observe in self._observers:
                observe(one.event, one.position)

    def fold(self, recorded: RecordedEvent) -> None:
        """Fold an event and publish what follows from it."""
        event, position = recorded.event, recorded.position
        messages = [*before_fold(event, self.world, self.people)]
        self.world.fold(event, position)
        self._answers.take(recorded)
        messages += after_fold(event, self.world, self.people)
        for message in messages:
            self._publisher.publish(message, position)
        self._publisher.published(position)

    def remember(self, recorded: RecordedEvent) -> None:
        """Know the command that a recent event belongs to, without folding it; for the start."""
        self._answers.take(recorded)

    def _hold(self, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, MatchEvent):
                self.gate.hold(event)

    def _release(self, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, MatchEvent):
                self.gate.release(event)

    async def _carry_out(self, command: Command, origin: Origin, beside: Beside) -> Done:
        with _span(command):
            return await self._decide_and_append(command, origin, beside)

    async def _decide_and_append(self, command: Command, origin: Origin, beside: Beside) -> Done:
        async with self._locks.of(command, self.world) as streams:
            await self.gate.settled(streams)
            events = list(command.decide(self.world, self.context))
            if not events and not beside.names:
                return Done(events, Answer(self.world.position))
            positions = await self.append(events, origin, beside=beside)
            if not events:
                return Done(events, Answer(self.world.position))
            return Done(events, answer_of(events[-1], positions[-1]))


def _opening(events: Sequence[Event]) -> dict[str, int]:
    """Expect of the streams that these events open that there is nothing in them yet."""
    return {event.stream: 0 for event in events if event.opens_stream}


def _span(command: Command) -> AbstractContextManager[object]:
    return traces.span("engine.execute", command=type(command).__name__)


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
