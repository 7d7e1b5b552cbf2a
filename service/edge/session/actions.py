"""Actions: what a session asks its connection to do."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from service.domain.commands.base import Command
from service.domain.events.base import Position
from service.domain.ids import RoomId, UserId
from service.domain.personal_data import NO_PERSONAL_DATA, PersonalData
from service.edge.close_codes import CloseCode
from service.protocol import FromClient, v1


class ResumeFrom(msgspec.Struct, frozen=True):
    """How far a client that was away had come, in which epoch of the log."""

    position: Position
    epoch: str


class Execute(msgspec.Struct, frozen=True):
    """Carry out a command; `message` is what asked for it."""

    command: Command
    message: FromClient
    beside: PersonalData = NO_PERSONAL_DATA
    password: str | None = None
    """What has to be hashed before `command` can be decided."""


class ShowUsers(msgspec.Struct, frozen=True):
    """Answer with `user:list`."""


class ShowLobby(msgspec.Struct, frozen=True):
    """Answer with `lobby:list`."""


class ShowRooms(msgspec.Struct, frozen=True):
    """Answer with a page of rooms."""

    game: str | None
    after: RoomId | None
    limit: int


class SubscribeRooms(msgspec.Struct, frozen=True):
    """Tell of changes of the list of rooms from now on, or no longer."""

    game: str | None
    wanted: bool


class ShowFriends(msgspec.Struct, frozen=True):
    """Answer with the status of the user's friends, as the user service knows them."""

    id: str | None
    """Acknowledged when the answer is there, which may take a while."""


class WatchFriends(msgspec.Struct, frozen=True):
    """Answer with the status of these users, and tell of each change from now on."""

    friends: frozenset[UserId]


class PassSignal(msgspec.Struct, frozen=True):
    """Pass a signal on."""

    message: v1.SendSignal
    to: UserId | None


class ShowMoves(msgspec.Struct, frozen=True):
    """Answer with the moves of the match in a room."""

    room: RoomId
    after: int


class SendMissed(msgspec.Struct, frozen=True):
    """Send again what was missed."""

    wanted: ResumeFrom


class RefreshToken(msgspec.Struct, frozen=True):
    """Take a newer token."""

    token: str


class Reply(msgspec.Struct, frozen=True):
    """Send a message back at once."""

    message: v1.Pong


class Close(msgspec.Struct, frozen=True):
    """Close the connection."""

    code: CloseCode
    reason: str


Action: TypeAlias = (
    Execute
    | ShowUsers
    | ShowLobby
    | ShowRooms
    | SubscribeRooms
    | ShowFriends
    | WatchFriends
    | PassSignal
    | SendMissed
    | ShowMoves
    | RefreshToken
    | Reply
    | Close
)


class Request(msgspec.Struct, frozen=True):
    """What a frame asks for, and the id under which it wants to be answered."""

    action: Action
    id: str | None = None
