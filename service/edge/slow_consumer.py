"""Slow-consumer policy: which messages a slow client is not sent, or is sent only the newest of.

Everything else, such as events, acks and the greeting, must arrive, or the client has to resume.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

from service.edge.frames import type_in, type_of
from service.protocol import classic, v1

if TYPE_CHECKING:
    from service.protocol import ToClient

ConflationKey: TypeAlias = "tuple[str, object]"
"""The type and subject of a message; of messages with the same key only the newest is kept."""

_CONFLATED: dict[str, str | None] = {
    type_of_.__struct_config__.tag: field  # type: ignore[misc]  # a tag is a text here
    for type_of_, field in {
        classic.GameUpdate: "room_id",
        classic.GameTimer: "room_id",
        classic.UserList: None,
        classic.LobbyList: None,
        classic.UserOnline: "user_id",
        classic.UserOffline: "user_id",
        classic.FriendsStatusUpdate: "user_id",
        v1.Heartbeat: None,
        v1.LobbyLive: None,
        v1.RoomState: "room_id",
        v1.RoomRemoved: "room_id",
    }.items()
}
"""Messages of which a slow client gets the newest later, and the field with their subject."""

_DROPPED: frozenset[str] = frozenset(
    message.__struct_config__.tag  # type: ignore[misc]  # a tag is a text here
    for message in (v1.Signal, v1.ServerMessage, v1.UserDiff, v1.RoomAdded, v1.RoomUpdated)
)
"""Messages that a slow client never gets; the `v` of `user:diff` tells it that one is missing."""

SKIPPABLE = frozenset(_CONFLATED) | _DROPPED
"""Types of broadcasts that are conflated or dropped for a slow client."""

_DISCARDABLE = SKIPPABLE - {
    message.__struct_config__.tag
    for message in (
        classic.UserList,
        classic.LobbyList,
        classic.FriendsStatusUpdate,
        v1.RoomState,
        v1.RoomRemoved,
        v1.UserDiff,
    )
}
"""Types that may be dropped even from the send queue: none of them is part of a greeting."""

_ROOM = re.compile(rb'"roomId":"([^"]*)"')
_ROOM_WITHIN = 256


def is_discardable(frame: bytes) -> bool:
    """Tell whether a frame in the send queue may be dropped when there is no room for it."""
    return type_in(frame) in _DISCARDABLE


def conflation_key_in(frame: bytes) -> ConflationKey | None:
    """Return the key of a message in its frame, as far as the frame shows it."""
    type_ = type_in(frame)
    if type_ not in _CONFLATED:
        return None
    room = _ROOM.search(frame, 0, _ROOM_WITHIN) if _CONFLATED[type_] == "room_id" else None
    return type_, frame if room is None and _CONFLATED[type_] else room and room[1].decode()


def conflation_key(message: ToClient) -> ConflationKey | None:
    """Return the key of a message; None if a newer one does not replace it."""
    type_ = type_of(message)
    if type_ not in _CONFLATED:
        return None
    field = _CONFLATED[type_]
    return type_, None if field is None else getattr(message, field)
