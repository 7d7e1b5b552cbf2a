"""The recent messages of each user, so that who comes back is sent what he missed.

Whom an event concerns is decided when it is folded; here it is kept, as frames, within bounds of
age and number. At start it is filled by folding the last part of the log again.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.domain.event import Position
    from service.domain.ids import UserId


class BacklogLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much is kept."""

    events_max: int = 100_000
    age_s: float = 600
    frames_max: int = 1_000_000
    """Counted for each user who is to get one."""


class Backlog:
    """What each user was to get after the event at `start`."""

    def __init__(self, limits: BacklogLimits, start: Position = 0) -> None:
        """Begin after the event at `start`."""
        self._limits = limits
        self._age_us = int(limits.age_s * 1_000_000)
        self._of_users: dict[UserId, deque[tuple[Position, bytes]]] = {}
        self._events: deque[tuple[Position, int, list[UserId]]] = deque()
        self._frames = 0
        self._pending: list[UserId] = []
        self.start = start

    def add(self, position: Position, users: Sequence[UserId], frame: bytes) -> None:
        """Keep a frame that these users get for the event at `position`."""
        entry = (position, frame)
        for user in users:
            frames = self._of_users.get(user)
            if frames is None:
                frames = self._of_users[user] = deque()
            frames.append(entry)
        self._pending += users
        self._frames += len(users)

    def close(self, position: Position, recorded_at: int) -> None:
        """Say that the event at `position` has no more frames, and let go of what is too old."""
        self._events.append((position, recorded_at, self._pending))
        self._pending = []
        while self._events and self._is_too_much(recorded_at):
            self._drop_oldest()

    def between(self, user: UserId, after: Position, to: Position) -> list[bytes] | None:
        """Return what a user was to get after `after` up to `to`, or None if some of it is gone."""
        if after < self.start:
            return None
        frames = self._of_users.get(user, ())
        return [frame for position, frame in frames if after < position <= to]

    def _is_too_much(self, now: int) -> bool:
        return (
            len(self._events) > self._limits.events_max
            or self._frames > self._limits.frames_max
            or self._events[0][1] < now - self._age_us
        )

    def _drop_oldest(self) -> None:
        self.start, _, users = self._events.popleft()
        self._frames -= len(users)
        for user in users:
            frames = self._of_users[user]
            frames.popleft()
            if not frames:
                del self._of_users[user]
