"""Execute commands: lock streams, decide, append, fold, publish, report the result.

Nothing here makes a task or a future for a command that goes at once, since most messages of
clients are such commands.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeAlias

import msgspec

from service.domain.commands.rules import MoveFailed
from service.domain.events.matches import MatchEvent
from service.domain.personal_data import NO_PERSONAL_DATA, PersonalData
from service.errors import ClientError, InternalError
from service.eventstore.completions import Completion
from service.eventstore.records import Origin, propose
from service.runtime.idempotency import (
    CommandResult,
    CommandResults,
    IdReused,
    are_equal,
    result_of,
)
from service.runtime.locks import StreamLocks
from service.runtime.projector import Projector
from service.runtime.record import Record
from service.telemetry import Metrics, note_fault, traces

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from service.domain.commands.base import Command, Context
    from service.domain.events.base import Event
    from service.domain.ids import MatchId, UserId
    from service.domain.projections.world import World
    from service.eventstore.plan import Committed
    from service.eventstore.records import RecordedEvent
    from service.eventstore.writer import EventLog
    from service.fanout.profiles import Expectation, Profiles
    from service.runtime.idempotency import CommandKey
    from service.runtime.locks import Lease
    from service.runtime.projector import Observer, Publisher
    from service.telemetry.otel import OpenSpan

    OnResult: TypeAlias = Callable[["Executed | Exception"], None]


class Hold(Protocol):
    """Keeps a live match from stepping past an event that is not committed yet."""

    def release(self) -> None:
        """Let it run on; whoever has the hold calls this once."""


class Gate(Protocol):
    """What the engine needs of the live matches."""

    def is_settled(self, streams: set[str], /) -> bool:
        """Whether no match of these rooms waits for the commit of what a step has brought about."""

    async def settled(self, streams: set[str]) -> None:
        """Wait until that is so; raise `Unavailable` while the log can't be written."""

    def hold(self, event: MatchEvent) -> Hold | None:
        """Step the match of `event` no further than its tick; None where nothing is to be held."""

    def move_failed(self, match: MatchId, seat: int) -> None:
        """Count a move over which the rules have raised; too many in a row end the match."""


class Executed(msgspec.Struct, frozen=True):
    """A command that was carried out."""

    events: Sequence[Event]
    """None when it changed nothing, or was carried out before under the same id."""
    result: CommandResult


class PendingCommand(msgspec.Struct, eq=False):
    """A command from its dispatch until its result is known."""

    # A struct, since it is made for each input of a player: a class of Python takes twice the time.
    command: Command
    origin: Origin
    done: OnResult
    personal_data: PersonalData
    key: CommandKey | None = None
    """Set while no other command of this id may begin."""
    lease: Lease | None = None
    events: Sequence[Event] = ()
    expectation: Expectation | None = None
    span: OpenSpan | None = None
    is_decided: bool = False
    """Its events are on their way into the log, from where nothing comes back."""
    is_cancelled: bool = False


class Engine:
    """Executes commands; the only writer of the projections.

    All that is written goes one way: `dispatch`. `execute` is the same for a coroutine.
    """

    def __init__(  # noqa: PLR0913 - the parts are given by the composition root
        self,
        log: EventLog,
        world: World,
        profiles: Profiles,
        publisher: Publisher,
        *,
        context: Context,
        gate: Gate,
        metrics: Metrics | None = None,
    ) -> None:
        """Change `world` by events of `log`, and tell of it by `publisher`.

        Commands decide by `context`, and wait for the live matches behind `gate`.
        """
        self._metrics = metrics or Metrics()
        self._log = log
        self._locks = StreamLocks()
        self._results = CommandResults()
        self._projector = Projector(world, profiles, publisher, self._results, self._metrics)
        self._under_way: dict[CommandKey, list[PendingCommand]] = {}
        """The ids of commands that are carried out, with those that came under the same id."""
        self._holds: dict[int, Hold] = {}
        """Of events on their way into the log, by their identity: each decision makes its own."""
        self._tasks: set[asyncio.Task[None]] = set()
        self.world = world
        self.profiles = profiles
        self.context = context
        self._gate = gate

    def subscribe(self, observer: Observer) -> None:
        """Call `observer` with each event, after those that were subscribed before."""
        self._projector.subscribe(observer)

    def remember(self, recorded: RecordedEvent) -> None:
        """Know the command that a recent event belongs to, without folding it; for the start."""
        self._results.record(recorded)

    def dispatch(
        self,
        command: Command,
        origin: Origin,
        done: OnResult,
        *,
        personal_data: PersonalData = NO_PERSONAL_DATA,
    ) -> None:
        """Carry `command` out, and call `done` with its result or its error.

        It is decided at once where its streams are free, and the append is then under way when
        this returns; otherwise it waits for its turn, in order of dispatch. `done` is called once:
        when the events are folded, or before this returns when the command is refused, changes
        nothing, or was carried out before.

        `personal_data` is kept with the same commit. A command with an id (`origin.command`) that
        its actor has given before gets the result that it had then, and changes nothing.

        The error is `IdReused` when that was another command (`origin.digest`), the `ClientError`
        of the decision, `Unavailable` when the log can't be written, or `InternalError` for a
        fault of the service or of a game's rules, which is logged here. Then nothing has happened.

        An observer must not call this: it would decide between two events of one commit.
        """
        self._begin(PendingCommand(command, origin, done, personal_data))

    async def execute(
        self, command: Command, origin: Origin, *, personal_data: PersonalData = NO_PERSONAL_DATA
    ) -> Executed:
        """Do as `dispatch`; return the result or raise the error.

        A caller that is cancelled takes back a command that is not decided yet. From then on it
        goes only when the events are folded, or have failed.
        """
        completion = Completion[Executed]()
        pending = PendingCommand(command, origin, completion.settle, personal_data)
        self._begin(pending)
        try:
            return await completion.future
        except asyncio.CancelledError:
            if pending.is_decided:
                await completion.settled()
            else:
                pending.is_cancelled = True
                self._let_go(pending)
            raise

    async def rename(self, user: UserId, name: str) -> None:
        """Store and show a display name that came by no command; raise `Unavailable`.

        It is no event: the log is never changed, and a name must be erasable.
        """
        renamed = PersonalData(names={str(user): name})
        await self.execute(Record(), Origin("names", user), personal_data=renamed)

    def check_unused(self, origin: Origin) -> None:
        """Raise `IdReused` when the id of what makes no event was given to a command before."""
        if origin.command is not None:
            result = self._results.find((str(origin.actor), origin.command))
            if result is not None and result.digest is not None:
                raise IdReused

    def committed(self, recorded: Sequence[RecordedEvent]) -> None:
        """Fold what was committed, and publish it; the log calls this after each commit."""
        for one in recorded:
            # Before the fold: a live match adds the input, and must not find it twice.
            self._release(one.event)
            self._projector.apply(one)

    def _begin(self, pending: PendingCommand) -> None:
        """Let a command begin, unless its id was given before."""
        if pending.is_cancelled:
            return
        origin = pending.origin
        if origin.command is not None:
            key = (str(origin.actor), origin.command)
            same_id = self._under_way.get(key)
            if same_id is not None:
                same_id.append(pending)
                return
            known = self._results.find(key)
            if known is not None:
                is_same = are_equal(known.digest, origin.digest)
                pending.done(Executed((), known) if is_same else IdReused())
                return
            self._under_way[key] = []
            pending.key = key
        pending.span = traces.begin("engine.execute", command=type(pending.command).__name__)
        self._lock(pending)

    def _lock(self, pending: PendingCommand) -> None:
        """Take the locks of the streams that are to be decided on, and go on when they are held."""
        try:
            streams = pending.command.streams(self.world)
        except Exception as error:  # noqa: BLE001 - it costs this command alone
            self._finish(pending, self._failed(pending, error))
            return
        if not streams:
            # As with most moves: nothing to wait for, and nothing to be made for it.
            self._decide(pending)
            return
        pending.lease = self._locks.acquire(streams, partial(self._locked, pending))
        if pending.lease.is_held:
            self._await_matches(pending, streams)

    def _locked(self, pending: PendingCommand) -> None:
        """Go on after waiting for the locks; meanwhile other streams may have become involved."""
        lease = pending.lease
        if lease is None:
            raise AssertionError(pending)
        try:
            streams = pending.command.streams(self.world)
        except Exception as error:  # noqa: BLE001 - it costs this command alone
            self._finish(pending, self._failed(pending, error))
            return
        if streams <= lease.streams:
            self._await_matches(pending, streams)
        else:
            lease.release()
            pending.lease = None
            self._lock(pending)

    def _await_matches(self, pending: PendingCommand, streams: set[str]) -> None:
        """Decide when the live matches concerned have recorded what they brought about."""
        if self._gate.is_settled(streams):
            self._decide(pending)
            return
        task = asyncio.create_task(self._decide_when_settled(pending, streams))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _decide_when_settled(self, pending: PendingCommand, streams: set[str]) -> None:
        try:
            await self._gate.settled(streams)
        except Exception as error:  # noqa: BLE001 - `done` is told
            if not pending.is_cancelled:
                self._finish(pending, self._failed(pending, error))
        else:
            if not pending.is_cancelled:
                self._decide(pending)

    def _decide(self, pending: PendingCommand) -> None:
        """Decide, with the locks held, and append the events; `_settle` gets what becomes of it."""
        try:
            with traces.within(pending.span):
                events = pending.command.decide(self.world, self.context)
                if events or pending.personal_data.names:
                    self._append(pending, events)
                    return
            outcome: Executed | Exception = Executed(events, CommandResult(self.world.position))
        except Exception as error:  # noqa: BLE001 - `done` is told
            outcome = self._failed(pending, error)
        self._finish(pending, outcome)

    def _append(self, pending: PendingCommand, events: Sequence[Event]) -> None:
        """Submit events to the log, and hold the live matches that they are about."""
        proposed, data = propose(events, pending.origin), pending.personal_data
        # `partial` spares a Python frame for each input of a player.
        settle = partial(self._settle, pending)
        self._log.submit(proposed, settle, _opening(events), personal_data=data)
        # Only now: when the log is closing, `submit` raises, and nothing is to be taken back.
        pending.is_decided = True
        pending.events = events
        for event in events:
            if isinstance(event, MatchEvent):
                hold = self._gate.hold(event)
                if hold is not None:
                    self._holds[id(event)] = hold
        if data is not NO_PERSONAL_DATA:
            # Whatever shows the events must find the names and texts, and that is in the fold.
            pending.expectation = expected = self.profiles.expect(data)
            # Who comes online by these events is shown by them anyway.
            expected.renamed = [
                user for user in expected.renamed if self.world.presence.is_online(user)
            ]

    def _settle(self, pending: PendingCommand, result: Committed | Exception) -> None:
        """Report what has become of an append; its events are folded."""
        events, expectation = pending.events, pending.expectation
        if expectation is not None:
            expectation.settle(is_committed=not isinstance(result, Exception))
        if isinstance(result, Exception):
            for event in events:
                self._release(event)
            self._finish(pending, self._failed(pending, result))
            return
        if expectation is not None:
            self._projector.show_names(expectation.renamed)
        if events:
            last = result_of(events[-1], result.positions[-1])
        else:
            last = CommandResult(self.world.position)
        self._finish(pending, Executed(events, last))

    def _release(self, event: Event) -> None:
        """Release the hold of an event that is folded now, or was not written."""
        hold = self._holds.pop(id(event), None)
        if hold is not None:
            hold.release()

    def _finish(self, pending: PendingCommand, outcome: Executed | Exception) -> None:
        if pending.lease is not None or pending.key is not None:
            self._let_go(pending)
        if pending.span is not None:
            pending.span.end(outcome if isinstance(outcome, Exception) else None)
        pending.done(outcome)

    def _let_go(self, pending: PendingCommand) -> None:
        """Let others have the streams and the id of a command."""
        if pending.lease is not None:
            pending.lease.release()
        if pending.key is not None:
            for waiting in self._under_way.pop(pending.key):
                asyncio.get_running_loop().call_soon(self._begin, waiting)

    def _failed(self, pending: PendingCommand, error: Exception) -> ClientError:
        """Return the error that is told, and report a fault, which affects this command only."""
        if isinstance(error, ClientError):
            return error
        if isinstance(error, MoveFailed):
            cause = error.__cause__ or error
            note_fault(self._metrics, "move", cause, match=error.match, seat=error.seat)
            self._gate.move_failed(error.match, error.seat)
        else:
            name = type(pending.command).__name__
            note_fault(self._metrics, "command", error, command=name)
        told = InternalError()
        told.__cause__ = error
        return told


def _opening(events: Sequence[Event]) -> dict[str, int]:
    """Expect of the streams that these events open that there is nothing in them yet."""
    return {event.stream: 0 for event in events if event.opens_stream}
