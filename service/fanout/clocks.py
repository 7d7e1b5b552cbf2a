"""The clocks of a match as clients are shown them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET, UnsetType

if TYPE_CHECKING:
    from service.domain.projections.matches import Match


def clocks_shown(
    match: Match | None, turn_left_ms: int | None
) -> tuple[int | UnsetType, list[int] | UnsetType]:
    """Return what is left of a turn, and of the clock of each seat, in ms.

    Both are unset without a match, in one without clocks, and in one whose clocks have stopped.
    """
    if match is None or turn_left_ms is None:
        return UNSET, UNSET
    return turn_left_ms, match.clocks_ms(turn_left_ms) or UNSET
