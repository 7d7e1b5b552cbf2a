"""Display names and chat texts, which are kept beside the log so that they can be erased."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from service.domain.ids import UserId
from service.domain.names import placeholder
from service.protocol import classic


class Profiles(msgspec.Struct):
    """Display names of users and texts of chat messages, by their ids."""

    names: dict[UserId, str] = {}
    texts: dict[str, str] = {}

    def name(self, user: UserId) -> str:
        """Return the display name; one that is not known is `User#<id>`."""
        return self.names.get(user) or placeholder(user)

    def user(self, user: UserId) -> classic.User:
        """Return a user in wire form."""
        return classic.User(user, self.name(user))

    def users(self, users: Iterable[UserId]) -> list[classic.User]:
        """Return users in wire form."""
        return [self.user(user) for user in users]
