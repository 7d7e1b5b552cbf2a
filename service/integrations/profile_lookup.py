"""Look up display names and friends of online users in the user service.

What it needs of the runtime is given to it as functions (the name that is known, how to store one),
so that it belongs to the integrations, below the engine.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Protocol

from service.domain.events.presence import UserWentOffline
from service.errors import Unavailable
from service.integrations.user_service import UserServiceUnavailable
from service.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from service.domain.events.base import Event, Position
    from service.domain.ids import UserId

LOOKUPS_AT_ONCE = 16
"""The maximum number of names that are looked up concurrently."""

logger = get_logger(__name__)


class UserServicePort(Protocol):
    """The user service."""

    async def name(self, user: UserId) -> str | None:
        """Return a display name, or None; raise `UserServiceUnavailable`."""

    async def friends(self, user: UserId, token: str) -> list[UserId]:
        """Return the friends of a user; raise `UserServiceUnavailable`."""


class Tokens(Protocol):
    """The tokens of users who are online."""

    def connected(self, user: UserId, token: str) -> None:
        """Take the token of a new socket."""

    def of(self, user: UserId) -> str | None:
        """Return a token that is still valid, or None."""


class ProfileLookup:
    """Looks up names in the background, and friends on request; no connection waits for a name."""

    def __init__(  # noqa: PLR0913 - the parts are given by the composition root
        self,
        users: UserServicePort | None,
        tokens: Tokens,
        *,
        known_name: Callable[[UserId], str | None],
        rename: Callable[[UserId, str], Awaitable[None]],
        clean_name: Callable[[str], str],
        retry_s: float,
    ) -> None:
        """Ask `users`; None where no user service is configured.

        `rename` stores a name and shows it; it raises `Unavailable` when the log can't be written.
        A failed lookup is tried again after `retry_s`.
        """
        self._users = users
        self._tokens = tokens
        self._known_name = known_name
        self._rename = rename
        self._clean_name = clean_name
        self._retry_s = retry_s
        self._nameless: dict[UserId, None] = {}
        """The users whose name is to be looked up, in the order of the queue."""
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start to look up names."""
        if self._users is not None:
            self._task = asyncio.create_task(self._run(self._users), name="names")

    async def stop(self) -> None:
        """Cancel all lookups."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def connected(self, user: UserId, token: str, *, named: bool) -> None:
        """Take the token of a new socket; unless it is `named`, look the user's name up."""
        if self._users is None:
            return
        self._tokens.connected(user, token)
        if named:
            self._nameless.pop(user, None)
        else:
            self._nameless[user] = None
            self._wake.set()

    def observe(self, event: Event, _position: Position) -> None:
        """Drop the lookup for a user who went offline."""
        if isinstance(event, UserWentOffline):
            self._nameless.pop(event.user, None)

    async def friends(self, user: UserId) -> list[UserId]:
        """Return the friends of a user who is online; raise `UserServiceUnavailable`."""
        token = self._tokens.of(user)
        if self._users is None:
            raise UserServiceUnavailable("No user service is configured; set USER_SERVICE_URL.")
        if token is None:
            raise UserServiceUnavailable("Your token has expired; sign in again.")
        return await self._users.friends(user, token)

    async def _run(self, users: UserServicePort) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._nameless:
                some = list(itertools.islice(self._nameless, LOOKUPS_AT_ONCE))
                if not await self._look_up(users, some):
                    await asyncio.sleep(self._retry_s)

    async def _look_up(self, users: UserServicePort, some: Sequence[UserId]) -> bool:
        """Look up some names concurrently; return whether all lookups were answered."""
        return all(await asyncio.gather(*(self._look_up_one(users, user) for user in some)))

    async def _look_up_one(self, users: UserServicePort, user: UserId) -> bool:
        """Look up one name; return whether there was an answer."""
        try:
            name = self._clean_name(await users.name(user) or "")
            # Meanwhile the user may have gone, or brought a name in a token.
            if name and self._known_name(user) != name and user in self._nameless:
                await self._rename(user, name)
        except (UserServiceUnavailable, Unavailable):
            # To the end of the queue, so that one bad user does not delay all others.
            if self._nameless.pop(user, self) is None:
                self._nameless[user] = None
            return False
        except Exception:
            logger.exception("name not learnt", error_type="internal_error")
        self._nameless.pop(user, None)
        return True
