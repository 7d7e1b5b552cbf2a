"""Bots of connect four: level 1 plays at random, level 2 sees one move ahead, level 3 six."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.games.chance import Chance

COLUMNS = 7
ROWS = 6
HEIGHT = ROWS + 1
"""Bits of a column: one more than its places, which is always free and keeps lines apart."""

MIDDLE_FIRST = (3, 2, 4, 1, 5, 0, 6)
"""The order in which columns are tried: lines pass the middle most often."""

DEPTH = 6
WON = 1000
LINES = (1, HEIGHT, HEIGHT - 1, HEIGHT + 1)
"""Distances of neighbours in bits: up a column, along a row, and along both diagonals."""

MIDDLE_COLUMNS = (
    (0b111111 << (3 * HEIGHT), 3),
    (0b111111 << (2 * HEIGHT), 1),
    (0b111111 << (4 * HEIGHT), 1),
)
"""What a disc in the middle columns is worth at the end of a search."""


class Board:
    """Two sets of discs, as bits from the bottom of the first column up."""

    __slots__ = ("heights", "mine", "theirs")

    def __init__(self, rows: Sequence[Sequence[int | None]], seat: int) -> None:
        """Read the board of a view, from the top row down, for a seat."""
        self.mine = self.theirs = 0
        self.heights = [column * HEIGHT for column in range(COLUMNS)]
        for row in reversed(rows):
            for column, owner in enumerate(row):
                if owner is None:
                    continue
                bit = 1 << self.heights[column]
                self.heights[column] += 1
                if owner == seat:
                    self.mine |= bit
                else:
                    self.theirs |= bit

    def free(self) -> list[int]:
        """Return the columns that take a disc, those in the middle first."""
        return [one for one in MIDDLE_FIRST if self.heights[one] < one * HEIGHT + ROWS]


def choose(rows: Sequence[Sequence[int | None]], seat: int, level: int, chance: Chance) -> int:
    """Return the column of a bot's move; there must be a free one."""
    board = Board(rows, seat)
    columns = board.free()
    if level == 1:
        return chance.choice(columns)
    for discs in (board.mine, board.theirs):
        for column in columns:
            if _has_line(discs | 1 << board.heights[column]):
                return column
    if level == 2:  # noqa: PLR2004 - the level
        return chance.choice(columns)
    # Equally good columns are told apart by chance, so that no two matches are the same.
    scores = [(_score_of(board, column), chance.below(len(columns)), column) for column in columns]
    return max(scores)[2]


def _score_of(board: Board, column: int) -> int:
    heights = list(board.heights)
    bit = 1 << heights[column]
    heights[column] += 1
    return -_search(board.theirs, board.mine | bit, heights, DEPTH - 1, -WON - DEPTH, WON + DEPTH)


def _search(  # noqa: PLR0913, PLR0917 - a position, and the bounds of the search
    mine: int, theirs: int, heights: list[int], depth: int, least: int, most: int
) -> int:
    """Return what a position is worth to the one whose move it is (negamax, alpha-beta)."""
    columns = [one for one in MIDDLE_FIRST if heights[one] < one * HEIGHT + ROWS]
    if not columns:
        return 0
    for column in columns:
        if _has_line(mine | 1 << heights[column]):
            # The sooner, the better.
            return WON + depth
    if not depth:
        return _worth(mine) - _worth(theirs)
    for column in columns:
        bit = 1 << heights[column]
        heights[column] += 1
        score = -_search(theirs, mine | bit, heights, depth - 1, -most, -least)
        heights[column] -= 1
        if score >= most:
            return score
        least = max(least, score)
    return least


def _has_line(discs: int) -> bool:
    for distance in LINES:
        pairs = discs & (discs >> distance)
        if pairs & (pairs >> 2 * distance):
            return True
    return False


def _worth(discs: int) -> int:
    return sum((discs & column).bit_count() * worth for column, worth in MIDDLE_COLUMNS)
