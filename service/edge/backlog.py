"""The recent messages of each user, to resume after a disconnect.

Recipients are resolved when an event is folded; here their frames are kept, within limits of age,
number and bytes. Events without any frame, such as the inputs of a match with ticks, do not count.
After a start the frames of earlier events are prepended, the newest first (`service.refilling`).
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.domain.events.base import Position
    from service.domain.ids import UserId
    from service.settings.sections.storage import BacklogLimits


FRAME_BYTES = 150
"""Approximate memory overhead of a frame, in bytes."""

ENTRY_BYTES = 16
"""Approximate memory of a frame for each of its recipients, in bytes."""


class _Kept:
    """A frame, and the number of users for whom it is kept."""

    __slots__ = ("frame", "position", "users")

    def __init__(self, position: Position, frame: bytes, users: int) -> None:
        self.position = position
        self.frame = frame
        self.users = users

    @property
    def size(self) -> int:
        return len(self.frame) + FRAME_BYTES


class _UserTail:
    """The frames of one user, the oldest first."""

    __slots__ = ("bytes", "frames", "start")

    def __init__(self) -> None:
        self.frames: deque[_Kept] = deque()
        self.bytes = 0
        self.start: Position = 0
        """The last event of which a frame was dropped, by the limit per user."""


STEPS = 100
"""How many times per `age_s` `start` advances while no events have frames."""


class Backlog:
    """The frames of each user for the events after the position `start`."""

    def __init__(self, limits: BacklogLimits, start: Position = 0) -> None:
        """Begin empty, after the event at `start`."""
        self._limits = limits
        self._of_users: dict[UserId, _UserTail] = {}
        self._events: deque[tuple[Position, float, list[UserId]]] = deque()
        """Events with frames, and now and then one without, so that `start` advances."""
        self._events_with_frames = 0
        self._frames = 0
        self._pending: list[UserId] = []
        self.bytes = 0
        """Approximate memory of all frames, in bytes."""
        self.start = start

    def add(self, position: Position, users: Sequence[UserId], frame: bytes) -> None:
        """Add a frame of the event at `position`, for these users."""
        if not users:
            return
        kept = _Kept(position, frame, len(users))
        self.bytes += kept.size + ENTRY_BYTES * len(users)
        self._frames += len(users)
        self._pending += users
        for user in users:
            tail = self._of_users.get(user)
            if tail is None:
                tail = self._of_users[user] = _UserTail()
            tail.frames.append(kept)
            tail.bytes += kept.size
            while tail.bytes > self._limits.bytes_per_user_max and len(tail.frames) > 1:
                tail.start = tail.frames[0].position
                self._drop_first(tail)

    def close(self, position: Position, at: float) -> None:
        """Note that the event at `position` has no more frames; drop what exceeds the limits.

        `at` is when it happened, in seconds of a clock that never goes back.
        """
        if self._pending:
            self._events_with_frames += 1
        elif self._events and at - self._events[-1][1] < self._limits.age_s / STEPS:
            return
        self._events.append((position, at, self._pending))
        self._pending = []
        while self._events and self._is_too_much(at):
            self._drop_oldest()

    def part(self, start: Position) -> Backlog:
        """Return an empty backlog with the same limits, to be filled and prepended."""
        return Backlog(self._limits, start)

    def prepend(self, older: Backlog) -> bool:
        """Move the newest event of `older`, which ends where this one starts, to the front.

        Returns False if it exceeds the limits, and is dropped.
        """
        position, at, users = older._events.pop()
        if self._events:
            at = min(at, self._events[0][1])
        self._events.appendleft((position, at, users))
        self._events_with_frames += bool(users)
        self.start = position - 1
        moved: dict[_Kept, _Kept] = {}
        for user in reversed(users):
            kept = older._take_newest(user, position)
            if kept is None:
                # It was dropped there, by the limit per user.
                self._drop_until(user, position)
            else:
                self._prepend_frame(user, kept, moved)
        if self._is_too_much(self._events[-1][1]):
            self._drop_oldest()
            return False
        return True

    def end_with(self, older: Backlog) -> None:
        """Start where `older` starts, of which all events were moved."""
        self.start = older.start

    def __len__(self) -> int:
        """Return the number of events, with those without frames that are kept."""
        return len(self._events)

    def _take_newest(self, user: UserId, position: Position) -> _Kept | None:
        """Remove the newest frame of a user, if it is of the event at `position`."""
        tail = self._of_users.get(user)
        if tail is None or not tail.frames or tail.frames[-1].position != position:
            return None
        return tail.frames.pop()

    def _prepend_frame(self, user: UserId, older: _Kept, moved: dict[_Kept, _Kept]) -> None:
        """Put a frame before the others of a user, if all of these are kept and it has room.

        `moved` has what the frames of this event have become.
        """
        tail = self._of_users.get(user)
        if tail is None:
            tail = self._of_users[user] = _UserTail()
        elif tail.start or tail.bytes + older.size > self._limits.bytes_per_user_max:
            self._drop_until(user, older.position)
            return
        kept = moved.get(older)
        if kept is None:
            kept = moved[older] = _Kept(older.position, older.frame, 0)
            self.bytes += kept.size
        kept.users += 1
        tail.frames.appendleft(kept)
        tail.bytes += kept.size
        self._frames += 1
        self.bytes += ENTRY_BYTES

    def _drop_until(self, user: UserId, position: Position) -> None:
        """Note that frames of a user up to a position are not kept."""
        tail = self._of_users.get(user)
        if tail is not None:
            tail.start = max(tail.start, position)

    def between(self, user: UserId, after: Position, to: Position) -> list[bytes] | None:
        """Return a user's frames after `after` up to `to`, or None if some of them were dropped."""
        if after < self.start:
            return None
        tail = self._of_users.get(user)
        if tail is None:
            return []
        if after < tail.start:
            return None
        return [kept.frame for kept in tail.frames if after < kept.position <= to]

    def _is_too_much(self, now: float) -> bool:
        return (
            self._events_with_frames > self._limits.events_max
            or self._frames > self._limits.frames_max
            or self.bytes > self._limits.bytes_max
            or self._events[0][1] < now - self._limits.age_s
        )

    def _drop_oldest(self) -> None:
        self.start, _, users = self._events.popleft()
        self._events_with_frames -= bool(users)
        for user in users:
            tail = self._of_users.get(user)
            if tail is not None and tail.frames[0].position <= self.start:
                self._drop_first(tail)
                if not tail.frames:
                    del self._of_users[user]

    def _drop_first(self, tail: _UserTail) -> None:
        kept = tail.frames.popleft()
        tail.bytes -= kept.size
        kept.users -= 1
        self._frames -= 1
        self.bytes -= ENTRY_BYTES + (0 if kept.users else kept.size)
