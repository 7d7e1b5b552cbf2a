"""Commands of chat: messages and mutes."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from service.domain.commands.boundaries import UserCommand
from service.domain.errors import NodesTooOld, NotInLobby, NotInRoom, TooManyMuted, UserOffline
from service.domain.events.base import Event, room_stream
from service.domain.events.chat import ChatSaid, UserMuted
from service.domain.ids import RoomId, UserId

if TYPE_CHECKING:
    from service.domain.commands.base import Context
    from service.domain.projections.world import World


MUTED_MAX = 500
"""Maximum number of users that one user may mute."""


LOBBY_LEVEL = 3
"""The level from which nodes know messages to the lobby; older ones take them for direct ones."""


def digest_of(salt: str, text: str) -> str:
    """Return the salted hash by which the log refers to a text that is kept outside it."""
    return hashlib.sha256(f"{salt}{text}".encode()).hexdigest()


class Say(msgspec.Struct, frozen=True):
    """Send a chat message to a room, to a user, or else to the lobby."""

    author: UserId
    chat: str
    digest: str
    room: RoomId | None
    to: UserId | None

    def streams(self, _world: World) -> set[str]:
        """The room; other messages lock nothing."""
        return set() if self.room is None else {room_stream(self.room)}

    def decide(self, world: World, _context: Context) -> list[Event]:
        """Send it, if the author is in the room or in the lobby, or the recipient is online."""
        if self.room is not None and self.author not in world.rooms.get(self.room).members:
            raise NotInRoom("You are not in this room; join it first.")
        if self.to is not None and not world.presence.is_online(self.to):
            raise UserOffline
        if self.room is None and self.to is None:
            _check_lobby(self.author, world)
        return [
            ChatSaid(
                chat=self.chat, author=self.author, digest=self.digest, room=self.room, to=self.to
            )
        ]


def _check_lobby(author: UserId, world: World) -> None:
    if author not in world.lobby.members:
        raise NotInLobby
    if world.nodes.level < LOBBY_LEVEL:
        raise NodesTooOld


class Mute(UserCommand, frozen=True):
    """Mute or unmute a user."""

    target: UserId
    muted: bool

    def decide(self, world: World, _context: Context) -> list[Event]:
        """Mute or unmute them, unless nothing changes."""
        if world.chat.hears(self.user, self.target) != self.muted:
            return []
        if self.muted and len(world.chat.muted.get(self.user, ())) >= MUTED_MAX:
            raise TooManyMuted
        return [UserMuted(user=self.user, target=self.target, muted=self.muted)]
