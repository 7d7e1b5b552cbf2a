"""Bound the memory of frames delayed for spectators (`spectator_delay_s`); pure.

There is a limit for all rooms and one for each. When a room has used half of its share, states are
thinned out before anything is dropped, so that its spectators see the whole match, less smoothly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.domain.ids import RoomId

ROOM_SHARE = 16
"""The share of the memory that one room may use, as a divisor."""

THINNED_TO = 6
"""One state of so many is kept when a room has used half of its share."""

ENTRY_BYTES = 500
"""Approximate memory overhead of a delayed frame, in bytes."""


class DelayedBytes:
    """Counts the memory of delayed frames."""

    def __init__(self, bytes_max: int) -> None:
        """Allow `bytes_max` for all rooms together."""
        self._bytes_max = bytes_max
        self._of_rooms: dict[RoomId, int] = {}
        self._states = 0
        self.bytes = 0
        """Bytes that are reserved now."""

    def reserve(self, room: RoomId, size: int, *, is_state: bool) -> bool:
        """Reserve memory for a frame of `size` bytes; return False if it has to be dropped."""
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

    def release(self, room: RoomId, size: int) -> None:
        """Release the memory of a frame that was sent or dropped."""
        size += ENTRY_BYTES
        self.bytes -= size
        self._of_rooms[room] -= size
        if not self._of_rooms[room]:
            del self._of_rooms[room]
