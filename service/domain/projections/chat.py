"""Projection of chat: its state, and how it folds events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from service.domain.events.base import Position
from service.domain.events.chat import ChatSaid, UserMuted
from service.domain.events.rooms import RoomClosed
from service.domain.ids import RoomId, UserId

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


HISTORY_MAX = 50
"""Number of messages in a room's history, which is shown to users who join."""


MUTERS_MAX = 100_000
"""Maximum number of users whose mutes are kept; the least recently changed are evicted."""


class ChatLine(msgspec.Struct, frozen=True):
    """A message in a room's history; its text is kept outside the log."""

    chat: str
    author: UserId


class Chat(msgspec.Struct):
    """The latest messages of each room and of the lobby, and the users that each has muted."""

    rooms: dict[RoomId, list[ChatLine]] = {}
    muted: dict[UserId, dict[UserId, None]] = {}
    lobby: list[ChatLine] = []

    @property
    def lines(self) -> Iterator[ChatLine]:
        """All messages of the histories."""
        yield from self.lobby
        for lines in self.rooms.values():
            yield from lines

    def hears(self, user: UserId, author: UserId) -> bool:
        """Return whether `user` has not muted `author`."""
        return author not in self.muted.get(user, ())

    def muters_of(self, author: UserId, users: Iterable[UserId]) -> list[UserId]:
        """Return those of `users` who have muted `author`."""
        return [user for user in users if not self.hears(user, author)]

    def on_chat_said(self, event: ChatSaid, _position: Position) -> None:
        """Append a message to the room's history; direct messages have none."""
        if event.to is None:
            room = event.room
            lines = self.lobby if room is None else self.rooms.setdefault(room, [])
            lines.append(ChatLine(event.chat, event.author))
            del lines[:-HISTORY_MAX]

    def on_user_muted(self, event: UserMuted, _position: Position) -> None:
        """Record the mute or its end."""
        muted = self.muted.pop(event.user, {})
        if event.muted:
            muted[event.target] = None
        else:
            muted.pop(event.target, None)
        if muted:
            self.muted[event.user] = muted
        if len(self.muted) > MUTERS_MAX:
            del self.muted[next(iter(self.muted))]

    def on_room_closed(self, event: RoomClosed, _position: Position) -> None:
        """Drop the room's history."""
        self.rooms.pop(event.room, None)


FOLD = {
    ChatSaid: Chat.on_chat_said,
    UserMuted: Chat.on_user_muted,
    RoomClosed: Chat.on_room_closed,
}
