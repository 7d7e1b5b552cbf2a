"""Bound the memory of frames delayed for spectators (`spectator_delay_s`); pure.

What waits is bounded for all rooms together and for each. States of a room that uses much of its
share are thinned out first, so that its spectators see it less smoothly, but from beginning to end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.domain.ids import RoomId

ROOM_SHARE = 16
"""One room may use this part of the whole."""

THINNED_TO = 6
"""Of this many states one is kept, when a room has used half of its share."""

ENTRY_BYTES = 500
"""About what a frame that waits takes in memory beside its bytes."""


class Delays:
    """Counts what waits."""

    def __init__(self, bytes_max: int) -> None:
        """Let at most so much wait."""
        self._bytes_max = bytes_max
        self._of_rooms: dict[RoomId, int] = {}
        self._states = 0
        self.bytes = 0
        """What waits now."""

    def take(self, room: RoomId, size: int, *, is_state: bool) -> bool:
        """Let a frame of so many bytes wait, or tell that it has to be dropped."""
        share = self._bytes_max // ROOM_SHARE
        used = self._of_rooms.get(room, 0)
        if is_state and used > share // 2:
            self._states += 1
            if self._states % THINNED_TO:
                return False
        size += ENTRY_BYTES
        if used + size > share or self.bytes + size > self._bytes_max:
            return False
        self._of_rooms[room] = used + size
        self.bytes += size
        return True

    def give_back(self, room: RoomId, size: int) -> None:
        """Take note that a frame has waited long enough."""
        size += ENTRY_BYTES
        self.bytes -= size
        self._of_rooms[room] -= size
        if not self._of_rooms[room]:
            del self._of_rooms[room]
