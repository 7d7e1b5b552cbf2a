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
    from service.client.memory import Message
    from service.client.rate_limit import RateLimiter

IN_FLIGHT_MAX = 100
"""How many commands may be on their way without an answer."""

NEWER_COMMANDS_MAX = 400
"""The service knows the last 500 ids of a user: after so many newer ones none is sent again."""

LATE_MAX = 500
"""How many commands are remembered whose answer came too late."""

LIMITED_TYPES = frozenset({"chat:send", "room:join"})
"""Messages with a limit of their own: what follows in the same room waits for their answer."""


class PendingCommand:
    """A command that is not answered yet."""

    def __init__(self, command: Message, frame: str, timeout_s: float, clock: Clock) -> None:
        """Begin to wait for the answer; `timeout_s` may be infinite."""
        self.command = command
        self.frame = frame
        self.answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self.is_sent = False
        """Whether it was sent on the present connection."""
        self._timeout_s = timeout_s
        self._age = Stopwatch(clock)
        self._number: int | None = None

    @property
    def id(self) -> str:
        """The id by which it is answered."""
        return str(self.command["id"])

    @property
    def place(self) -> str:
        """The room, or the user, for which the order of commands counts."""
        room, to = self.command.get("roomId"), self.command.get("to")
        return f"room {room}" if room is not None else f"to {to}"

    @property
    def units(self) -> int:
        """What it costs of the pace."""
        return 1 + len(self.frame) // COMMAND_BYTES_PER_UNIT

    @property
    def is_limited(self) -> bool:
        """Whether the service may refuse it for now, while it takes what comes after it."""
        return self.command["type"] in LIMITED_TYPES

    def is_too_old(self, sent_count: int) -> bool:
        """Tell whether it is too late to send it, or the service may have forgotten its id.

        What joins a room again has no such time: it may happen twice.
        """
        if self._timeout_s == float("inf"):
            return False
        newer = 0 if self._number is None else sent_count - self._number
        return self._age.elapsed_s >= self._timeout_s or newer > NEWER_COMMANDS_MAX

    def sent(self, sent_count: int) -> int:
        """Note that it was sent, as one more or again; return how many were sent by now."""
        self.is_sent = True
        if self._number is None:
            self._number = sent_count + 1
        return max(self._number, sent_count)

    def fail(self, error: Exception) -> None:
        """Tell whoever waits that no answer will come."""
        if not self.answer.done():
            self.answer.set_exception(error)
            # Who has given up waiting does not ask for it.
            self.answer.exception()


class Commands:
    """All commands without an answer, in the order in which they were given."""

    def __init__(self, clock: Clock, pace: RateLimiter) -> None:
        """Send nothing until `connected`."""
        self._clock = clock
        self._pace = pace
        self._pending: dict[str, PendingCommand] = {}
        self._rejoins: dict[str, PendingCommand] = {}
        self._late: OrderedDict[str, Message] = OrderedDict()
        self._sent_count = 0
        self._is_connected = False
        self._paused_until = float("-inf")
        self._slow_places: set[str] = set()
        """Where a command was above a rate: there each waits for the one before it."""

    def add(self, command: Message, frame: str, timeout_s: float) -> PendingCommand:
        """Take a command that is to be sent."""
        pending = PendingCommand(command, frame, timeout_s, self._clock)
        self._pending[pending.id] = pending
        return pending

    def drop(self, pending: PendingCommand) -> None:
        """Wait no longer; an answer that comes yet still tells that it was carried out."""
        self._pending.pop(pending.id, None)
        if not pending.answer.done() or pending.answer.cancelled() or pending.answer.exception():
            self._late[pending.id] = pending.command
            if len(self._late) > LATE_MAX:
                self._late.popitem(last=False)

    @property
    def unanswered(self) -> list[Message]:
        """The commands that wait for an answer."""
        return [one.command for one in self._pending.values() if not one.answer.done()]

    def connected(self, rejoins: Iterable[tuple[Message, str]]) -> None:
        """Send on a new connection: first what joins rooms again, as messages and frames."""
        self._is_connected = True
        self._paused_until = float("-inf")
        forever = float("inf")
        for command, frame in rejoins:
            join = PendingCommand(command, frame, forever, self._clock)
            self._rejoins[join.id] = join

    def disconnected(self) -> None:
        """Send all that is not answered again, on another connection."""
        self._is_connected = False
        self._rejoins.clear()
        self._slow_places.clear()
        for pending in self._pending.values():
            pending.is_sent = False

    def next(self) -> PendingCommand | float | None:
        """Return what is to be sent now; else how long to wait, or None for whatever happens next.

        Commands of one room go in their order. One that is too old is told `NoAnswer`.
        """
        wait_s = self._paused_until - self._clock.steady()
        if not self._is_connected or wait_s > 0:
            return wait_s if self._is_connected else None
        held: set[str] = set()
        in_flight = 0
        for pending in (*self._rejoins.values(), *self._pending.values()):
            if pending.answer.done():
                continue
            if not pending.is_sent and pending.place not in held:
                if pending.is_too_old(self._sent_count):
                    pending.fail(NoAnswer(f"{pending.command['type']} was not answered in time"))
                    continue
                if in_flight >= IN_FLIGHT_MAX:
                    return None
                if not self._pace.take(pending.units):
                    return self._pace.wait_s
                self._sent_count = pending.sent(self._sent_count)
                return pending
            in_flight += pending.is_sent
            if not pending.is_sent or pending.is_limited or pending.place in self._slow_places:
                held.add(pending.place)
        return None

    def find(self, id_: str | None) -> PendingCommand | None:
        """Return the command with this id, if somebody waits for its answer."""
        pending = None if id_ is None else self._pending.get(id_)
        return None if pending is None or pending.answer.done() else pending

    def find_rejoin(self, id_: str | None) -> PendingCommand | None:
        """Return what joins a room again by this id."""
        return None if id_ is None else self._rejoins.get(id_)

    def rejoined(self, rejoin: PendingCommand) -> None:
        """Let what joins a room again be answered."""
        self._rejoins.pop(rejoin.id, None)

    def take_late(self, id_: str | None) -> Message | None:
        """Return the command with this id that nobody waits for any more, once."""
        return None if id_ is None else self._late.pop(id_, None)

    def pause(self, refused: PendingCommand | None, pause_s: float) -> None:
        """Send nothing for a while, then `refused` again; None is all that is not answered."""
        again = [*self._rejoins.values(), *self._pending.values()] if refused is None else [refused]
        for pending in again:
            pending.is_sent = False
        if refused is not None:
            self._slow_places.add(refused.place)
        self._paused_until = self._clock.steady() + pause_s

    def fail_too_long(self, bytes_max: int) -> None:
        """Tell those whose commands are longer than the service takes, which may have changed."""
        for pending in self._pending.values():
            if len(pending.frame.encode()) > bytes_max:
                name = pending.command["type"]
                pending.fail(ValueError(f"{name} has more than {bytes_max} bytes"))

    def fail_all(self, error: Exception) -> None:
        """Tell everybody who waits, and forget what came too late."""
        for pending in self._pending.values():
            pending.fail(error)
        self._late.clear()
