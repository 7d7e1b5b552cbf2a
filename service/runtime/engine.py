"""Execute commands: lock streams, decide, append, fold, publish, report the result.

Nothing here makes a task or a future for a command that goes at once, since most messages of
clients are such commands.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from service.domain.commands.rules import MoveFailed
from service.domain.events.matches import MatchEvent
from service.domain.personal_data import NO_PERSONAL_DATA, PersonalData
from service.errors import ClientError, InternalError, Unavailable
from service.eventstore.completions import Completion
from service.eventstore.plan import KeyConflict, NodeAlive
from service.eventstore.records import Origin, propose
from service.runtime.conditions import CONFLICTS_MAX
from service.runtime.idempotency import (
    CommandResult,
    CommandResults,
    IdReused,
    result_of,
)
from service.runtime.locks import StreamLocks
from service.runtime.pending import Executed, PendingCommand, known_outcome, opening
from service.runtime.projector import Projector
from service.runtime.recall import Recall
from service.runtime.record import Record
from service.tasks import Tasks
from service.telemetry import Metrics, note_fault, traces

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.domain.commands.base import Command, Context
    from service.domain.events.base import Event, Position
    from service.domain.ids import UserId
    from service.domain.projections.world import World
    from service.eventstore.follower import Batch
    from service.eventstore.plan import Committed
    from service.eventstore.records import RecordedEvent
    from service.eventstore.writer import EventLog
    from service.fanout.profiles import Profiles
    from service.runtime.conditions import Conditions
    from service.runtime.gate import Gate, Hold
    from service.runtime.idempotency import CommandKey
    from service.runtime.pending import OnResult
    from service.runtime.projector import Observer, Publisher


class Engine:
    """Executes commands; the only writer of the projections, and of this node to the log.

    `dispatch` is the one way in; `execute` adapts it for coroutines.
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
        conditions: Conditions | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        """Append to `log`, fold into `world`, and publish by `publisher`.

        Decisions use `context`; commands on a room wait for its live match behind `gate`.
        `conditions` are those of a cluster, where other nodes append as well.
        """
        self._metrics = metrics or Metrics()
        self._log = log
        self._locks = StreamLocks()
        self._results = CommandResults()
        self.recall = Recall(self._results)
        self._projector = Projector(world, profiles, publisher, self._results, self._metrics)
        self._under_way: dict[CommandKey, list[PendingCommand]] = {}
        """The keys of commands under way, each with the commands that wait for the same key."""
        self._holds: dict[int, Hold] = {}
        """The holds of uncommitted events, by the `id` of the event: equal events have one each."""
        self._tasks = Tasks()
        self.world = world
        self.profiles = profiles
        self.context = context
        self._gate = gate
        self._conditions = conditions

    def subscribe(self, observer: Observer) -> None:
        """Call `observer` with each folded event, after the observers subscribed before."""
        self._projector.subscribe(observer)

    def dispatch(
        self,
        command: Command,
        origin: Origin,
        done: OnResult,
        *,
        personal_data: PersonalData = NO_PERSONAL_DATA,
    ) -> None:
        """Execute `command`, and call `done` once with the result or the error.

        It is decided immediately if its streams are free, and its append is then under way when
        this returns; otherwise it waits, in the order of dispatch. `done` is called after the fold
        of the events; or, before this returns, if the command is refused, changes nothing, or was
        executed before.

        `personal_data` is stored in the same commit. A command whose id (`origin.command`) was
        used by its actor before changes nothing, and gets the earlier result.

        Errors: `IdReused` if that was another command (`origin.digest`), the `ClientError` of the
        decision, `Unavailable` if the log can't be written or other nodes keep changing what a
        client's command is decided on, and `InternalError` for a fault of the service or of a
        game's rules, which is logged here. In each case nothing has changed.

        Observers must not dispatch what decides (`Record` does not): it would be decided between
        two events of one commit.
        """
        self._begin(PendingCommand(command, origin, done, personal_data))

    async def execute(
        self, command: Command, origin: Origin, *, personal_data: PersonalData = NO_PERSONAL_DATA
    ) -> Executed:
        """Dispatch `command`; return the result or raise the error.

        Cancelling the caller withdraws a command that is not decided yet. If it is, the caller
        ends when the events are folded or have failed: until then their streams are locked.
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
                self._release_locks(pending)
            raise

    async def rename(self, user: UserId, name: str) -> None:
        """Store and publish a display name that no command carries; raise `Unavailable`.

        It is no event: the log is never changed, and names must be erasable.
        """
        renamed = PersonalData(names={str(user): name})
        await self.execute(Record(), Origin("names", user), personal_data=renamed)

    def check_unused(self, user: UserId, id_: str) -> None:
        """Raise `IdReused` if the id of a request without events was used by a command before."""
        result = self._results.find((str(user), id_))
        if result is not None and result.digest is not None:
            raise IdReused

    def hurry(self) -> None:
        """Commit what may wait (`Gate.may_wait_s`) now, since a match has come to need it."""
        self._log.hurry()

    def committed(self, recorded: Sequence[RecordedEvent]) -> None:
        """Fold what was committed, and publish it; the log calls this after each commit."""
        for one in recorded:
            # Before the fold: else a snapshot would count an input as folded and as pending.
            self._release(one.event)
            self._projector.apply(one)

    def followed(self, batch: Batch) -> None:
        """Fold what was committed by any node of a cluster, in the order of the log."""
        data = batch.personal_data
        if not (data.names or data.texts):
            self.committed(batch.events)
            return
        # Messages are published during the fold, and need the names and texts by then.
        expected = self.profiles.expect(data)
        renamed = [user for user in expected.renamed if self.world.presence.is_online(user)]
        self.committed(batch.events)
        expected.settle(is_committed=True)
        self._projector.show_names(renamed)

    def _begin(self, pending: PendingCommand) -> None:
        """Begin a command, unless another one with its id is under way or was executed."""
        if pending.is_cancelled:
            return
        origin = pending.origin
        if origin.command is not None:
            key = (str(origin.actor), origin.command)
            same_id = self._under_way.get(key)
            if same_id is not None:
                same_id.append(pending)
                return
            known = known_outcome(self._results, key, origin)
            if known is not None:
                pending.done(known)
                return
            self._under_way[key] = []
            pending.key = key
        pending.span = traces.begin("engine.execute", command=type(pending.command).__name__)
        self._lock(pending)

    def _lock(self, pending: PendingCommand) -> None:
        """Acquire the locks of the command's streams, and continue when they are held."""
        try:
            streams = pending.command.streams(self.world)
        except Exception as error:  # noqa: BLE001 - it costs this command alone
            self._finish(pending, self._failed(pending, error))
            return
        if not streams:
            # Most commands by far are moves in games with ticks, which lock nothing.
            self._decide(pending)
            return
        pending.lease = self._locks.acquire(streams, partial(self._locked, pending))
        if pending.lease.is_held:
            self._await_matches(pending, streams)

    def _locked(self, pending: PendingCommand) -> None:
        """Continue after a wait for locks; meanwhile the command may involve other streams."""
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
        """Decide once the live matches of these rooms have recorded their outcomes."""
        if self._gate.is_settled(streams):
            self._decide(pending)
            return
        self._tasks.spawn(self._decide_when_settled(pending, streams))

    async def _decide_when_settled(self, pending: PendingCommand, streams: set[str]) -> None:
        try:
            await self._gate.settled(streams)
        except Exception as error:  # noqa: BLE001 - reported to `done`
            if not pending.is_cancelled:
                self._finish(pending, self._failed(pending, error))
        else:
            if not pending.is_cancelled:
                self._decide(pending)

    def _decide(self, pending: PendingCommand) -> None:
        """Decide with the locks held, and append the events."""
        try:
            with traces.within(pending.span):
                events = pending.decide(self.world, self.context)
                if events or pending.personal_data.names:
                    self._append(pending, events)
                    return
            outcome: Executed | Exception = Executed(events, CommandResult(self.world.position))
        except Exception as error:  # noqa: BLE001 - reported to `done`
            outcome = self._failed(pending, error)
        if self._conditions is not None and pending.is_doubtful(outcome):
            # Another node may have appended what this one has not folded.
            pending.is_confirmed = True
            confirm = partial(self._confirm, pending, outcome, self.world.position)
            self._conditions.sync(confirm)
            return
        self._finish(pending, outcome)

    def _confirm(
        self, pending: PendingCommand, outcome: Executed | Exception, decided_at: Position
    ) -> None:
        """Report an outcome without events, or decide again if the world has changed since."""
        if self.world.position != decided_at:
            self._decide_again(pending)
        elif not pending.is_cancelled:
            self._finish(pending, outcome)

    def _append(self, pending: PendingCommand, events: Sequence[Event]) -> None:
        """Submit events to the log, and hold their live matches until the commit."""
        proposed, data = propose(events, pending.origin), pending.personal_data
        # `partial`, not a closure: one Python frame less for each input of a player.
        settle = partial(self._settle, pending)
        conditions = self._conditions
        self._log.append(
            proposed,
            settle,
            opening(events),
            personal_data=data,
            condition=conditions and conditions.of(self.world.position, pending, events),
            may_wait_s=self._gate.may_wait_s(events),
        )
        # Only now: `append` raises when the log is closing, and then nothing has to be undone.
        pending.is_decided = True
        pending.events = events
        for event in events:
            if isinstance(event, MatchEvent):
                hold = self._gate.hold(event)
                if hold is not None:
                    self._holds[id(event)] = hold
        if data is not NO_PERSONAL_DATA:
            # Messages are published during the fold, and need the names and texts by then.
            pending.expectation = expected = self.profiles.expect(data)
            # The messages of users who come online by these events have the new name anyway.
            expected.renamed = [
                user for user in expected.renamed if self.world.presence.is_online(user)
            ]

    def _settle(self, pending: PendingCommand, result: Committed | Exception) -> None:
        """Finish a command whose append has succeeded or failed; its events are folded."""
        events, expectation = pending.events, pending.expectation
        if expectation is not None:
            expectation.settle(is_committed=not isinstance(result, Exception))
        if isinstance(result, Exception):
            for event in events:
                self._release(event)
            if isinstance(result, KeyConflict):
                self._decide_again_later(pending)
            elif isinstance(result, NodeAlive):
                # The node that was to be declared lost has renewed its lease: all is well.
                self._finish(pending, Executed((), CommandResult(self.world.position)))
            else:
                self._finish(pending, self._failed(pending, result))
            return
        if expectation is not None:
            self._projector.show_names(expectation.renamed)
        if events:
            last = result_of(events[-1], result.positions[-1])
        else:
            last = CommandResult(self.world.position)
        self._finish(pending, Executed(events, last))

    def _decide_again_later(self, pending: PendingCommand) -> None:
        """Decide a command again on what another node has changed, with its locks still held."""
        pending.conflicts += 1
        is_of_client = pending.origin.actor is not None
        if self._conditions is None or (is_of_client and pending.conflicts > CONFLICTS_MAX):
            busy = "Others keep changing this, so nothing has changed; try again later."
            self._finish(pending, Unavailable(busy))
            return
        # It can be withdrawn again.
        pending.is_decided = False
        pause_s = self._conditions.pause_s(pending.conflicts)
        asyncio.get_running_loop().call_later(pause_s, self._decide_again, pending)

    def _decide_again(self, pending: PendingCommand) -> None:
        if pending.is_cancelled:
            return
        # The other node may have executed the very command.
        key, origin = pending.key, pending.origin
        known = None if key is None else known_outcome(self._results, key, origin)
        if known is not None:
            self._finish(pending, known)
        elif pending.lease is None:
            self._lock(pending)
        else:
            self._locked(pending)

    def _release(self, event: Event) -> None:
        """Release the hold of an event, which is about to be folded or was not committed."""
        hold = self._holds.pop(id(event), None)
        if hold is not None:
            hold.release()

    def _finish(self, pending: PendingCommand, outcome: Executed | Exception) -> None:
        pending.is_decided = True
        if pending.lease is not None or pending.key is not None:
            self._release_locks(pending)
        if pending.span is not None:
            pending.span.end(outcome if isinstance(outcome, Exception) else None)
        pending.done(outcome)

    def _release_locks(self, pending: PendingCommand) -> None:
        """Release the locks and the key of a command."""
        if pending.lease is not None:
            pending.lease.release()
            # The lease refers to the command.
            pending.lease = None
        if pending.key is not None:
            for waiting in self._under_way.pop(pending.key):
                asyncio.get_running_loop().call_soon(self._begin, waiting)

    def _failed(self, pending: PendingCommand, error: Exception) -> ClientError:
        """Return the error for `done`; anything but a `ClientError` is logged as a fault."""
        if isinstance(error, ClientError):
            return error
        if isinstance(error, MoveFailed):
            cause = error.__cause__ or error
            note_fault(self._metrics, "move", cause, match=error.match, seat=error.seat)
            self._gate.move_failed(error.match, error.seat)
        else:
            name = type(pending.command).__name__
            note_fault(self._metrics, "command", error, command=name)
        reported = InternalError()
        reported.__cause__ = error
        return reported
