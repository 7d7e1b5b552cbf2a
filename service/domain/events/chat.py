"""Events of chat."""

from __future__ import annotations

from typing import ClassVar

from service.domain.events.base import Event, room_stream, user_stream
from service.domain.ids import RoomId, UserId


class ChatSaid(Event, frozen=True):
    """A user sent a chat message: to a room, to another user, or else to the lobby."""

    type: ClassVar[str] = "chat.said"
    chat: str
    """The id of the text, which is kept outside the log so that it can be erased."""
    author: UserId
    digest: str
    """The salted hash of the text, to verify the text that is kept outside the log."""
    room: RoomId | None = None
    to: UserId | None = None

    @property
    def stream(self) -> str:
        """The room's stream; the author's for a direct message, or one to the lobby."""
        return user_stream(self.author) if self.room is None else room_stream(self.room)


class UserMuted(Event, frozen=True):
    """A user muted or unmuted another user."""

    type: ClassVar[str] = "user.muted"
    user: UserId
    target: UserId
    muted: bool

    @property
    def stream(self) -> str:
        """The stream of the user who mutes."""
        return user_stream(self.user)
