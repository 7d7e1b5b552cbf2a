"""Messages of the lobby's page: who waits, live matches, and what is said there."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from service.domain.ids import RoomId
from service.protocol.base import ToClientMessage
from service.protocol.v1.base import V1Command
from service.protocol.v1.chat import ChatMessage


class LobbyWatch(V1Command, frozen=True, tag="lobby:watch"):
    """Asks for `lobby:history` now, and for `lobby:live` and `lobby:message` from now on."""


class LobbyUnwatch(V1Command, frozen=True, tag="lobby:unwatch"):
    """Ends what `lobby:watch` began."""


class LobbySay(V1Command, frozen=True, tag="lobby:say"):
    """Says something to all who watch the lobby; you have to be in the lobby (`lobby:join`)."""

    text: Annotated[str, msgspec.Meta(min_length=1)]


class LobbyHistory(ToClientMessage, frozen=True, tag="lobby:history"):
    """What was said in the lobby last."""

    messages: list[ChatMessage]


class LobbyMessage(ToClientMessage, frozen=True, tag="lobby:message"):
    """Something was said in the lobby."""

    message: ChatMessage


class LiveMatch(msgspec.Struct, frozen=True, rename="camel"):
    """A live match of a public room, as its spectators see it.

    `state` is null for a match that another node runs. `moves` counts those of a turn-based game,
    `remainingMs` is the time left of a match by the clock.
    """

    room_id: RoomId
    game: str
    state: Any
    scores: list[int] | None
    moves: int | None
    remaining_ms: int | None


class LobbyLive(ToClientMessage, frozen=True, tag="lobby:live"):
    """How many users wait for each game, and the most watched live matches; coalesced."""

    waiting: dict[str, int]
    matches: list[LiveMatch]
