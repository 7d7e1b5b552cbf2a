"""What the page of the lobby shows: who waits, live matches, and what is said there.

The waiting and the matches are encoded once for all who watch, and only while somebody does.
"""

from __future__ import annotations

import asyncio
from heapq import nlargest
from typing import TYPE_CHECKING, Protocol

from service.edge.feeds import broadcast_interval_s
from service.edge.frames import frame
from service.fanout.views import lobby_history
from service.protocol import v1
from service.telemetry import Metrics, note_fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.domain.ids import SocketId, UserId
    from service.domain.projections.room import Room
    from service.domain.projections.world import World
    from service.fanout.profiles import Profiles
    from service.protocol import ToClient

INTERVAL_S = 1.0
"""Time between two messages about the matches, for few who watch."""

MATCHES_MAX = 24
"""Matches that are shown with their state: the most watched ones."""


class Spectating(Protocol):
    """Shows live matches as their spectators see them."""

    def seen_by_spectators(self, room: Room, /) -> v1.LiveMatch:
        """Return the live match of a room."""


class LobbyFeed:
    """The sockets that watch the lobby, and what they are sent."""

    def __init__(
        self,
        world: World,
        profiles: Profiles,
        send: Callable[[tuple[SocketId, ...], bytes, ToClient], None],
        metrics: Metrics | None = None,
    ) -> None:
        """Broadcast by `send`."""
        self._world = world
        self._profiles = profiles
        self._send = send
        self._metrics = metrics or Metrics()
        self._watching: dict[SocketId, UserId] = {}
        self._sent = b""

    def watch(self, socket: SocketId, user: UserId) -> None:
        """Begin to send the feed to this socket, with what was said before."""
        self._watching[socket] = user
        self._sent = b""
        self._send_one(socket, lobby_history(user, self._world, self._profiles))

    def set(self, socket: SocketId, user: UserId, *, watching: bool) -> None:
        """Begin or end to send the feed to this socket."""
        if watching:
            self.watch(socket, user)
        else:
            self.unwatch(socket)

    def unwatch(self, socket: SocketId) -> None:
        """Stop sending the feed to this socket."""
        self._watching.pop(socket, None)

    def said(self, message: v1.ChatMessage) -> None:
        """Send what was said to all who watch, and have not muted its author."""
        hears, author = self._world.chat.hears, message.author.id
        sockets = tuple(one for one, user in self._watching.items() if hears(user, author))
        if sockets:
            said = v1.LobbyMessage(message)
            self._send(sockets, frame(said), said)

    async def run(self, spectating: Spectating) -> None:
        """Broadcast what has changed, for ever."""
        while True:
            sockets = len(self._watching)
            await asyncio.sleep(broadcast_interval_s(INTERVAL_S, sockets, len(self._sent)))
            if self._watching:
                self.broadcast(spectating)

    def broadcast(self, spectating: Spectating) -> None:
        """Send who waits and the live matches to all who watch, unless nothing has changed."""
        message = v1.LobbyLive(self._waiting(), self._matches(spectating))
        data = frame(message)
        if data != self._sent:
            self._sent = data
            self._send(tuple(self._watching), data, message)

    def _waiting(self) -> dict[str, int]:
        presence = self._world.presence
        return {
            game: sum(map(presence.is_connected, queue))
            for game, queue in self._world.matchmaking.queues.items()
        }

    def _matches(self, spectating: Spectating) -> list[v1.LiveMatch]:
        rooms = (
            room
            for room in self._world.rooms.rooms.values()
            if room.phase == "playing" and room.visibility == "public" and not room.locked
        )
        found: list[v1.LiveMatch] = []
        for room in nlargest(MATCHES_MAX, rooms, lambda one: (len(one.spectators), one.changed_at)):
            try:
                found.append(spectating.seen_by_spectators(room))
            except Exception as error:  # noqa: BLE001 - it costs the preview of this match alone
                note_fault(self._metrics, "feed", error, room=room.id)
        return found

    def _send_one(self, socket: SocketId, message: ToClient) -> None:
        self._send((socket,), frame(message), message)
