"""Lists for clients without protocol v1, which get them whole, at most once per interval."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from service.edge.dialect import CLASSIC, SOCKET_IO
from service.edge.feeds import broadcast_interval_s
from service.fanout.audience import lobby_sockets
from service.fanout.views import lobby_list, user_list
from service.protocol import classic

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.domain.projections.world import World
    from service.edge.connection import Connection
    from service.edge.dialect import Dialect
    from service.edge.recipients import RecipientIndex, Recipients
    from service.fanout.profiles import Profiles
    from service.protocol import ToClient

LIST_ENTRY_BYTES = 32
"""Approximate length of one user's entry in the encoded list."""


class ClassicLists:
    """The lists of users and of the lobby: broadcasts those that have changed, coalesced."""

    def __init__(
        self,
        world: World,
        profiles: Profiles,
        index: RecipientIndex,
        interval_s: float,
        send: Callable[[list[Connection], bytes, ToClient], None],
    ) -> None:
        """Broadcast by `send` at most every `interval_s`, less often to many connections."""
        self._world = world
        self._profiles = profiles
        self._index = index
        self._interval_s = interval_s
        self._send = send
        self._changed: set[str] = set()
        self._user_lists: dict[Dialect, bytes] = {}
        """Encoded lists of users, valid until a user comes, goes or changes."""

    def user_list(self, dialect: Dialect) -> bytes:
        """Return the frame with all users who are online."""
        if dialect not in self._user_lists:
            self._user_lists[dialect] = dialect.frame(user_list(self._world, self._profiles))
        return self._user_lists[dialect]

    def on_user_changed(self) -> None:
        """Invalidate the encoded lists of users."""
        self._user_lists.clear()

    def refresh(self, list_: str) -> None:
        """Broadcast `user:list` or `lobby:list` when the interval is over."""
        if not self._changed:
            asyncio.get_running_loop().call_later(self._pause_s(), self._broadcast)
        self._changed.add(list_)

    def _pause_s(self) -> float:
        bytes_ = LIST_ENTRY_BYTES * len(self._world.presence.sockets)
        return broadcast_interval_s(self._interval_s, len(self._index.connections), bytes_)

    def _broadcast(self) -> None:
        changed, self._changed = self._changed, set()
        if "user:list" in changed:
            everybody = self._index.everyone()
            # `send` looks at the type alone: the frames hold the users.
            self._send_each(everybody, self.user_list, classic.UserList([]))
        if "lobby:list" in changed:
            lobby = lobby_list(self._world, self._profiles)
            members = self._index.resolve(lobby_sockets(self._world))
            self._send_each(members, lambda dialect: dialect.frame(lobby), lobby)

    def _send_each(
        self, recipients: Recipients, frame_in: Callable[[Dialect], bytes], message: ToClient
    ) -> None:
        if recipients.classic:
            self._send(recipients.classic, frame_in(CLASSIC), message)
        if recipients.socketio:
            self._send(recipients.socketio, frame_in(SOCKET_IO), message)
