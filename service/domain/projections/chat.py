"""Projection of chat: its state, and how it folds events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from service.domain.events.base import Position
from service.domain.events.chat import ChatSaid, UserMuted
from service.domain.events.rooms import RoomClosed
from service.domain.ids import RoomId, UserId

if TYPE_CHECKING:
    from collections.abc import Iterable


HISTORY_MAX = 50
"""How many lines of a room are shown to who comes in."""


MUTERS_MAX = 100_000
"""How many users' mutes are remembered; the oldest are forgotten."""


class ChatLine(msgspec.Struct, frozen=True):
    """Something that was said in a room."""

    chat: str
    author: UserId


class Chat(msgspec.Struct):
    """The last lines of each room, and who has muted whom."""

    rooms: dict[RoomId, list[ChatLine]] = {}
    muted: dict[UserId, dict[UserId, None]] = {}

    def hears(self, user: UserId, author: UserId) -> bool:
        """Tell whether `user` wants to hear of `author`."""
        return author not in self.muted.get(user, ())

    def muters_of(self, author: UserId, users: Iterable[UserId]) -> list[UserId]:
        """Return those of `users` who do not want to hear of `author`."""
        return [user for user in users if not self.hears(user, author)]

    def on_chat_said(self, event: ChatSaid, _position: Position) -> None:
        """Remember what was said in a room."""
        if event.room is not None:
            lines = self.rooms.setdefault(event.room, [])
            lines.append(ChatLine(event.chat, event.author))
            del lines[:-HISTORY_MAX]

    def on_user_muted(self, event: UserMuted, _position: Position) -> None:
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

    def on_room_closed(self, event: RoomClosed, _position: Position) -> None:
        """Forget what was said there."""
        self.rooms.pop(event.room, None)


FOLD = {
    ChatSaid: Chat.on_chat_said,
    UserMuted: Chat.on_user_muted,
    RoomClosed: Chat.on_room_closed,
}
