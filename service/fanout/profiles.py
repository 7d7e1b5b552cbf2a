"""Display names and chat texts, which are kept beside the log so that they can be erased."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import msgspec

from service.domain.ids import UserId
from service.domain.names import placeholder
from service.domain.personal_data import PersonalData
from service.protocol import classic


class Profiles(msgspec.Struct):
    """Display names of users and texts of chat messages, by their ids."""

    names: dict[UserId, str] = {}
    texts: dict[str, str] = {}
    awaited: dict[int, PersonalData] = {}
    """What belongs to events on their way into the log, so that nobody lets go of it meanwhile."""

    def name(self, user: UserId) -> str:
        """Return the display name; one that is not known is `User#<id>`."""
        return self.names.get(user) or placeholder(user)

    def user(self, user: UserId) -> classic.User:
        """Return a user in wire form."""
        return classic.User(user, self.name(user))

    @contextmanager
    def kept(self, data: PersonalData) -> Iterator[None]:
        """Let go of none of `data` meanwhile: its events are told of by it when they are folded."""
        self.awaited[id(data)] = data
        try:
            yield
        finally:
            # Many commands share the one that says that there is none.
            self.awaited.pop(id(data), None)

    def users(self, users: Iterable[UserId]) -> list[classic.User]:
        """Return users in wire form."""
        return [self.user(user) for user in users]
