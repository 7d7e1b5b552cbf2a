"""Execute commands: lock streams, decide, append, fold, publish, answer."""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

import msgspec

from service.domain.commands.rules import MoveFailed
from service.domain.events.base import Event
from service.domain.events.matches import MatchEvent
from service.domain.personal_data import NO_PERSONAL_DATA
from service.errors import ClientError, InternalError
from service.eventstore.records import propose
from service.fanout.rules import after_fold, before_fold
from service.runtime.idempotency import (
    CommandResult,
    CommandResults,
    IdReused,
    are_equal,
    result_of,
)
from service.runtime.locks import StreamLocks
from service.telemetry import Metrics, note_fault, traces

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from service.domain.commands.base import Command, Context
    from service.domain.events.base import Position
    from service.domain.ids import MatchId
    from service.domain.personal_data import PersonalData
    from service.domain.projections.world import World
    from service.eventstore.plan import Committed
    from service.eventstore.records import Origin, RecordedEvent
    from service.eventstore.writer import EventLog
    from service.fanout.audience import Message
    from service.fanout.profiles import Profiles
    from service.runtime.idempotency import CommandKey
    from service.telemetry import FaultPart


class Gate(Protocol):
    """Holds a live match at an event that is not committed yet."""

    async def settled(self, streams: set[str]) -> None:
        """Wait until the matches of these rooms have written down what they brought about."""

    def hold(self, event: MatchEvent) -> None:
        """Step the match no further than the tick of `event`."""

    def release(self, event: MatchEvent) -> None:
        """Let it run on; the append of `event` was committed, or it failed."""

    def move_failed(self, match: MatchId, seat: int) -> None:
        """Know that the rules have raised over a move; a match where they go on so is ended."""


class Publisher(Protocol):
    """Tells clients what has happened."""

    def publish(self, message: Message, position: Position = 0, /) -> None:
        """Tell those whom `message` is for; `position` is that of its event."""

    def published(self, position: Position, /) -> None:
        """Know that all messages of the event at `position` were published."""


class Observer(Protocol):
    """Called with each event after it has been folded."""

    def __call__(self, event: Event, position: Position, /) -> None:
        """See `event`."""


class Done(msgspec.Struct, frozen=True):
    """Outcome of a command: positions, or the error."""

    events: list[Event]
    """None when it changed nothing, or was carried out before."""
    answer: CommandResult


class Engine:
    """Executes commands; the only writer of the projections."""

    def __init__(
        self,
        log: EventLog,
        world: World,
        people: Profiles,
        publisher: Publisher,
        metrics: Metrics | None = None,
    ) -> None:
        """Change `world` by events of `log`, and tell of it by `publisher`."""
        self._metrics = metrics or Metrics()
        self._log = log
        self._locks = StreamLocks()
        self._publisher = publisher
        self._observers: list[Observer] = []
        self._answers = CommandResults()
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

    async def execute(
        self, command: Command, origin: Origin, *, beside: PersonalData = NO_PERSONAL_DATA
    ) -> Done:
        """Carry `command` out; its events are then committed and folded.

        `beside` is kept with the same commit. A command with an id (`origin.command`) that its
        actor has given before is answered as it was then, and changes nothing. Raises `IdReused`
        when that was another command (`origin.digest`), the `ClientError` of the decision,
        `Unavailable` when the log can't be written, or `InternalError` for a fault of the service
        or of a game's rules, which is logged here; then nothing has happened.
        """
        if origin.command is None:
            return await self._carry_out(command, origin, beside)
        key = (str(origin.actor), origin.command)
        while key in self._under_way:
            await asyncio.wait([self._under_way[key]])
        answer = self._answers.find(key)
        if answer is not None:
            if not are_equal(answer.digest, origin.digest):
                raise IdReused
            return Done([], answer)
        self._under_way[key] = asyncio.get_running_loop().create_future()
        try:
            return await self._carry_out(command, origin, beside)
        finally:
            self._under_way.pop(key).set_result(None)

    def check_unused(self, origin: Origin) -> None:
        """Raise `IdReused` when the id of what makes no event was given to a command before."""
        if origin.command is not None:
            answer = self._answers.find((str(origin.actor), origin.command))
            if answer is not None and answer.digest is not None:
                raise IdReused

    async def append(
        self, events: Sequence[Event], origin: Origin, *, beside: PersonalData = NO_PERSONAL_DATA
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
        id. Raises the `ClientError` of the decision, or `InternalError` as `execute` does; what
        keeps the events from being written is given to `then`.
        """
        if origin.command is not None or command.streams(self.world):
            return False
        try:
            with _span(command):
                events = command.decide(self.world, self.context)
                if events:
                    self.append_soon(events, origin, then)
                    return True
        except ClientError:
            raise
        except Exception as error:
            raise self._failed(command, error) from error
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
                try:
                    observe(one.event, one.position)
                except Exception as error:  # noqa: BLE001 - it harms this observer and event alone
                    self._note(error, "observer", one)

    def fold(self, recorded: RecordedEvent) -> None:
        """Fold an event and publish what follows from it.

        Raises `FoldFailed`. Any other fault costs the message, or what follows from this event.
        """
        event, position = recorded.event, recorded.position
        messages: list[Message] = []
        self._collect(messages, before_fold, recorded)
        self.world.fold(event, position)
        try:
            self._answers.take(recorded)
        except Exception as error:  # noqa: BLE001 - only the id of this command is not known again
            self._note(error, "command", recorded)
        self._collect(messages, after_fold, recorded)
        for message in messages:
            try:
                self._publisher.publish(message, position)
            except Exception as error:  # noqa: BLE001 - it harms this message alone
                self._note(error, "delivery", recorded)
        try:
            self._publisher.published(position)
        except Exception as error:  # noqa: BLE001 - as above
            self._note(error, "delivery", recorded)

    def remember(self, recorded: RecordedEvent) -> None:
        """Know the command that a recent event belongs to, without folding it; for the start."""
        self._answers.take(recorded)

    def _collect(
        self,
        messages: list[Message],
        rule: Callable[[Event, World, Profiles], Iterable[Message]],
        recorded: RecordedEvent,
    ) -> None:
        """Add the messages of a delivery rule, up to where it fails."""
        try:
            messages += rule(recorded.event, self.world, self.people)
        except Exception as error:  # noqa: BLE001 - the event is folded in any case
            self._note(error, "delivery", recorded)

    def _note(self, error: Exception, part: FaultPart, recorded: RecordedEvent) -> None:
        note_fault(
            self._metrics, part, error, position=recorded.position, event=recorded.event.type
        )

    def _hold(self, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, MatchEvent):
                self.gate.hold(event)

    def _release(self, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, MatchEvent):
                self.gate.release(event)

    async def _carry_out(self, command: Command, origin: Origin, beside: PersonalData) -> Done:
        try:
            with _span(command):
                return await self._decide_and_append(command, origin, beside)
        except ClientError:
            raise
        except Exception as error:
            raise self._failed(command, error) from error

    def _failed(self, command: Command, error: Exception) -> InternalError:
        """Report a fault that affects this command only."""
        if isinstance(error, MoveFailed):
            cause = error.__cause__ or error
            note_fault(self._metrics, "move", cause, match=error.match, seat=error.seat)
            self.gate.move_failed(error.match, error.seat)
        else:
            note_fault(self._metrics, "command", error, command=type(command).__name__)
        return InternalError()

    async def _decide_and_append(
        self, command: Command, origin: Origin, beside: PersonalData
    ) -> Done:
        async with self._locks.of(command, self.world) as streams:
            await self.gate.settled(streams)
            events = list(command.decide(self.world, self.context))
            if not events and not beside.names:
                return Done(events, CommandResult(self.world.position))
            positions = await self.append(events, origin, beside=beside)
            if not events:
                return Done(events, CommandResult(self.world.position))
            return Done(events, result_of(events[-1], positions[-1]))


def _opening(events: Sequence[Event]) -> dict[str, int]:
    """Expect of the streams that these events open that there is nothing in them yet."""
    return {event.stream: 0 for event in events if event.opens_stream}


def _span(command: Command) -> AbstractContextManager[object]:
    return traces.span("engine.execute", command=type(command).__name__)
