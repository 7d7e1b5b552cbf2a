"""Events of chat."""

from __future__ import annotations

from typing import ClassVar

from service.domain.events.base import Event, room_stream, user_stream
from service.domain.ids import RoomId, UserId


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
    """A user wants to hear no more of another, or to hear them again."""

    type: ClassVar[str] = "user.muted"
    user: UserId
    target: UserId
    muted: bool

    @property
    def stream(self) -> str:
        """The stream of the user who mutes."""
        return user_stream(self.user)
