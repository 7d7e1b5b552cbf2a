"""Messages about users: presence and status."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from service.domain.ids import UserId
from service.protocol.base import ToClientMessage
from service.protocol.v1.base import V1Command

OwnStatus: TypeAlias = Literal["online", "away", "busy"]
Status: TypeAlias = Literal["online", "away", "busy", "lobby", "playing"]


class UserSync(V1Command, frozen=True, tag="user:sync"):
    """Asks for `user:list`, after a missed `user:diff`."""


class UserStatus(V1Command, frozen=True, tag="user:status"):
    """Sets the status that others see; a hidden user is not shown to anyone."""

    status: OwnStatus | None = None
    hidden: bool | None = None


class UserEntry(msgspec.Struct, frozen=True):
    """A user in the list of online users."""

    id: UserId
    name: str
    status: Status


class UserList(ToClientMessage, frozen=True, tag="user:list"):
    """All online users, as of version `v`."""

    users: list[UserEntry]
    v: int


class UserDiff(ToClientMessage, frozen=True, tag="user:diff"):
    """The changes of the list since version `v` - 1; after a gap, send `user:sync`."""

    v: int
    joins: list[UserEntry]
    leaves: list[UserId]
    updates: list[UserEntry]
