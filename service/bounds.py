"""Compute upper bounds on the memory that clients can make the service use.

Each row includes the overhead of Python objects. `ws-service settings` prints the rows, and the
test campaign of a hostile user compares the memory of the service with their sum.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from service.domain.commands.chat import MUTED_MAX
from service.domain.ids import USER_ID_LENGTH_MAX
from service.domain.projections.chat import HISTORY_MAX
from service.games.catalogue import GAMES
from service.runtime.idempotency import RESULTS_PER_USER_MAX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.settings import Settings

Scope: TypeAlias = Literal["user", "service"]

TEXT_BYTES = 50
"""The overhead of a `str`, in addition to its characters."""

ENTRY_BYTES = 250
"""An entry of a set or a dictionary, with a small object in it."""

PARSED_PER_BYTE = 25
"""The memory of decoded JSON per byte of its text; the worst case is many empty lists."""

UTF8_BYTES_MAX = 4

_ID_BYTES = USER_ID_LENGTH_MAX * UTF8_BYTES_MAX + TEXT_BYTES + ENTRY_BYTES

CONNECTION_BYTES = 64 * 1024
"""A socket with its parsers, task and session, without its buffers."""

READ_AHEAD_BYTES = 256 * 1024
"""The most that is read from a socket ahead of a pending command, before reading is paused."""


class Bound(msgspec.Struct, frozen=True):
    """One memory bound: what grows, and its limit per user and in total."""

    what: str
    scope: Scope
    """Whether this is the limit for each user, or for all together."""
    limits: tuple[str, ...]
    """The environment variables that it follows from."""
    bytes: int


def bounds(settings: Settings) -> list[Bound]:
    """Return all rows."""
    return [*_of_a_user(settings), *_of_all(settings)]


def total_of(rows: list[Bound], users: int = 1) -> int:
    """Return the sum in bytes for so many users, in addition to what the service needs anyway."""
    return sum(row.bytes * (users if row.scope == "user" else 1) for row in rows)


def _of_a_user(settings: Settings) -> Iterator[Bound]:
    sockets = settings.rules.sockets_per_user_max
    session, user, times = settings.connections.session, settings.connections.user, settings.times

    def row(what: str, bytes_: float, *limits: str) -> Bound:
        return Bound(what, "user", limits, int(bytes_))

    yield row(
        "unsent messages of sockets",
        sockets * (2 * settings.connections.slow.bytes_max),
        "WS_SOCKETS_PER_USER_MAX",
        "WS_SLOW_BYTES_MAX",
    )
    yield row(
        "sockets and their read buffers",
        sockets * (CONNECTION_BYTES + READ_AHEAD_BYTES + 3 * session.message_bytes_max),
        "WS_SOCKETS_PER_USER_MAX",
        "WS_MESSAGE_BYTES_MAX",
    )
    yield row(
        "watched friends",
        sockets * session.friends_max * 2 * _ID_BYTES,
        "WS_SOCKETS_PER_USER_MAX",
        "WS_FRIENDS_MAX",
    )
    yield row("muted users", MUTED_MAX * _ID_BYTES)
    yield row("results of commands", RESULTS_PER_USER_MAX * 4 * ENTRY_BYTES)
    yield row(
        "invites and cooldowns",
        (
            user.invites_burst
            + user.invites_per_min * (times.invite_ttl_s + times.invite_cooldown_s) / 60
        )
        * 2
        * ENTRY_BYTES,
        "WS_INVITES_PER_MIN",
        "WS_INVITES_BURST",
        "WS_INVITE_TTL_S",
        "WS_INVITE_COOLDOWN_S",
    )
    yield row("places in queues", len(GAMES) * ENTRY_BYTES)
    yield row(
        "rooms, their options, metadata and chat",
        _rooms_of_a_user(settings) * _room_bytes(settings),
        "WS_ROOMS_MADE_PER_MIN",
        "WS_ROOMS_MADE_BURST",
        "WS_ROOMS_PER_USER_MAX",
        "WS_ROOM_EMPTY_S",
        "WS_ROOM_BYTES_MAX",
        "WS_CHAT_LENGTH_MAX",
    )
    yield row(
        "messages kept for a resume",
        settings.backlog.bytes_per_user_max + session.message_bytes_max,
        "WS_TAIL_BYTES_PER_USER_MAX",
    )
    yield row(
        "appends in the queue of the log",
        8 * (user.logged_bytes_burst + user.logged_bytes_per_s),
        "WS_LOGGED_BYTES_BURST",
        "WS_LOGGED_BYTES_PER_S",
    )


def _rooms_of_a_user(settings: Settings) -> float:
    """Return the maximum number of rooms of one user, including empty ones not yet closed."""
    user = settings.connections.user
    lingering = user.rooms_made_per_min * settings.times.room_empty_s / 60
    return 1 + settings.rules.rooms_per_user_max + user.rooms_made_burst + lingering


def _room_bytes(settings: Settings) -> float:
    session = settings.connections.session
    chat = HISTORY_MAX * (session.chat_length_max * UTF8_BYTES_MAX + 2 * ENTRY_BYTES)
    return 2 * session.room_bytes_max * PARSED_PER_BYTE + chat + 20 * ENTRY_BYTES


def _of_all(settings: Settings) -> Iterator[Bound]:
    yield Bound(
        "messages kept for a resume, of all users",
        "service",
        ("WS_TAIL_BYTES_MAX",),
        settings.backlog.bytes_max,
    )
    yield Bound(
        "delayed messages for spectators",
        "service",
        ("WS_DELAYED_BYTES_MAX",),
        settings.broadcasts.delayed_bytes_max,
    )
