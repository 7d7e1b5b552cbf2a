"""All projections together: the in-memory state, folded from the log in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from service.domain.events.log import LogArchived
from service.domain.events.operators import OperatorActed
from service.domain.projections import (
    access,
    chat,
    invites,
    lobby,
    matches,
    matchmaking,
    nodes,
    outbox,
    presence,
    rooms,
)
from service.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.domain.events.base import Event, Position


class FoldFailed(ServiceError):
    """An event of the log cannot be folded, so that the state after it is unknown."""

    def __init__(self, position: Position, type_: str, error: Exception) -> None:
        """Name the event, and what is wrong with it."""
        super().__init__(
            f"the event at position {position} ({type_}) can't be folded: {error!r}. Start the "
            "version that wrote it, or leave this one event out, for good, by `ws-service log "
            f"skip {position} --reason TEXT`"
        )
        self.position = position


class World(msgspec.Struct):
    """State of all projections after the event at `position`."""

    position: int = 0
    presence: presence.Presence = msgspec.field(default_factory=presence.Presence)
    lobby: lobby.Lobby = msgspec.field(default_factory=lobby.Lobby)
    invites: invites.Invites = msgspec.field(default_factory=invites.Invites)
    matchmaking: matchmaking.Matchmaking = msgspec.field(default_factory=matchmaking.Matchmaking)
    rooms: rooms.Rooms = msgspec.field(default_factory=rooms.Rooms)
    matches: matches.Matches = msgspec.field(default_factory=matches.Matches)
    chat: chat.Chat = msgspec.field(default_factory=chat.Chat)
    access: access.Access = msgspec.field(default_factory=access.Access)
    outbox: outbox.Outbox = msgspec.field(default_factory=outbox.Outbox)
    nodes: nodes.Nodes = msgspec.field(default_factory=nodes.Nodes)

    def fold(self, event: Event, position: Position) -> None:
        """Fold the event at `position`, which must be the next one of the log.

        Raises `FoldFailed`; the state is inconsistent after that.
        """
        try:
            for projection, fold in _FOLDS[type(event)]:
                fold(getattr(self, projection), event, position)
        except Exception as error:
            raise FoldFailed(position, event.type, error) from error
        self.position = position


_MODULES = {
    "presence": presence,
    "lobby": lobby,
    "invites": invites,
    "matchmaking": matchmaking,
    "rooms": rooms,
    "matches": matches,
    "chat": chat,
    "access": access,
    "outbox": outbox,
    "nodes": nodes,
}


_FOLDS: dict[type[Event], list[tuple[str, Callable[[Any, Any, Position], None]]]] = {
    # Events leave the log only if the world is the same without them.
    LogArchived: [],
    # What operators have done is told by the events beside it.
    OperatorActed: [],
}


for _name, _module in _MODULES.items():
    for _event_type, _fold in _module.FOLD.items():
        _FOLDS.setdefault(_event_type, []).append((_name, _fold))
