"""Rate limiting: token buckets per socket, and one budget for all sockets of a user.

Everything here is counted per user, however many sockets they open, by whichever dialect. A budget
outlives the last socket until it is full again, so that reconnecting gives nothing back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.domain.ids import UserId
    from service.settings.sections.connections import Rate, UserLimits

IDLE_MAX = 100_000
"""Budgets kept of users without a socket; the one that was left first is forgotten."""


class Bucket:
    """A token bucket."""

    __slots__ = ("_at", "_per_s", "_tokens", "burst")

    def __init__(self, rate: Rate, now: float) -> None:
        """Begin full, at `now`, in seconds of a monotonic clock."""
        self._per_s = rate.per_s
        self.burst = self._tokens = rate.burst
        """The most that can be taken at once."""
        self._at = now

    def take(self, now: float, count: float = 1) -> bool:
        """Take `count` tokens if they are there."""
        tokens = self._tokens + (now - self._at) * self._per_s
        if tokens > self.burst:  # noqa: PLR1730 - twice for each message, and twice as fast
            tokens = self.burst
        self._at = now
        if tokens < count:
            self._tokens = tokens
            return False
        self._tokens = tokens - count
        return True

    def spend(self, count: float) -> None:
        """Take `count` tokens, whether they are there or not: the next ones have to wait."""
        self._tokens -= count

    def wait_ms(self, count: float = 1) -> int:
        """Return after how many milliseconds `count` tokens are there, as of the last call."""
        return max(0, int((min(count, self.burst) - self._tokens) / self._per_s * 1000))

    def is_full(self, now: float) -> bool:
        """Tell whether nothing is missing at `now`."""
        return self._tokens + (now - self._at) * self._per_s >= self.burst

    @property
    def is_full_enough(self) -> bool:
        """Whether more than half is left."""
        return self._tokens > self.burst / 2


class UserBudget:
    """What a user has left. Buckets that most users never need are made at first use."""

    __slots__ = ("_chat", "_invites", "_limits", "_logged", "_rooms", "_signals", "messages")

    def __init__(self, limits: UserLimits, now: float) -> None:
        """Begin with everything, at `now`."""
        self._limits = limits
        self.messages = Bucket(limits.messages, now)
        self._chat: Bucket | None = None
        self._logged: Bucket | None = None
        self._signals: Bucket | None = None
        self._rooms: Bucket | None = None
        self._invites: Bucket | None = None

    def chat(self, now: float) -> Bucket:
        """Return the bucket of chat messages."""
        if self._chat is None:
            self._chat = Bucket(self._limits.chat, now)
        return self._chat

    def logged(self, now: float) -> Bucket:
        """Return the bucket of bytes that commands add to the log."""
        if self._logged is None:
            self._logged = Bucket(self._limits.logged_bytes, now)
        return self._logged

    def signals(self, now: float) -> Bucket:
        """Return the bucket of bytes that are passed on to other clients without being logged."""
        if self._signals is None:
            self._signals = Bucket(self._limits.signal_bytes, now)
        return self._signals

    def rooms(self, now: float) -> Bucket:
        """Return the bucket of rooms that are made."""
        if self._rooms is None:
            self._rooms = Bucket(self._limits.rooms, now)
        return self._rooms

    def invites(self, now: float) -> Bucket:
        """Return the bucket of invites that are sent."""
        if self._invites is None:
            self._invites = Bucket(self._limits.invites, now)
        return self._invites

    def is_full(self, now: float) -> bool:
        """Tell whether a new budget would be the same at `now`."""
        used = (self._chat, self._logged, self._signals, self._rooms, self._invites)
        return self.messages.is_full(now) and all(
            bucket is None or bucket.is_full(now) for bucket in used
        )


class Budgets:
    """The budgets of all users who have sockets, or had some just now."""

    def __init__(self, limits: UserLimits, clock: Callable[[], float]) -> None:
        """Give every user these limits; `clock` is monotonic, in seconds."""
        self._limits = limits
        self._clock = clock
        self._used: dict[UserId, tuple[UserBudget, int]] = {}
        """The budget of each user, and how many sockets share it."""
        self._idle: dict[UserId, UserBudget] = {}
        """Budgets without a socket that may not be full yet, the one that was left first first."""

    def __len__(self) -> int:
        """Count the budgets that are kept."""
        return len(self._used) + len(self._idle)

    def acquire(self, user: UserId) -> UserBudget:
        """Return the budget of `user` for one socket more, which gives it back by `release`."""
        budget, sockets = self._used.get(user, (None, 0))
        if budget is None:
            budget = self._idle.pop(user, None) or UserBudget(self._limits, self._clock())
        self._used[user] = (budget, sockets + 1)
        return budget

    def release(self, user: UserId) -> None:
        """Take note that a socket of `user` is gone."""
        budget, sockets = self._used.pop(user)
        if sockets > 1:
            self._used[user] = (budget, sockets - 1)
        else:
            self._idle[user] = budget
            self._forget()

    def _forget(self) -> None:
        """Drop budgets that are full again, as far as the oldest ones are, and what is too much."""
        now = self._clock()
        for user in list(self._oldest(2)):
            if self._idle[user].is_full(now):
                del self._idle[user]
        while len(self._idle) > IDLE_MAX:
            del self._idle[next(iter(self._idle))]

    def _oldest(self, count: int) -> list[UserId]:
        return [user for user, _ in zip(self._idle, range(count), strict=False)]
