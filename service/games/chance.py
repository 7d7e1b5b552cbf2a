"""Deterministic random numbers for games (SplitMix64), identical on every machine.

Python's `random` does not guarantee equal numbers across versions, and its state has 2.5 KB. The
state of SplitMix64 (Steele, Lea and Flood, 2014) is one 64-bit integer, which is part of the match
state and survives JSON.
"""

from collections.abc import Sequence
from typing import TypeVar

import msgspec

Item = TypeVar("Item")

MASK_64 = 0xFFFF_FFFF_FFFF_FFFF
"""Truncates to 64 bits, since integers in Python are unbounded."""

GOLDEN_GAMMA = 0x9E37_79B9_7F4A_7C15
"""The increment of the state: 2^64 divided by the golden ratio, rounded to an odd number."""


class Chance(msgspec.Struct, gc=False):
    """A generator; its seed `state` may be any integer, of which the low 64 bits are used."""

    state: int

    def __post_init__(self) -> None:
        """Truncate the seed to 64 bits."""
        self.state &= MASK_64

    def next_64_bits(self) -> int:
        """Return the next number, uniformly from 0 to 2^64 - 1."""
        self.state = (self.state + GOLDEN_GAMMA) & MASK_64
        mixed = self.state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58_476D_1CE4_E5B9) & MASK_64
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D0_49BB_1331_11EB) & MASK_64
        return mixed ^ (mixed >> 31)

    def choice(self, items: Sequence[Item]) -> Item:
        """Return one of `items`, of which there must be at least one."""
        return items[self.below(len(items))]

    def flip(self) -> bool:
        """Toss a coin."""
        return self.next_64_bits() >> 63 == 1

    def below(self, limit: int) -> int:
        """Return an integer from 0 to `limit` - 1, each as likely; `limit` is at most 2^32."""
        return self.next_64_bits() * limit >> 64
