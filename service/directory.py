"""Look up display names and friends of online users in the user service."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

from service.domain.events.presence import UserWentOffline
from service.domain.personal_data import PersonalData
from service.errors import Unavailable
from service.eventstore.records import Origin
from service.integrations.user_service import UserServiceUnavailable
from service.runtime.record import Record
from service.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.domain.events.base import Event, Position
    from service.domain.ids import UserId
    from service.integrations.user_service import UserService
    from service.outbox.tokens import UserTokens
    from service.runtime.engine import Engine

NAMES_AT_ONCE = 16

logger = get_logger(__name__)


class UserDirectory:
    """Look up names and friends in the background; no connection waits for an answer."""

    def __init__(
        self,
        engine: Engine,
        users: UserService | None,
        bearers: UserTokens,
        *,
        clean_name: Callable[[str], str],
        retry_s: float,
    ) -> None:
        """Ask `users`, or nobody; a name that can't be had is asked for again after `retry_s`."""
        self._engine = engine
        self._users = users
        self._bearers = bearers
        self._clean_name = clean_name
        self._retry_s = retry_s
        self._nameless: dict[UserId, None] = {}
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start requesting names."""
        if self._users is not None:
            self._task = asyncio.create_task(self._run(self._users), name="names")

    async def stop(self) -> None:
        """Stop requests."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def connected(self, user: UserId, token: str, *, named: bool) -> None:
        """Take note of a new socket, of its token, and whether that said a name."""
        if self._users is None:
            return
        self._bearers.connected(user, token)
        if named:
            self._nameless.pop(user, None)
        else:
            self._nameless[user] = None
            self._news.set()

    def observe(self, event: Event, _position: Position) -> None:
        """Ask no more for the name of who has gone."""
        if isinstance(event, UserWentOffline):
            self._nameless.pop(event.user, None)

    async def friends(self, user: UserId) -> list[UserId]:
        """Return the friends of a user who is online; raise `UserServiceUnavailable`."""
        token = self._bearers.of(user)
        if self._users is None:
            raise UserServiceUnavailable("No user service is configured; set USER_SERVICE_URL.")
        if token is None:
            raise UserServiceUnavailable("Your token has expired; sign in again.")
        return await self._users.friends(user, token)

    async def _run(self, users: UserService) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            while self._nameless:
                some = list(itertools.islice(self._nameless, NAMES_AT_ONCE))
                found = await asyncio.gather(*(self._ask(users, user) for user in some))
                if not all(found):
                    await asyncio.sleep(self._retry_s)

    async def _ask(self, users: UserService, user: UserId) -> bool:
        """Learn one name; return whether there was an answer."""
        try:
            name = self._clean_name(await users.name(user) or "")
            if name and self._engine.profiles.names.get(user) != name:
                await self._rename(user, name)
        except (UserServiceUnavailable, Unavailable):
            # To the end of the queue, so that one bad user is not all that is asked for.
            if self._nameless.pop(user, self) is None:
                self._nameless[user] = None
            return False
        except Exception:
            logger.exception("name not learnt", error_type="internal_error")
        self._nameless.pop(user, None)
        return True

    async def _rename(self, user: UserId, name: str) -> None:
        """Keep and show the name, unless the user has gone or brought one themselves."""
        if user not in self._nameless:
            return
        renamed = PersonalData(names={str(user): name})
        await self._engine.execute(Record(), Origin("names", user), personal_data=renamed)
