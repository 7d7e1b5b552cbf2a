"""Hash room passwords off the event loop, and limit guesses.

Decisions are pure and fast, so they are given the outcome: the hash that the password matched. If
the room has another hash by then, the command is refused, and is prepared and executed once more.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

import msgspec

from service.domain.commands.hosting import CreateRoom, JoinRoom
from service.domain.errors import WrongPassword
from service.domain.passwords import hash_password, verify_password
from service.edge.session.errors import RateLimited

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from service.domain.ids import RoomId, UserId
    from service.domain.projections.world import World
    from service.runtime.pending import Executed
    from service.settings.sections.connections import GuessLimits

Result = TypeVar("Result")

PAUSE_S_MAX = 300.0
"""Maximum pause between two guesses, in seconds."""

FORGET_S = 600.0
"""Seconds after the last wrong password when all are forgotten."""

KEPT_MAX = 10_000
"""Maximum number of pairs of user and room; the oldest are dropped."""


class _Guesses(msgspec.Struct):
    count: int
    last_at: float
    until: float


class Guesses:
    """Counts the wrong passwords of each user for each room."""

    def __init__(self, limits: GuessLimits) -> None:
        """Begin without any."""
        self._limits = limits
        self._of: dict[tuple[UserId, RoomId], _Guesses] = {}

    def __len__(self) -> int:
        """Return the number of pairs of user and room."""
        return len(self._of)

    def begin(self, user: UserId, room: RoomId, now: float) -> None:
        """Count a guess as wrong until it is known to be right; raise `RateLimited`.

        It is counted before it is checked, so that guesses at the same time count one by one.
        """
        key = (user, room)
        guesses = self._of.pop(key, None)
        if guesses is None or now - guesses.last_at > FORGET_S:
            guesses = _Guesses(0, now, now)
        self._of[key] = guesses
        if len(self._of) > KEPT_MAX:
            del self._of[next(iter(self._of))]
        if now < guesses.until:
            wait_ms = int((guesses.until - now) * 1000) + 1
            raise RateLimited("Too many wrong passwords; wait a while.", retry_after_ms=wait_ms)
        guesses.count += 1
        guesses.last_at = now
        if guesses.count >= self._limits.free:
            doubled = min(guesses.count - self._limits.free, 20)
            guesses.until = now + min(PAUSE_S_MAX, self._limits.pause_s * 2**doubled)

    def right(self, user: UserId, room: RoomId) -> None:
        """Forget the guesses of a user after the right password."""
        self._of.pop((user, room), None)


class Passwords:
    """Hashes and verifies the passwords of commands before these are decided."""

    def __init__(
        self,
        world: World,
        limits: GuessLimits,
        *,
        new_salt: Callable[[], str],
        clock: Callable[[], float],
    ) -> None:
        """Use the rooms of `world`; `clock` is monotonic, in seconds."""
        self._world = world
        self._guesses = Guesses(limits)
        self._new_salt = new_salt
        self._clock = clock
        # One thread, so that guessing takes at most one core, however many users do it.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="passwords")

    def stop(self) -> None:
        """Stop the thread; queued work is dropped."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def hash_needed_by(self, command: CreateRoom | JoinRoom) -> str | None:
        """Return the hash of the password that the user needs for the room, or None."""
        room = None if command.room is None else self._world.rooms.rooms.get(command.room)
        return None if room is None or room.has_member(command.user) else room.password

    async def execute(
        self,
        command: CreateRoom | JoinRoom,
        password: str | None,
        execute: Callable[[CreateRoom | JoinRoom], Awaitable[Executed]],
    ) -> Executed:
        """Execute `command` with `password` hashed or verified.

        Raises `RateLimited` for users who have guessed too often, and what `execute` raises.
        """
        for is_last in (False, True):
            sealed = self.hash_needed_by(command)
            prepared = await self.prepare(command, password)
            try:
                return await execute(prepared)
            except WrongPassword:
                # Meanwhile a room with another password may have replaced it: retry once.
                if is_last or self.hash_needed_by(command) == sealed:
                    raise
        raise AssertionError(command)

    async def prepare(
        self, command: CreateRoom | JoinRoom, password: str | None
    ) -> CreateRoom | JoinRoom:
        """Return `command` with `password` hashed, or with the outcome of its verification.

        Raises `RateLimited` for a user who has guessed too often.
        """
        if password is None:
            return command
        if isinstance(command, JoinRoom):
            sealed = self.hash_needed_by(command)
            if sealed is not None:
                return await self._checked(command, sealed, password)
        if command.plan is None:
            return command
        salt = self._new_salt()
        new = await self._in_thread(lambda: hash_password(password, salt))
        plan = msgspec.structs.replace(command.plan, password=new)
        return msgspec.structs.replace(command, plan=plan)

    async def _checked(self, command: JoinRoom, sealed: str, password: str) -> JoinRoom:
        self._guesses.begin(command.user, command.room, self._clock())
        if not await self._in_thread(lambda: verify_password(sealed, password)):
            return command
        self._guesses.right(command.user, command.room)
        return msgspec.structs.replace(command, verified_password=sealed)

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
