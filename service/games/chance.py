"""Deterministic random numbers for games (SplitMix64), identical on every machine.

Python's `random` promises no equal numbers across versions, and its state is some 2500 bytes.
This one is SplitMix64 (Steele, Lea and Flood, 2014): its state is one integer of 64 bits,
which is part of a match's state and survives JSON.
"""

import msgspec

MASK_64 = 0xFFFF_FFFF_FFFF_FFFF
"""Keeps an integer at 64 bits, since those of Python grow without end."""

GOLDEN_GAMMA = 0x9E37_79B9_7F4A_7C15
"""What the state grows by: 2^64 divided by the golden ratio, made odd."""


class Chance(msgspec.Struct, gc=False):
    """A generator; any integer may be its first `state`, of which 64 bits count."""

    state: int

    def __post_init__(self) -> None:
        """Keep the 64 bits that count."""
        self.state &= MASK_64

    def next_64_bits(self) -> int:
        """Return the next number, from 0 to 2^64 - 1, each equally likely."""
        self.state = (self.state + GOLDEN_GAMMA) & MASK_64
        mixed = self.state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58_476D_1CE4_E5B9) & MASK_64
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D0_49BB_1331_11EB) & MASK_64
        return mixed ^ (mixed >> 31)

    def flip(self) -> bool:
        """Toss a coin."""
        return self.next_64_bits() >> 63 == 1
