"""Broadcast list changes to v1 clients as diffs, coalesced and encoded once.

They carry `v` and no position: a client that misses one needs a new snapshot.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from service.edge.frames import frame
from service.fanout.views import room_state, room_summary, user_entry
from service.protocol import v1
from service.telemetry import Metrics, note_fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.domain.ids import RoomId, SocketId, UserId
    from service.domain.projections.world import World
    from service.fanout.profiles import Profiles
    from service.protocol import ToClient


BROADCAST_CPU_SHARE_MAX = 0.1
"""Maximum share of a core for presence broadcasts; matches need the rest."""

SEND_S = 10e-6
"""Approximate time to write to one socket, in seconds."""

SEND_BYTE_S = 1e-9
"""Approximate time per byte written to one socket, in seconds."""


CHANGES_KEPT_MIN = 100
"""Minimum number of changes kept after a snapshot, however few users there are."""


def broadcast_interval_s(least_s: float, sockets: int, bytes_: int = 0) -> float:
    """Return the interval between two broadcasts of `bytes_` to `sockets`, in seconds.

    It is `least_s` for few sockets, and longer for many, whose broadcasts would block the loop.
    """
    return max(least_s, sockets * (SEND_S + bytes_ * SEND_BYTE_S) / BROADCAST_CPU_SHARE_MAX)


class UserFeed:
    """The users who are online: a snapshot, and the changes since.

    A new client gets the last snapshot and the changes after it, as they were encoded for all.
    A new snapshot is made when the changes are as many as its users. So the entries that are ever
    encoded grow with the changes, not with changes times users.
    """

    def __init__(
        self,
        world: World,
        profiles: Profiles,
        pause_s: Callable[[], float],
        send: Callable[[bytes, ToClient], None],
        metrics: Metrics | None = None,
    ) -> None:
        """Broadcast by `send`, with pauses of `pause_s()` in which changes are coalesced."""
        self._world = world
        self._profiles = profiles
        self._metrics = metrics or Metrics()
        self._pause_s = pause_s
        self._send = send
        self._shown: dict[UserId, v1.UserEntry] = {}
        self._changed: set[UserId] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._frames: list[bytes] = []
        """The frames of the snapshot and of the changes since."""
        self._joined: tuple[bytes, int] | None = None
        """All frames in one, and how many they are; None after a change."""
        self._changes = 0
        self.v = 0
        self.entries_encoded = 0

    def start(self) -> None:
        """Take the first snapshot."""
        self._changed = set(self._world.presence.sockets)
        self._update()
        self._take_snapshot()

    def change(self, user: UserId) -> None:
        """Broadcast the entry of this user soon."""
        self._changed.add(user)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._pause_s(), self._broadcast)

    def frames(self) -> list[bytes]:
        """Return the frames that bring a new client to the current `v`."""
        if self._changes > len(self._shown):
            self._take_snapshot()
        return self._frames

    def joined(self) -> tuple[bytes, int]:
        """Return the same frames in one piece, which all clients share, and how many they are."""
        frames = self.frames()
        if self._joined is None:
            self._joined = b"".join(frames), len(frames)
        return self._joined

    def _broadcast(self) -> None:
        self._timer = None
        diff = self._update()
        if diff is not None:
            data = frame(diff)
            self._frames.append(data)
            self._joined = None
            self._send(data, diff)
            if self._changes > len(self._shown) + CHANGES_KEPT_MIN:
                # `frames` has not been called for a while, which would have taken one.
                self._take_snapshot()

    def _update(self) -> v1.UserDiff | None:
        """Return the changes since the last call, or None if there are none."""
        joins: list[v1.UserEntry] = []
        leaves: list[UserId] = []
        updates: list[v1.UserEntry] = []
        for user in self._changed:
            before = self._shown.get(user)
            try:
                now = user_entry(user, self._world, self._profiles)
            except Exception as error:  # noqa: BLE001 - it costs the update of this user alone
                note_fault(self._metrics, "feed", error, user=user)
                continue
            if now == before:
                continue
            if now is None:
                del self._shown[user]
                leaves.append(user)
            else:
                self._shown[user] = now
                (joins if before is None else updates).append(now)
        self._changed = set()
        count = len(joins) + len(leaves) + len(updates)
        if not count:
            return None
        self._changes += count
        self.entries_encoded += count
        self.v += 1
        return v1.UserDiff(self.v, joins, leaves, updates)

    def _take_snapshot(self) -> None:
        self._frames = [frame(v1.UserList(list(self._shown.values()), self.v))]
        self._joined = None
        self._changes = 0
        self.entries_encoded += len(self._shown)


class RoomFeed:
    """The changes of rooms, for their members and for subscribers of the list of rooms."""

    def __init__(
        self,
        world: World,
        profiles: Profiles,
        interval_s: float,
        send: Callable[[tuple[SocketId, ...], bytes, ToClient], None],
        metrics: Metrics | None = None,
    ) -> None:
        """Broadcast by `send`, at most every `interval_s`."""
        self._world = world
        self._profiles = profiles
        self._metrics = metrics or Metrics()
        self._interval_s = interval_s
        self._send = send
        self._subscribers: dict[SocketId, str | None] = {}
        self._listed: dict[RoomId, str] = {}
        """The listed rooms, and the game of each."""
        self._changed: set[RoomId] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._cost_s = 0.0
        """Approximate cost of the last broadcast; the next one waits accordingly."""

    def start(self) -> None:
        """Take the first snapshot."""
        self._listed = {
            room.id: room.game
            for room in self._world.rooms.rooms.values()
            if room.visibility != "private"
        }
        self._changed = set()

    def change(self, room: RoomId) -> None:
        """Broadcast the state of this room soon."""
        self._changed.add(room)
        if self._timer is None:
            pause_s = max(self._interval_s, self._cost_s / BROADCAST_CPU_SHARE_MAX)
            self._timer = asyncio.get_running_loop().call_later(pause_s, self._broadcast)

    def subscribe(self, socket: SocketId, game: str | None) -> None:
        """Send the changes of all listed rooms to this socket, or of those of one game."""
        self._subscribers[socket] = game

    def unsubscribe(self, socket: SocketId) -> None:
        """End the subscription of this socket."""
        self._subscribers.pop(socket, None)

    def _broadcast(self) -> None:
        self._timer = None
        self._cost_s = 0.0
        changed, self._changed = self._changed, set()
        for room_id in changed:
            try:
                self._broadcast_room(room_id)
            except Exception as error:  # noqa: BLE001 - it costs the update of this room alone
                note_fault(self._metrics, "feed", error, room=room_id)

    def _broadcast_room(self, room_id: RoomId) -> None:
        room = self._world.rooms.rooms.get(room_id)
        if room is not None and room.sockets:
            state = room_state(room, self._world, self._profiles)
            self._send_counted(tuple(room.sockets), state)
        self._send_to_subscribers(room_id)

    def _send_to_subscribers(self, room_id: RoomId) -> None:
        room = self._world.rooms.rooms.get(room_id)
        before = self._listed.pop(room_id, None)
        message: v1.RoomAdded | v1.RoomUpdated | v1.RoomRemoved
        if room is None or room.visibility == "private":
            if before is None:
                return
            game = before
            message = v1.RoomRemoved(room_id)
        else:
            game = self._listed[room_id] = room.game
            summary = room_summary(room, self._profiles)
            message = v1.RoomAdded(summary) if before is None else v1.RoomUpdated(summary)
        recipients = tuple(
            socket for socket, wanted in self._subscribers.items() if wanted in {None, game}
        )
        if recipients:
            self._send_counted(recipients, message)

    def _send_counted(self, sockets: tuple[SocketId, ...], message: ToClient) -> None:
        data = frame(message)
        self._cost_s += len(sockets) * (SEND_S + len(data) * SEND_BYTE_S)
        self._send(sockets, data, message)
