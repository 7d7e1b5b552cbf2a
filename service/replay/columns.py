"""Fit names into the columns of a terminal; pure."""

from __future__ import annotations

import unicodedata

CUT = "…"

_INVISIBLE = frozenset({"Mn", "Me", "Cf"})
"""Categories of characters that take no column: combining ones, joiners."""


def width_of(text: str) -> int:
    """Return how many columns a text takes; those of Chinese or an emoji take two."""
    return sum(map(_width, text))


def _width(character: str) -> int:
    if unicodedata.category(character) in _INVISIBLE:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def cut(text: str, width: int) -> str:
    """Return a text of at most `width` columns; one that is cut ends with `…`."""
    if width_of(text) <= width:
        return text
    taken, kept = 0, ""
    for character in text:
        taken += _width(character)
        if taken > width - 1:
            break
        kept += character
    return f"{kept}{CUT}"


def cut_pair(first: str, second: str, width: int) -> tuple[str, str]:
    """Cut two texts so that both fit; a short one leaves its columns to the other one."""
    half = width // 2
    first = cut(first, max(half, width - width_of(second)))
    return first, cut(second, max(half, width - width_of(first)))


def centred(text: str, width: int) -> int:
    """Return how many columns are free before a text that stands in the middle."""
    free = max(0, width - width_of(text))
    # As `str.center`, which counts characters.
    return free // 2 + (free & width & 1)
