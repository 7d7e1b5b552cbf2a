"""Queue of pending commands: each is sent in order and carried out at most once."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING

from service.client.clock import Stopwatch
from service.client.errors import NoAnswer
from service.client.rate_limit import COMMAND_BYTES_PER_UNIT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from service.client.clock import Clock
    from service.client.rate_limit import RateLimiter
    from service.client.state import Message

IN_FLIGHT_MAX = 100
"""Limit of sent commands without a reply."""

NEWER_COMMANDS_MAX = 400
"""No retry after this many newer commands: the service keeps the last 500 ids of a user."""

LATE_MAX = 500
"""How many commands are remembered after their caller has given up waiting."""

LIMITED_TYPES = frozenset({"chat:send", "room:join"})
"""Types with a rate limit of their own: later commands in the same room wait for their reply."""


class PendingCommand:
    """A command without a reply."""

    def __init__(self, command: Message, frame: str, timeout_s: float, clock: Clock) -> None:
        """Start to wait for the reply; `timeout_s` may be infinite."""
        self.command = command
        self.frame = frame
        self.answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self.is_sent = False
        """Whether it was sent on the current connection."""
        self._timeout_s = timeout_s
        self._age = Stopwatch(clock)
        self._number: int | None = None

    @property
    def id(self) -> str:
        """The command id."""
        return str(self.command["id"])

    @property
    def target(self) -> str:
        """The room or the user that it is for; commands for one target are sent in order."""
        room, to = self.command.get("roomId"), self.command.get("to")
        return f"room {room}" if room is not None else f"to {to}"

    @property
    def units(self) -> int:
        """Its cost in the rate limit."""
        return 1 + len(self.frame) // COMMAND_BYTES_PER_UNIT

    @property
    def is_limited(self) -> bool:
        """Whether the service may refuse it for now while it accepts later commands."""
        return self.command["type"] in LIMITED_TYPES

    def is_too_old(self, sent_count: int) -> bool:
        """Return whether it timed out, or the service may have forgotten its id.

        A rejoin never gets too old, since joining a room twice is harmless.
        """
        if self._timeout_s == float("inf"):
            return False
        newer = 0 if self._number is None else sent_count - self._number
        return self._age.elapsed_s >= self._timeout_s or newer > NEWER_COMMANDS_MAX

    def sent(self, sent_count: int) -> int:
        """Mark it as sent; return the number of commands sent so far, repeats not counted."""
        self.is_sent = True
        if self._number is None:
            self._number = sent_count + 1
        return max(self._number, sent_count)

    def fail(self, error: Exception) -> None:
        """Set an error as the result, unless there is one."""
        if not self.answer.done():
            self.answer.set_exception(error)
            # Retrieved, since asyncio would log it if the caller has given up waiting.
            self.answer.exception()


class Commands:
    """All pending commands, in the order in which they were given."""

    def __init__(self, clock: Clock, rate_limiter: RateLimiter) -> None:
        """Send nothing until `connected`."""
        self._clock = clock
        self._rate_limiter = rate_limiter
        self._pending: dict[str, PendingCommand] = {}
        self._rejoins: dict[str, PendingCommand] = {}
        self._late: OrderedDict[str, Message] = OrderedDict()
        self._sent_count = 0
        self._is_connected = False
        self._paused_until = float("-inf")
        self._slow_targets: set[str] = set()
        """Targets where a rate limit was hit: there each command waits for the one before it."""

    def add(self, command: Message, frame: str, timeout_s: float) -> PendingCommand:
        """Queue a command."""
        pending = PendingCommand(command, frame, timeout_s, self._clock)
        self._pending[pending.id] = pending
        return pending

    def drop(self, pending: PendingCommand) -> None:
        """Remove a command; it is remembered for a while, in case its ack arrives late."""
        self._pending.pop(pending.id, None)
        if not pending.answer.done() or pending.answer.cancelled() or pending.answer.exception():
            self._late[pending.id] = pending.command
            if len(self._late) > LATE_MAX:
                self._late.popitem(last=False)

    @property
    def unanswered(self) -> list[Message]:
        """The commands without a reply."""
        return [one.command for one in self._pending.values() if not one.answer.done()]

    def connected(self, rejoins: Iterable[tuple[Message, str]]) -> None:
        """Start to send on a new connection: first the rejoins, given as messages and frames."""
        self._is_connected = True
        self._paused_until = float("-inf")
        forever = float("inf")
        for command, frame in rejoins:
            join = PendingCommand(command, frame, forever, self._clock)
            self._rejoins[join.id] = join

    def disconnected(self) -> None:
        """Mark all commands as unsent, so that the next connection sends them again."""
        self._is_connected = False
        self._rejoins.clear()
        self._slow_targets.clear()
        for pending in self._pending.values():
            pending.is_sent = False

    def next(self) -> PendingCommand | float | None:
        """Return the command to send now, else the seconds to wait, or None to wait for an event.

        Commands for one target are sent in order. One that is too old fails with `NoAnswer`.
        """
        wait_s = self._paused_until - self._clock.steady()
        if not self._is_connected or wait_s > 0:
            return wait_s if self._is_connected else None
        held: set[str] = set()
        in_flight = 0
        for pending in (*self._rejoins.values(), *self._pending.values()):
            if pending.answer.done():
                continue
            if not pending.is_sent and pending.target not in held:
                if pending.is_too_old(self._sent_count):
                    pending.fail(NoAnswer(f"{pending.command['type']} was not answered in time"))
                    continue
                if in_flight >= IN_FLIGHT_MAX:
                    return None
                if not self._rate_limiter.take(pending.units):
                    return self._rate_limiter.wait_s
                self._sent_count = pending.sent(self._sent_count)
                return pending
            in_flight += pending.is_sent
            if not pending.is_sent or pending.is_limited or pending.target in self._slow_targets:
                held.add(pending.target)
        return None

    def find(self, id_: str | None) -> PendingCommand | None:
        """Return the pending command with this id, or None."""
        pending = None if id_ is None else self._pending.get(id_)
        return None if pending is None or pending.answer.done() else pending

    def find_rejoin(self, id_: str | None) -> PendingCommand | None:
        """Return the rejoin with this id, or None."""
        return None if id_ is None else self._rejoins.get(id_)

    def rejoined(self, rejoin: PendingCommand) -> None:
        """Remove a rejoin that was answered."""
        self._rejoins.pop(rejoin.id, None)

    def take_late(self, id_: str | None) -> Message | None:
        """Remove and return the command with this id whose caller has given up, or None."""
        return None if id_ is None else self._late.pop(id_, None)

    def pause(self, refused: PendingCommand | None, pause_s: float) -> None:
        """Send nothing for `pause_s`, then `refused` again; None means all commands."""
        again = [*self._rejoins.values(), *self._pending.values()] if refused is None else [refused]
        for pending in again:
            pending.is_sent = False
        if refused is not None:
            self._slow_targets.add(refused.target)
        self._paused_until = self._clock.steady() + pause_s

    def fail_too_long(self, bytes_max: int) -> None:
        """Fail commands that are above the limit of the service, which may have changed."""
        for pending in self._pending.values():
            if len(pending.frame.encode()) > bytes_max:
                name = pending.command["type"]
                pending.fail(ValueError(f"{name} has more than {bytes_max} bytes"))

    def fail_all(self, error: Exception) -> None:
        """Fail all pending commands, and forget the late ones."""
        for pending in self._pending.values():
            pending.fail(error)
        self._late.clear()
