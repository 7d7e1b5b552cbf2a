"""Limit the connections of one client address."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Holder = TypeVar("Holder", bound=Hashable)


class AddressCap(Generic[Holder]):
    """Limits the holders of each address; a full address may evict its oldest idle one."""

    def __init__(self, max_: int, evict: Callable[[Holder], bool] = lambda _: False) -> None:
        """Allow `max_` for each address, any number when that is 0.

        `evict` ends a holder if it can be spared, and tells whether it was.
        """
        self._max = max_
        self._evict = evict
        # Dictionaries are ordered, so that the oldest holder is first.
        self._holders: dict[str, dict[Holder, None]] = {}

    def enter(self, address: str, holder: Holder) -> bool:
        """Count one more holder; return False if the address has too many."""
        if not self.has_room(address) and not self._make_room(address):
            return False
        self._holders.setdefault(address, {})[holder] = None
        return True

    def enter_again(self, address: str, holder: Holder) -> None:
        """Count a holder that was admitted before, if possible by evicting an older one."""
        if not self.enter(address, holder):
            self._holders[address][holder] = None

    def leave(self, address: str, holder: Holder) -> None:
        """Stop counting a holder; it may have left already."""
        holders = self._holders.get(address)
        if holders is not None:
            holders.pop(holder, None)
            if not holders:
                del self._holders[address]

    def has_room(self, address: str) -> bool:
        """Tell whether one more holder may enter without an eviction."""
        return not self._max or len(self._holders.get(address, ())) < self._max

    def _make_room(self, address: str) -> bool:
        for holder in [*self._holders[address]]:
            if self._evict(holder):
                self.leave(address, holder)
                return True
        return False
