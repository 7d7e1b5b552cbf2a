"""Chat: what was said in rooms and between users, and who does not want to hear whom.

The log has who said something where; the text itself stands beside it, so that it can be erased.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, ClassVar

import msgspec

from service.domain.event import Event, Position, room_stream, user_stream
from service.domain.ids import RoomId, UserId
from service.domain.presence import UserOffline
from service.domain.rooms import NotInRoom, RoomClosed
from service.errors import ClientError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from service.domain.command import Context
    from service.domain.world import World

HISTORY_MAX = 50
"""How many lines of a room are shown to who comes in."""

MUTED_MAX = 500
"""How many users one user may mute."""

MUTERS_MAX = 100_000
"""How many users' mutes are remembered; the oldest are forgotten."""


class TooManyMuted(ClientError):
    """You have muted as many users as one may; hear one of them again first."""

    code = "TOO_MANY_MUTED"


class ChatSaid(Event, frozen=True):
    """A user said something, to a room or to another user."""

    type: ClassVar[str] = "chat.said"
    chat: str
    """The id of its text."""
    author: UserId
    digest: str
    """The salted hash of the text, by which a text beside the log can be checked."""
    room: RoomId | None = None
    to: UserId | None = None

    @property
    def stream(self) -> str:
        """The room's stream, or the author's."""
        return user_stream(self.author) if self.room is None else room_stream(self.room)


class UserMuted(Event, frozen=True):
    """A user wants to hear no more of another, or to hear him again."""

    type: ClassVar[str] = "user.muted"
    user: UserId
    target: UserId
    muted: bool

    @property
    def stream(self) -> str:
        """The stream of the user who mutes."""
        return user_stream(self.user)


class Line(msgspec.Struct, frozen=True):
    """Something that was said in a room."""

    chat: str
    author: UserId


class Chat(msgspec.Struct):
    """The last lines of each room, and who has muted whom."""

    rooms: dict[RoomId, list[Line]] = {}
    muted: dict[UserId, dict[UserId, None]] = {}

    def hears(self, user: UserId, author: UserId) -> bool:
        """Tell whether `user` wants to hear of `author`."""
        return author not in self.muted.get(user, ())

    def muters_of(self, author: UserId, users: Iterable[UserId]) -> list[UserId]:
        """Return those of `users` who do not want to hear of `author`."""
        return [user for user in users if not self.hears(user, author)]

    def said(self, event: ChatSaid, _position: Position) -> None:
        """Remember what was said in a room."""
        if event.room is not None:
            lines = self.rooms.setdefault(event.room, [])
            lines.append(Line(event.chat, event.author))
            del lines[:-HISTORY_MAX]

    def mute(self, event: UserMuted, _position: Position) -> None:
        """Note it."""
        muted = self.muted.pop(event.user, {})
        if event.muted:
            muted[event.target] = None
        else:
            muted.pop(event.target, None)
        if muted:
            self.muted[event.user] = muted
        if len(self.muted) > MUTERS_MAX:
            del self.muted[next(iter(self.muted))]

    def room_closed(self, event: RoomClosed, _position: Position) -> None:
        """Forget what was said there."""
        self.rooms.pop(event.room, None)


def digest_of(salt: str, text: str) -> str:
    """Return the digest that stands in the log for a text, which is itself kept beside it."""
    return hashlib.sha256(f"{salt}{text}".encode()).hexdigest()


class Say(msgspec.Struct, frozen=True):
    """Say something to a room, or to a user."""

    author: UserId
    chat: str
    digest: str
    room: RoomId | None
    to: UserId | None

    def streams(self, _world: World) -> set[str]:
        """The room; what is said to a user depends on nothing that changes."""
        return set() if self.room is None else {room_stream(self.room)}

    def decide(self, world: World, _context: Context) -> list[Event]:
        """Say it, to a room that one is in, or to a user who can hear it."""
        if self.room is not None and self.author not in world.rooms.get(self.room).members:
            raise NotInRoom("You are not in this room.")
        if self.to is not None and not world.presence.is_online(self.to):
            raise UserOffline("That user is not online.")
        return [
            ChatSaid(
                chat=self.chat, author=self.author, digest=self.digest, room=self.room, to=self.to
            )
        ]


class Mute(msgspec.Struct, frozen=True):
    """Hear no more of a user, or hear him again."""

    user: UserId
    target: UserId
    muted: bool

    def streams(self, _world: World) -> set[str]:
        """The user."""
        return {user_stream(self.user)}

    def decide(self, world: World, _context: Context) -> list[Event]:
        """Note it, if it is not so already."""
        if world.chat.hears(self.user, self.target) != self.muted:
            return []
        if self.muted and len(world.chat.muted.get(self.user, ())) >= MUTED_MAX:
            raise TooManyMuted
        return [UserMuted(user=self.user, target=self.target, muted=self.muted)]


FOLD = {
    ChatSaid: Chat.said,
    UserMuted: Chat.mute,
    RoomClosed: Chat.room_closed,
}
