"""The recent messages of each user, to resume after a disconnect.

Recipients are resolved when an event is folded; here their frames are kept, within limits of age,
number and bytes. Events without any frame, such as the inputs of a match with ticks, do not count.
At start it is filled from the tail of the log (`service.edge.tail`).
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
