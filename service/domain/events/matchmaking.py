"""Events of matchmaking."""

from __future__ import annotations

from typing import ClassVar

from service.domain.events.base import Event, user_stream
from service.domain.ids import UserId


class _QueueEvent(Event, frozen=True):
    user: UserId
    game: str

    @property
    def stream(self) -> str:
        """The user's own stream."""
        return user_stream(self.user)


class SearchStarted(_QueueEvent, frozen=True):
    """A user joined the queue of a game."""

    type: ClassVar[str] = "search.started"


class SearchCancelled(_QueueEvent, frozen=True):
    """A user left the queue."""

    type: ClassVar[str] = "search.cancelled"


class SearchBotOffered(_QueueEvent, frozen=True):
    """No opponent was found for a while, and the user was offered a bot."""

    type: ClassVar[str] = "search.bot_offered"
    needs_level: ClassVar[int] = 3
    levels: int
    """How many levels of strength the bots of the game have."""


class SearchGaveUp(_QueueEvent, frozen=True):
    """No opponent was found before the timeout."""

    type: ClassVar[str] = "search.gave_up"
