"""Time of inputs: how long the clocks of a match ran before an input, and which run after it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec
from msgspec import UNSET, UnsetType

from service.domain.events.matches import ClockState, MatchInput
from service.games.clocks import is_clock
from service.games.options import read_options
from service.games.protocol import InvalidMove, OutOfTime, RulesFailed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from service.domain.commands.base import MatchSnapshot
    from service.domain.events.base import Event
    from service.domain.projections.matches import Match
    from service.games.protocol import Game, State, TurnClock


def is_out_of_time(snapshot: MatchSnapshot) -> bool:
    """Return whether the turn is over: `TimeOutTurn` is about to record that."""
    return snapshot.turn_left_ms == 0


def check_in_time(snapshot: MatchSnapshot) -> None:
    """Raise `OutOfTime` when the turn is over."""
    if is_out_of_time(snapshot):
        raise OutOfTime


def with_times(
    inputs: Iterable[MatchInput],
    game: Game,
    match: Match,
    snapshot: MatchSnapshot,
    *,
    is_timeout: bool = False,
) -> list[Event]:
    """Return the inputs of a move with the measured time, and the clocks that follow.

    A timeout has taken exactly the time that was left, however late it is noticed. Raises what the
    rules raise, and `RulesFailed` for clocks that cannot be.
    """
    if not game.has_clocks:
        return list(inputs)
    options = read_options(game, match.options.as_written)
    state = copy_state(game, snapshot.state)
    spent_ms = _spent_ms(game.clock(state, options), snapshot, is_timeout=is_timeout)
    events: list[Event] = []
    for one in inputs:
        game.elapse(state, spent_ms)
        with suppress(InvalidMove):
            # A live match leaves such an input out as well.
            game.apply(state, msgspec.json.decode(one.input, type=game.event_type))
        is_over = game.result(state) is not None
        clock = UNSET if is_over else clock_state(game.clock(state, options), len(match.players))
        if is_timeout and clock is not UNSET and not clock.ends_in_ms:
            raise RulesFailed(f"The rules of {game.name} let time be up again after a timeout.")
        events.append(msgspec.structs.replace(one, spent_ms=spent_ms, clock=clock))
        spent_ms = 0
    return events


def _spent_ms(clock: TurnClock | None, snapshot: MatchSnapshot, *, is_timeout: bool) -> int:
    if clock is None or (left_ms := snapshot.turn_left_ms) is None:
        return 0
    return clock.ends_in_ms if is_timeout else max(0, clock.ends_in_ms - left_ms)


def clock_state(clock: TurnClock | None, players: int) -> ClockState | UnsetType:
    """Return the clocks as they are recorded; raise `RulesFailed` for ones that cannot be."""
    if clock is None:
        return UNSET
    if not is_clock(clock, players):
        raise RulesFailed(f"The rules return the clocks {clock!r}.")
    return ClockState(clock.ends_in_ms, list(clock.clocks_ms), list(clock.running))


def copy_state(game: Game, state: State) -> State:
    """Return a copy of the state of a match, as it would be read from a checkpoint."""
    return msgspec.json.decode(msgspec.json.encode(state), type=game.state_type)
