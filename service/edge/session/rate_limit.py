"""Rate limiting: token buckets per socket, and one budget for all sockets of a user.

A budget outlives the last socket of its user until it is full again, so that reconnecting does not
reset a limit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.domain.ids import UserId
    from service.settings.sections.connections import Rate, UserLimits

IDLE_MAX = 100_000
"""Maximum number of budgets kept of users without a socket; the oldest ones are dropped."""


class Bucket:
    """A token bucket; times are seconds of a monotonic clock."""

    __slots__ = ("_at", "_per_s", "_tokens", "burst")

    def __init__(self, rate: Rate, now: float) -> None:
        """Begin full at `now`."""
        self._per_s = rate.per_s
        self.burst = self._tokens = rate.burst
        """The capacity."""
        self._at = now

    def take(self, now: float, count: float = 1) -> bool:
        """Take `count` tokens if there are as many; return whether they were taken."""
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
        """Take `count` tokens in any case; the bucket may become negative."""
        self._tokens -= count

    def wait_ms(self, count: float = 1) -> int:
        """Return the milliseconds until there are `count` tokens, as of the last call."""
        return max(0, int((min(count, self.burst) - self._tokens) / self._per_s * 1000))

    def is_full(self, now: float) -> bool:
        """Tell whether the bucket is full at `now`."""
        return self._tokens + (now - self._at) * self._per_s >= self.burst

    @property
    def is_half_full(self) -> bool:
        """Whether more than half of the capacity is left, as of the last call."""
        return self._tokens > self.burst / 2


class UserBudget:
    """The buckets that all sockets of a user share; most of them are made at first use."""

    __slots__ = ("_chat", "_invites", "_limits", "_logged", "_rooms", "_signals", "messages")

    def __init__(self, limits: UserLimits, now: float) -> None:
        """Begin with full buckets at `now`."""
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
        """Return the bucket of bytes of signals, which are relayed without being logged."""
        if self._signals is None:
            self._signals = Bucket(self._limits.signal_bytes, now)
        return self._signals

    def rooms(self, now: float) -> Bucket:
        """Return the bucket of rooms that are created."""
        if self._rooms is None:
            self._rooms = Bucket(self._limits.rooms, now)
        return self._rooms

    def invites(self, now: float) -> Bucket:
        """Return the bucket of invites that are sent."""
        if self._invites is None:
            self._invites = Bucket(self._limits.invites, now)
        return self._invites

    def is_full(self, now: float) -> bool:
        """Tell whether all buckets are full at `now`, as those of a new budget."""
        used = (self._chat, self._logged, self._signals, self._rooms, self._invites)
        return self.messages.is_full(now) and all(
            bucket is None or bucket.is_full(now) for bucket in used
        )


class Budgets:
    """The budgets of all users who have sockets, or had some lately."""

    def __init__(self, limits: UserLimits, clock: Callable[[], float]) -> None:
        """Give every user these limits; `clock` is monotonic, in seconds."""
        self._limits = limits
        self._clock = clock
        self._used: dict[UserId, tuple[UserBudget, int]] = {}
        """The budget of each user, and the number of sockets that share it."""
        self._idle: dict[UserId, UserBudget] = {}
        """Budgets without a socket, which may not be full yet; the oldest first."""

    def __len__(self) -> int:
        """Count the budgets that are kept."""
        return len(self._used) + len(self._idle)

    def acquire(self, user: UserId) -> UserBudget:
        """Return the budget of `user` for one more socket; `release` must be called at its end."""
        budget, sockets = self._used.get(user, (None, 0))
        if budget is None:
            budget = self._idle.pop(user, None) or UserBudget(self._limits, self._clock())
        self._used[user] = (budget, sockets + 1)
        return budget

    def release(self, user: UserId) -> None:
        """Note the end of a socket of `user`."""
        budget, sockets = self._used.pop(user)
        if sockets > 1:
            self._used[user] = (budget, sockets - 1)
        else:
            self._idle[user] = budget
            self._forget()

    def _forget(self) -> None:
        """Drop the oldest budgets that are full again, and those beyond `IDLE_MAX`."""
        now = self._clock()
        for user in list(self._oldest(2)):
            if self._idle[user].is_full(now):
                del self._idle[user]
        while len(self._idle) > IDLE_MAX:
            del self._idle[next(iter(self._idle))]

    def _oldest(self, count: int) -> list[UserId]:
        return [user for user, _ in zip(self._idle, range(count), strict=False)]
