"""Connect four, version 2 of its rules: clocks per player, and bots; `docs/connect-four.md`.

The board is that of version 1. `turn_s` limits each turn; with `clock_s` each player has so much
time for the whole match, and gets `increment_s` back for each move (Fischer).
"""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

from service.games.chance import Chance
from service.games.clocks import Clocks, clocks_of
from service.games.connect_four import (
    COLUMNS,
    TURN_DEFAULT_S,
    TURN_MAX_S,
    TURN_MIN_S,
    ConnectFour,
    ConnectFourState,
    Dropped,
)
from service.games.connect_four_bot import choose
from service.games.protocol import GameEvent, Move, Sight, TurnClock

CLOCK_MIN_S = 1
CLOCK_MAX_S = 86_400
INCREMENT_MAX_S = 3600


class ConnectFourOptions(msgspec.Struct, frozen=True):
    """The options of connect four."""

    turn_s: Annotated[
        Annotated[float, msgspec.Meta(ge=TURN_MIN_S, le=TURN_MAX_S)] | None,
        msgspec.Meta(
            description="How long a turn may take, in seconds; by default 30, or with `clock_s` no"
            " limit."
        ),
    ] = None
    clock_s: Annotated[
        Annotated[float, msgspec.Meta(ge=CLOCK_MIN_S, le=CLOCK_MAX_S)] | None,
        msgspec.Meta(description="How long each player may take for the match, in seconds."),
    ] = None
    increment_s: Annotated[
        float,
        msgspec.Meta(
            ge=0,
            le=INCREMENT_MAX_S,
            description="What the clock of a player gets back for each move, in seconds.",
        ),
    ] = 0.0


class ConnectFourState2(ConnectFourState, gc=False, kw_only=True):
    """The whole state of a match."""

    clocks: Clocks


class ConnectFour2(ConnectFour):
    """The rules of connect four with clocks; see `service.games.protocol.Game`."""

    rules_version = 2
    options_type: type[msgspec.Struct] = ConnectFourOptions
    state_type: type[msgspec.Struct] = ConnectFourState2
    bot_levels = 3

    def setup(self, seed: int, options: Any, players: int) -> ConnectFourState2:
        """Choose at random who begins, and start their clock."""
        turn = 0 if Chance(seed).flip() else 1
        turn_s = options.turn_s
        if turn_s is None and options.clock_s is None:
            turn_s = TURN_DEFAULT_S
        clocks = clocks_of(
            players, turn_s=turn_s, clock_s=options.clock_s, increment_s=options.increment_s
        )
        clocks.begin([turn])
        return ConnectFourState2([[] for _ in range(COLUMNS)], turn, clocks=clocks)

    def clock(self, state: ConnectFourState2, options: Any) -> TurnClock | None:  # noqa: ARG002 - they are in the state
        """Return the clock of the player whose turn it is."""
        return state.clocks.show()

    def elapse(self, state: ConnectFourState2, ms: int) -> None:
        """Let the clock of the player whose turn it is run."""
        state.clocks.elapse(ms)

    def apply(self, state: Any, event: GameEvent) -> None:
        """Apply an input to `state`; raise an `InvalidMove` and leave it unchanged."""
        super().apply(state, event)
        clocks = state.clocks
        if isinstance(event, Dropped):
            clocks.moved(event.seat)
        if state.turn is None:
            clocks.stop()
        else:
            clocks.begin([state.turn])

    def bot(self, sight: Sight, level: int, chance: Chance) -> Sequence[Move]:
        """Return the column that a bot chooses; see `connect_four_bot`."""
        if sight.view.turn != sight.seat:
            # Not its turn: from outside, it is asked at each state.
            return []
        return [{"column": choose(sight.view.board, sight.seat, level, chance)}]


CONNECT_FOUR_2 = ConnectFour2()
"""The rules hold no state of their own, so one value is enough for all matches."""
