"""A bounded queue that serves addresses in turn, and each address in order of arrival.

Every operation takes constant time, however many wait.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

Waiter = TypeVar("Waiter", bound=Hashable)


class FairQueue(Generic[Waiter]):
    """Waiters by address. Where each address has one, it is a queue in order of arrival."""

    def __init__(self, max_: int) -> None:
        """Let at most `max_` wait."""
        self._max = max_
        # `OrderedDict`, since taking the first of a `dict` passes over all that was deleted.
        self._addresses: OrderedDict[Waiter, str] = OrderedDict()
        """The address of each waiter, in order of arrival."""
        self._by_address: OrderedDict[str, OrderedDict[Waiter, None]] = OrderedDict()
        """The waiters of each address; the address whose turn it is comes first."""
        self._of_length: dict[int, OrderedDict[str, None]] = {}
        """The addresses with so many waiters."""
        self._longest = 0
        """The number of waiters of the address that has most."""

    def __len__(self) -> int:
        """Count those who wait."""
        return len(self._addresses)

    def put(self, address: str, waiter: Waiter) -> Waiter | None:
        """Let `waiter` wait; return the one that has to go for it, which may be itself.

        When the queue is full that is the last one of the address that has most, unless the
        address of `waiter` has nearly as many: so no address keeps others out.
        """
        removed: Waiter | None = None
        if len(self) >= self._max:
            if len(self._by_address.get(address, ())) + 1 >= self._longest:
                return waiter
            longest = next(iter(self._of_length[self._longest]))
            removed = next(reversed(self._by_address[longest]))
            self.discard(removed)
        queue = self._by_address.setdefault(address, OrderedDict())
        queue[waiter] = None
        self._addresses[waiter] = address
        self._has_now(address, len(queue) - 1, len(queue))
        return removed

    def next(self) -> Waiter | None:
        """Return whose turn it is."""
        queue = next(iter(self._by_address.values()), None)
        return None if queue is None else next(iter(queue))

    def oldest(self) -> Waiter | None:
        """Return who has waited longest."""
        return next(iter(self._addresses), None)

    def take(self, waiter: Waiter) -> None:
        """Remove the waiter whose turn it is; then it is the turn of the other addresses."""
        address = self._addresses[waiter]
        self.discard(waiter)
        if address in self._by_address:
            self._by_address.move_to_end(address)

    def discard(self, waiter: Waiter) -> None:
        """Remove a waiter, if it waits; its address keeps its turn."""
        address = self._addresses.pop(waiter, None)
        if address is None:
            return
        queue = self._by_address[address]
        del queue[waiter]
        if not queue:
            del self._by_address[address]
        self._has_now(address, len(queue) + 1, len(queue))

    def _has_now(self, address: str, before: int, after: int) -> None:
        """Note the number of waiters of an address, which has changed by one."""
        if before:
            same = self._of_length[before]
            del same[address]
            if not same:
                del self._of_length[before]
        if after:
            self._of_length.setdefault(after, OrderedDict())[address] = None
        if after > self._longest or self._longest not in self._of_length:
            self._longest = after
