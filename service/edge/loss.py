"""Slow-consumer policy: which messages may be dropped for a slow client.

Everything else, such as events, acks and the greeting, has to arrive, or the client must resume.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

from service.edge.frames import type_in, type_of
from service.protocol import classic, v1

if TYPE_CHECKING:
    from service.protocol import ToClient

Kind: TypeAlias = "tuple[str, object]"
"""The type of a message, and what it is about: a newer message of a kind replaces an older one."""

_REPLACED: dict[str, str | None] = {
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
        v1.RoomState: "room_id",
        v1.RoomRemoved: "room_id",
    }.items()
}
"""Messages of which a slow socket gets the newest later, and the field that says what of."""

_DROPPED: frozenset[str] = frozenset(
    message.__struct_config__.tag  # type: ignore[misc]  # a tag is a text here
    for message in (v1.Signal, v1.ServerMessage, v1.UserDiff, v1.RoomAdded, v1.RoomUpdated)
)
"""Messages that are gone for a slow socket; `user:diff` shows by its `v` that one was missed."""

MAY_BE_MISSED = frozenset(_REPLACED) | _DROPPED
"""What is held back or dropped for a socket that is slow, when it is told to many."""

_LOSSES = MAY_BE_MISSED - {
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
"""What is so even when it was queued for one socket alone: none of it is part of a greeting."""

_ROOM = re.compile(rb'"roomId":"([^"]*)"')
_ROOM_WITHIN = 256


def is_loss(frame: bytes) -> bool:
    """Tell whether a client can do without this frame, when there is no room for it."""
    return type_in(frame) in _LOSSES


def kind_in(frame: bytes) -> Kind | None:
    """Return the kind of a message in its frame, as far as it can be seen there."""
    type_ = type_in(frame)
    if type_ not in _REPLACED:
        return None
    room = _ROOM.search(frame, 0, _ROOM_WITHIN) if _REPLACED[type_] == "room_id" else None
    return type_, frame if room is None and _REPLACED[type_] else room and room[1].decode()


def kind_of(message: ToClient) -> Kind | None:
    """Return what a newer message of this one's kind replaces; None when nothing does."""
    type_ = type_of(message)
    if type_ not in _REPLACED:
        return None
    field = _REPLACED[type_]
    return type_, None if field is None else getattr(message, field)
