"""Commands under way, and their results."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import msgspec

from service.domain.errors import NodesTooOld
from service.domain.events import LEVEL
from service.errors import InternalError, Unavailable
from service.runtime.idempotency import IdReused, are_equal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from service.domain.commands.base import Command, Context
    from service.domain.events.base import Event
    from service.domain.personal_data import PersonalData
    from service.domain.projections.world import World
    from service.eventstore.records import Origin
    from service.fanout.profiles import Expectation
    from service.runtime.idempotency import CommandKey, CommandResult, CommandResults
    from service.runtime.locks import Lease
    from service.telemetry.otel import OpenSpan

    OnResult: TypeAlias = Callable[["Executed | Exception"], None]


class Executed(msgspec.Struct, frozen=True):
    """A command that was carried out."""

    events: Sequence[Event]
    """Empty when it changed nothing, or was carried out before under the same id."""
    result: CommandResult
    is_elsewhere: bool = False
    """It has changed something by events of another node, which are not listed."""


class PendingCommand(msgspec.Struct, eq=False):
    """A command from its dispatch until its result is known."""

    # A struct, since it is made for each input of a player: a class of Python takes twice the time.
    command: Command
    origin: Origin
    done: OnResult
    personal_data: PersonalData
    key: CommandKey | None = None
    """Its idempotency key, while it holds it: no other command with it may begin."""
    lease: Lease | None = None
    events: Sequence[Event] = ()
    expectation: Expectation | None = None
    span: OpenSpan | None = None
    is_decided: bool = False
    """Its events were submitted to the log, or it has a result: it can't be withdrawn any more."""
    is_cancelled: bool = False
    conflicts: int = 0
    """How often another node has changed what it was decided on."""
    is_confirmed: bool = False
    """It was decided, or is about to be, on all that the log had after it was dispatched."""

    def decide(self, world: World, context: Context) -> Sequence[Event]:
        """Return the events of the command; raise a `ClientError` to refuse.

        That is `NodesTooOld` where a live node of an older version could not read them, which would
        end it.
        """
        events = self.command.decide(world, context)
        level = world.nodes.level
        if 0 < level < LEVEL and any(event.written_level > level for event in events):
            raise NodesTooOld
        return events

    def is_doubtful(self, outcome: Executed | Exception) -> bool:
        """Return whether a client's command may have been decided on a world that is behind.

        An append of events that are decided so is refused; here there is none. Moves, which lock
        nothing, are decided where their match is run.
        """
        is_of_client = self.lease is not None and self.origin.actor is not None
        is_final = isinstance(outcome, InternalError | Unavailable)
        return is_of_client and not is_final and not self.is_confirmed


def known_outcome(
    results: CommandResults, key: CommandKey, origin: Origin
) -> Executed | IdReused | None:
    """Return the result of a command that was executed before, or None."""
    known = results.find(key)
    if known is None:
        return None
    return Executed((), known) if are_equal(known.digest, origin.digest) else IdReused()


def opening(events: Sequence[Event]) -> dict[str, int]:
    """Return the expected version 0 for each stream that one of these events opens."""
    return {event.stream: 0 for event in events if event.opens_stream}
