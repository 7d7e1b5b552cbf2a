"""Display names and chat texts, which are kept outside the log so that they can be erased."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from service.domain.ids import UserId, parse_user_id
from service.domain.names import placeholder_name
from service.domain.personal_data import PersonalData
from service.protocol import classic


class Profiles(msgspec.Struct):
    """Display names of users and texts of chat messages, by their ids."""

    names: dict[UserId, str] = {}
    texts: dict[str, str] = {}
    expected: dict[int, PersonalData] = {}
    """Personal data of events that are not yet committed: it must not be evicted."""

    def name(self, user: UserId) -> str:
        """Return the display name, or `User#<id>` if it is not known."""
        return self.names.get(user) or placeholder_name(user)

    def user(self, user: UserId) -> classic.User:
        """Return a user in wire form."""
        return classic.User(user, self.name(user))

    def expect(self, data: PersonalData) -> Expectation:
        """Add `data` of events that are about to be committed; settle it when they are."""
        return Expectation(self, data)

    def users(self, users: Iterable[UserId]) -> list[classic.User]:
        """Return users in wire form."""
        return [self.user(user) for user in users]


class Expectation:
    """Personal data of uncommitted events: known already, and not evicted before `settle`."""

    __slots__ = ("_before", "_data", "_names", "_profiles", "renamed")

    def __init__(self, profiles: Profiles, data: PersonalData) -> None:
        """Add `data` to `profiles`."""
        self._profiles = profiles
        self._data = data
        self._names = names = {parse_user_id(user): name for user, name in data.names.items()}
        self._before = {user: profiles.names.get(user) for user in names}
        self.renamed = [user for user, name in names.items() if self._before[user] != name]
        """The users whose name has changed."""
        profiles.names |= names
        profiles.texts |= {chat: text.text for chat, text in data.texts.items()}
        profiles.expected[id(self)] = data

    def settle(self, *, is_committed: bool) -> None:
        """Allow eviction, or remove the data if its events were not committed."""
        profiles = self._profiles
        del profiles.expected[id(self)]
        if is_committed:
            return
        for chat in self._data.texts:
            profiles.texts.pop(chat, None)
        for user, name in self._before.items():
            if profiles.names.get(user) != self._names[user]:
                # A later rename has replaced it.
                continue
            if name is None:
                profiles.names.pop(user, None)
            else:
                profiles.names[user] = name
