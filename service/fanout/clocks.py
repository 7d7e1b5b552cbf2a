"""The clocks of a match as clients are shown them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET, UnsetType

if TYPE_CHECKING:
    from service.domain.projections.matches import Match

NO_CLOCKS = UNSET, UNSET
"""What is shown of a match without clocks, or whose clocks have stopped."""


def clocks_shown(match: Match, turn_left_ms: int) -> tuple[int | UnsetType, list[int] | UnsetType]:
    """Return what is left of a turn, and of the clock of each seat, in ms."""
    return turn_left_ms, match.clocks_ms(turn_left_ms) or UNSET
