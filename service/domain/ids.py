"""Identifiers, as they stand in events and on the wire."""

from __future__ import annotations

import re
from typing import Annotated, TypeAlias

import msgspec

UserId: TypeAlias = int | str
"""An integer from 1 to 2^53-1, or any other text of at most 128 characters."""


SocketId: TypeAlias = str
"""`node.incarnation.number`, so that a fold sees which life of which node a socket belongs to."""


RoomId: TypeAlias = str


MatchId: TypeAlias = str


USER_ID_MAX = 2**53 - 1


USER_ID_LENGTH_MAX = 128


WireUserId: TypeAlias = (
    Annotated[int, msgspec.Meta(ge=1, le=USER_ID_MAX)]
    | Annotated[str, msgspec.Meta(min_length=1, max_length=USER_ID_LENGTH_MAX)]
)
"""A user id as a client may write it; `parse_user_id` makes a `UserId` of it."""


_DIGITS = re.compile(r"[1-9][0-9]{0,15}")


def parse_user_id(raw: object) -> UserId:
    """Make the one form of a user id; raise `ValueError` for what can't be one."""
    if isinstance(raw, str) and _DIGITS.fullmatch(raw) and int(raw) <= USER_ID_MAX:
        return int(raw)
    if isinstance(raw, str) and 1 <= len(raw) <= USER_ID_LENGTH_MAX:
        return raw
    if isinstance(raw, int) and not isinstance(raw, bool) and 1 <= raw <= USER_ID_MAX:
        return raw
    message = "a user id is an integer from 1 to 2^53-1 or a text of 1 to 128 characters"
    raise ValueError(message)


def opening_order(socket: SocketId) -> tuple[int, str, int, str]:
    """Sort the sockets of one node in the order in which they were opened."""
    _, incarnation, number = socket.rsplit(".", 2)
    return len(incarnation), incarnation, len(number), number


def opened_on(socket: SocketId, node: str) -> bool:
    """Tell whether `socket` belongs to some life of `node`."""
    return socket.rsplit(".", 2)[0] == node
