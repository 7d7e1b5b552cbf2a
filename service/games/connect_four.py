"""Connect four: drop discs into seven columns, four in a row win; `docs/connect-four.md`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, TypeAlias

import msgspec

from service.games.chance import Chance
from service.games.clocks import FixedTurn
from service.games.figures import Course, Figure, turn_figures
from service.games.protocol import (
    GameEvent,
    InvalidMove,
    OnlyInputs,
    OpenToAll,
    Result,
    SimpleBots,
)

COLUMNS = 7
ROWS = 6
IN_A_ROW = 4

TURN_DEFAULT_S = 30.0
TURN_MIN_S = 1
TURN_MAX_S = 3600

DIRECTIONS = ((1, 0), (0, 1), (1, 1), (1, -1))
"""Along a row, up a column, and along both diagonals."""

Place: TypeAlias = tuple[int, int]
"""A column from the left and a height above the bottom, both from 0."""


class NoSuchColumn(InvalidMove):
    """The `column` of a move must be an integer from 0 to 6."""


class ColumnFull(InvalidMove):
    """This column is full; choose another one."""


class NotYourTurn(InvalidMove):
    """It is the other player's turn; wait for their move."""


class GameIsOver(InvalidMove):
    """The game is over; ask for a rematch by `room:ready`."""


class Dropped(GameEvent, frozen=True, tag="dropped"):
    """An input: `seat` let a disc fall into `column`."""

    seat: int
    column: int


class TimedOut(GameEvent, frozen=True, tag="timed_out"):
    """An input, made by the service: it was the turn of `seat` for too long."""

    seat: int


ConnectFourEvent: TypeAlias = Dropped | TimedOut


class ConnectFourOptions(msgspec.Struct, frozen=True):
    """The options of connect four."""

    turn_s: Annotated[
        float,
        msgspec.Meta(
            ge=TURN_MIN_S, le=TURN_MAX_S, description="How long a turn may take, in seconds."
        ),
    ] = TURN_DEFAULT_S


class ConnectFourState(msgspec.Struct, gc=False):
    """The whole state of a match."""

    columns: list[list[int]]
    """For each column the seats whose discs lie there, from the bottom up."""
    turn: int | None
    """Whose turn it is; None when the game is over."""
    winner: int | None = None
    line: list[Place] = []
    """The discs that won; more than four when one disc has completed more than one row."""
    last_column: int | None = None
    timed_out: int | None = None
    """Who lost by taking too long."""


class ConnectFourView(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """What everybody sees; a place is `[row, column]`, as in `board`."""

    board: list[list[int | None]]
    """The rows from the top down: seats, or null where no disc is."""
    turn: int | None
    winner: int | None
    line: list[tuple[int, int]]
    last_column: int | None
    timed_out: int | None


class ConnectFour(OpenToAll, FixedTurn, OnlyInputs, SimpleBots):
    """The rules of connect four; see `service.games.protocol.Game`."""

    name = "connect_four"
    title = "Connect four"
    rules_version = 1
    seats = range(2, 3)
    options_type: type[msgspec.Struct] = ConnectFourOptions
    ordered = True
    state_type: type[msgspec.Struct] = ConnectFourState
    event_type: Any = ConnectFourEvent
    bot_levels = 1

    def setup(self, seed: int, options: ConnectFourOptions, players: int) -> ConnectFourState:  # noqa: ARG002 - always two, who begins depends on the seed alone
        """Choose at random who begins."""
        return ConnectFourState(
            columns=[[] for _ in range(COLUMNS)], turn=0 if Chance(seed).flip() else 1
        )

    def decide(
        self, state: ConnectFourState, seat: int, move: Mapping[str, Any]
    ) -> list[GameEvent]:
        """Return the drop of a disc into the `column` of `move`; raise an `InvalidMove`."""
        column = move.get("column")
        # True and 1.0 equal 1, but they are no integers in JSON.
        if type(column) is not int:
            raise NoSuchColumn
        _check(state, seat, column)
        return [Dropped(seat, column)]

    def legal_moves(self, state: ConnectFourState, seat: int) -> list[dict[str, Any]]:
        """Return a move for each column that is not full, if it is the turn of `seat`."""
        if state.turn != seat:
            return []
        return [
            {"column": column} for column in range(COLUMNS) if len(state.columns[column]) < ROWS
        ]

    def turn_s(self, state: ConnectFourState, options: ConnectFourOptions) -> float | None:
        """Return the option `turn_s`, or None once the game is over."""
        return None if state.turn is None else options.turn_s

    def timeout(self, state: ConnectFourState) -> tuple[int, GameEvent]:
        """Return the player whose turn it is, who loses."""
        if state.turn is None:
            raise GameIsOver
        return state.turn, TimedOut(state.turn)

    def apply(self, state: ConnectFourState, event: GameEvent) -> None:
        """Apply an input to `state`; raise an `InvalidMove` and leave it unchanged."""
        match event:
            case Dropped(seat, column):
                _check(state, seat, column)
                _drop(state, seat, column)
            case TimedOut(seat):
                _check_turn(state, seat)
                state.timed_out, state.winner, state.turn = seat, 1 - seat, None
            case _:
                pass

    def result(self, state: ConnectFourState) -> Result | None:
        """Return who won; a full board without four in a row is a draw."""
        if state.turn is not None:
            return None
        return Result(state.winner, None if state.timed_out is None else "turn_timeout")

    def scores(self, state: ConnectFourState) -> list[int]:
        """Return one point for the winner."""
        return [int(seat == state.winner) for seat in (0, 1)]

    def view(self, state: ConnectFourState, viewer: int | None) -> ConnectFourView:  # noqa: ARG002 - no secrets
        """Return what everybody sees."""
        return ConnectFourView(
            board=[
                [column[height] if height < len(column) else None for column in state.columns]
                for height in reversed(range(ROWS))
            ],
            turn=state.turn,
            winner=state.winner,
            line=sorted((ROWS - 1 - height, column) for column, height in state.line),
            last_column=state.last_column,
            timed_out=state.timed_out,
        )

    def figures(self, course: Course) -> list[Figure]:
        """Return the longest turn of each player."""
        return turn_figures(course)


def _check_turn(state: ConnectFourState, seat: int) -> None:
    if state.turn is None:
        raise GameIsOver
    if state.turn != seat:
        raise NotYourTurn


def _check(state: ConnectFourState, seat: int, column: int) -> None:
    _check_turn(state, seat)
    if not 0 <= column < COLUMNS:
        raise NoSuchColumn
    if len(state.columns[column]) == ROWS:
        raise ColumnFull


def _drop(state: ConnectFourState, seat: int, column: int) -> None:
    state.columns[column].append(seat)
    state.last_column = column
    state.line = _line_through(state.columns, column)
    if state.line:
        state.winner, state.turn = seat, None
    elif all(len(discs) == ROWS for discs in state.columns):
        state.turn = None
    else:
        state.turn = 1 - seat


def _line_through(columns: Sequence[Sequence[int]], column: int) -> list[Place]:
    """Return the discs in a row with the one on top of `column`, where these are four or more."""
    top = (column, len(columns[column]) - 1)
    line: set[Place] = set()
    for across, up in DIRECTIONS:
        row = [
            *_same_seat_from(columns, top, -across, -up),
            top,
            *_same_seat_from(columns, top, across, up),
        ]
        if len(row) >= IN_A_ROW:
            line.update(row)
    return sorted(line)


def _same_seat_from(
    columns: Sequence[Sequence[int]], start: Place, across: int, up: int
) -> Iterator[Place]:
    """Iterate over the neighbours of `start` in one direction, as long as the seat is the same."""
    column, height = start
    seat = columns[column][height]
    column, height = column + across, height + up
    while 0 <= column < COLUMNS and 0 <= height < len(columns[column]):
        if columns[column][height] != seat:
            return
        yield column, height
        column, height = column + across, height + up


CONNECT_FOUR = ConnectFour()
"""The rules hold no state of their own, so one value is enough for all matches."""
