"""Identifiers in events and on the wire."""

from __future__ import annotations

import re
from typing import Annotated, TypeAlias

import msgspec

UserId: TypeAlias = int | str
"""An integer from 1 to 2^53-1, or any other text of at most 128 characters."""


SocketId: TypeAlias = str
"""`node.incarnation.number`: a fold sees which incarnation of which node owns the socket."""


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
    """Return a user id in its canonical form; raise `ValueError` for anything else.

    Digit strings without a leading zero, up to 2^53-1, are integers, so that `7` and `"7"` are one
    user.
    """
    if isinstance(raw, str) and _DIGITS.fullmatch(raw) and int(raw) <= USER_ID_MAX:
        return int(raw)
    if isinstance(raw, str) and 1 <= len(raw) <= USER_ID_LENGTH_MAX:
        return raw
    if isinstance(raw, int) and not isinstance(raw, bool) and 1 <= raw <= USER_ID_MAX:
        return raw
    message = "a user id is an integer from 1 to 2^53-1 or a text of 1 to 128 characters"
    raise ValueError(message)


_BOT = re.compile(r"bot:([a-z]{1,32}):([1-9])")


def bot_id(name: str, level: int) -> UserId:
    """Return the user id of a bot of the service: `bot:<name>:<level>`."""
    return f"bot:{name}:{level}"


def is_bot(user: UserId | None) -> bool:
    """Return whether this is a bot of the service, and nobody who could have a socket."""
    # Most ids are refused by the prefix.
    return isinstance(user, str) and user.startswith("bot:") and _BOT.fullmatch(user) is not None


def bot_level(user: UserId | None) -> int | None:
    """Return how strong a bot is, from 1; None for anybody else."""
    found = _BOT.fullmatch(user) if isinstance(user, str) else None
    return None if found is None else int(found[2])


def bot_name(user: UserId) -> str:
    """Return the name in the id of a bot."""
    return str(user).split(":")[1]


class Owner(msgspec.Struct, frozen=True, gc=False):
    """An incarnation of a node, as the owner of a room."""

    node: str
    incarnation: int


def opening_order(socket: SocketId) -> tuple[int, str, int, str]:
    """Return a sort key: the sockets of one node in the order in which they were opened."""
    _, incarnation, number = socket.rsplit(".", 2)
    return len(incarnation), incarnation, len(number), number


def opened_on(socket: SocketId, node: str) -> bool:
    """Return whether `socket` belongs to any incarnation of `node`."""
    return socket.rsplit(".", 2)[0] == node


def opened_until(socket: SocketId, node: str, incarnation: int) -> bool:
    """Return whether `socket` belongs to this incarnation of `node`, or to an earlier one."""
    name, number, _ = socket.rsplit(".", 2)
    return name == node and int(number) <= incarnation


def node_of(socket: SocketId) -> Owner:
    """Return the incarnation of the node that `socket` was opened on."""
    name, number, _ = socket.rsplit(".", 2)
    return Owner(name, int(number))
