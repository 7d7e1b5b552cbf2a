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
    """The last position that a client has received, and the epoch of the log that it belongs to."""

    position: Position
    epoch: str


class Execute(msgspec.Struct, frozen=True):
    """Execute a command, to answer `message`."""

    command: Command
    message: FromClient
    personal_data: PersonalData = NO_PERSONAL_DATA
    password: str | None = None
    """The password to hash before `command` is decided; it is no part of the command."""


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
    """Begin or end to send changes of the list of rooms."""

    game: str | None
    wanted: bool


class WatchLobby(msgspec.Struct, frozen=True):
    """Begin or end to send what the page of the lobby shows."""

    wanted: bool


class ShowFriends(msgspec.Struct, frozen=True):
    """Answer with the status of the user's friends, as the user service knows them."""

    id: str | None
    """The id to acknowledge when the user service has answered."""


class WatchFriends(msgspec.Struct, frozen=True):
    """Answer with the status of these users, and send each change from now on."""

    friends: frozenset[UserId]


class RelaySignal(msgspec.Struct, frozen=True):
    """Relay a signal, which is not logged."""

    message: v1.SendSignal
    to: UserId | None


class SetFrameHz(msgspec.Struct, frozen=True):
    """Send the states of live matches at another frame rate."""

    frame_hz: int


class ShowMoves(msgspec.Struct, frozen=True):
    """Answer with the moves of the match in a room."""

    room: RoomId
    after: int


class Resume(msgspec.Struct, frozen=True):
    """Send the messages after a position again."""

    wanted: ResumeFrom


class RefreshToken(msgspec.Struct, frozen=True):
    """Replace the token of the connection by a newer one."""

    token: str


class Reply(msgspec.Struct, frozen=True):
    """Send a message back."""

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
    | WatchLobby
    | SetFrameHz
    | ShowFriends
    | WatchFriends
    | RelaySignal
    | Resume
    | ShowMoves
    | RefreshToken
    | Reply
    | Close
)


class Request(msgspec.Struct, frozen=True):
    """The action that a frame asks for, and the id of its message."""

    action: Action
    id: str | None = None
