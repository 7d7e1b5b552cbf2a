"""The relay: for games that decide on the client. Moves are ordered, logged and passed on.

The service knows no rules here. Any JSON object is a move of any player at any time, and a match
lasts as long as its players want; what a match was is its moves, in the order of the log.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import msgspec

from service.games.protocol import GameEvent, NoTurnClock, OnlyInputs, Result

PLAYERS_MAX = 16


class Relayed(GameEvent, frozen=True, tag="relayed"):
    """An input: `seat` made a move, whatever it means."""

    seat: int
    move: msgspec.Raw


class RelayState(msgspec.Struct, gc=False):
    """What tells one course of moves from any other."""

    players: int
    moves: int = 0
    digest: str = ""
    """The hash of the digest before, the seat, and the move: a chain of all moves so far."""


class RelayView(msgspec.Struct, frozen=True, gc=False):
    """How many moves there have been; the moves themselves are passed on as they come."""

    moves: int


class Relay(NoTurnClock, OnlyInputs):
    """The rules of the relay; see `service.games.protocol.Game`."""

    name = "relay"
    rules_version = 1
    seats = range(1, PLAYERS_MAX + 1)
    ordered = False
    state_type: type[msgspec.Struct] = RelayState
    event_type: Any = Relayed

    def setup(self, seed: int, options: Mapping[str, Any], players: int) -> RelayState:  # noqa: ARG002 - what they are is left to the clients
        """Begin with no moves."""
        return RelayState(players)

    def decide(self, state: RelayState, seat: int, move: Mapping[str, Any]) -> list[GameEvent]:  # noqa: ARG002 - any move is fine
        """Pass on any object."""
        return [Relayed(seat, msgspec.Raw(msgspec.json.encode(move)))]

    def apply(self, state: RelayState, event: GameEvent) -> None:
        """Count a move, and take it into the digest."""
        if isinstance(event, Relayed):
            state.moves += 1
            before = f"{state.digest} {event.seat} ".encode()
            state.digest = sha256(before + bytes(event.move)).hexdigest()

    def result(self, state: RelayState) -> Result | None:  # noqa: ARG002 - none ever
        """Return None: the match ends when its players end it."""
        return None

    def scores(self, state: RelayState) -> list[int]:
        """Return no points for anybody."""
        return [0] * state.players

    def view(self, state: RelayState, viewer: int | None) -> RelayView:  # noqa: ARG002 - no secrets
        """Return what everybody sees."""
        return RelayView(state.moves)


RELAY = Relay()
"""The rules hold no state of their own, so one value is enough for all matches."""
